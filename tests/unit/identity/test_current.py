from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from lateen.api.schema.fault import error, warning
from lateen.identity.current import CurrentAuthority
from lateen.identity.plugged import Loaded
from lateen.identity.self_signed import self_signed

NOW = datetime.now(UTC)
ONE, TWO = self_signed(NOW), self_signed(NOW)


class Told:
    def __init__(self) -> None:
        self.times = 0
        self.current = CurrentAuthority(self._told)

    def _told(self) -> None:
        self.times += 1


def test_the_same_again_is_no_change() -> None:
    told = Told()
    assert told.current.offer(Loaded(ONE), "a")
    assert not told.current.offer(Loaded(ONE, (warning("p", "m"),)), "a")
    assert told.current.offer(Loaded(TWO), "a")
    assert told.times == 2


def test_a_fault_keeps_the_last_good_one() -> None:
    told = Told()
    told.current.offer(Loaded(ONE), "a")
    assert not told.current.offer(Loaded(None, (error("p", "m"),)), "a")
    assert told.current.authority == ONE
    assert [fault.path for fault in told.current.faults] == ["p"]


async def test_one_that_was_withdrawn_comes_back_when_it_is_offered() -> None:
    told = Told()
    told.current.offer(Loaded(ONE), "a")
    told.current.withdraw("gone")
    told.current.withdraw("gone")
    assert told.current.authority is None
    waiting = asyncio.create_task(told.current.known())
    await asyncio.sleep(0)
    assert not waiting.done()
    told.current.offer(Loaded(ONE), "a")
    assert await waiting == ONE
    assert told.times == 3


def test_keys_are_not_shown() -> None:
    assert "rivate" not in repr(ONE)
