from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref

from lateen.istiod.garbage import THRESHOLDS, Garbage


class Knot:
    def __init__(self) -> None:
        self.itself = self


async def test_what_has_been_read_is_set_aside_and_the_rest_is_walked_in_time() -> None:
    thresholds, frozen = gc.get_threshold(), gc.get_freeze_count()
    synced, walked = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        await synced.wait()

    running = asyncio.create_task(Garbage(wait, every=0.001).run())
    await asyncio.sleep(0)
    assert gc.get_threshold() == THRESHOLDS
    assert gc.get_freeze_count() == frozen
    synced.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert gc.get_freeze_count() > frozen
    knot = Knot()
    weakref.finalize(knot, walked.set)
    del knot
    await asyncio.wait_for(walked.wait(), 60)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert gc.get_threshold() == thresholds
    assert gc.get_freeze_count() == 0
