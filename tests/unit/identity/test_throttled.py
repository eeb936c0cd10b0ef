"""Addresses that fail again and again are not listened to for a while."""

from __future__ import annotations

import pytest

from lateen.identity.caller import Caller, CannotVerify, Evidence, Refused
from lateen.identity.limits import RefusalLimits
from lateen.identity.throttled import Throttled, TooManyRefusals
from lateen.model.identity import PeerIdentity

WEB = Caller(PeerIdentity("shop", "web", "cluster.local"))


class Ways:
    def __init__(self) -> None:
        self.asked = 0

    async def authenticate(self, evidence: Evidence) -> Caller:
        self.asked += 1
        match evidence.token:
            case "good":
                return WEB
            case "away":
                raise CannotVerify("nobody to ask")
        raise Refused("no proof")


class Door:
    def __init__(self) -> None:
        self.now = 0.0
        self.ways = Ways()
        self.throttled = Throttled(self.ways, RefusalLimits(burst=3, per_second=0.1), lambda: self.now)

    async def knock(self, token: str, address: str = "10.0.0.1") -> str:
        try:
            await self.throttled.authenticate(Evidence(token, address=address))
        except (Refused, CannotVerify) as error:
            return type(error).__name__
        return "in"


async def test_an_address_that_only_fails_is_not_listened_to() -> None:
    door = Door()
    assert [await door.knock("bad") for _ in range(5)] == ["Refused"] * 3 + ["TooManyRefusals"] * 2
    assert door.ways.asked == 3
    assert await door.knock("good") == "TooManyRefusals"
    assert await door.knock("good", "10.0.0.2") == "in"


async def test_it_is_listened_to_again_after_a_while() -> None:
    door = Door()
    for _ in range(3):
        await door.knock("bad")
    with pytest.raises(TooManyRefusals) as caught:
        await door.throttled.authenticate(Evidence("good", address="10.0.0.1"))
    assert caught.value.wait == 10.0
    door.now = caught.value.wait
    assert await door.knock("good") == "in"


@pytest.mark.parametrize("token", ["good", "away"])
async def test_only_refusals_count(token: str) -> None:
    door = Door()
    for _ in range(10):
        assert await door.knock(token) != "TooManyRefusals"


async def test_callers_from_nowhere_are_not_counted_together() -> None:
    door = Door()
    assert [await door.knock("bad", "") for _ in range(5)] == ["Refused"] * 5
