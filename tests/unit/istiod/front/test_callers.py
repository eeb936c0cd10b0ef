from __future__ import annotations

import pytest

from lateen.identity import caller
from lateen.identity.caller import Caller, CannotVerify, Evidence
from lateen.istiod.front.callers import FrontAnybody, FrontCallers
from lateen.model.identity import PeerIdentity
from lateen.xds.authentication import CannotTell, Refused

WEB = PeerIdentity("shop", "web", "cluster.local")


class Call:
    def __init__(self, *metadata: tuple[str, str]) -> None:
        self._metadata = metadata

    def peer(self) -> str:
        return "unix:"

    def invocation_metadata(self) -> object:
        return self._metadata


class Ways:
    def __init__(self) -> None:
        self.seen: list[Evidence] = []

    async def authenticate(self, evidence: Evidence) -> Caller:
        self.seen.append(evidence)
        match evidence.token:
            case "good":
                return Caller(WEB)
            case "away":
                raise CannotVerify("nobody to ask")
            case "denied":
                raise caller.Refused("not one of ours", denied=True)
        raise caller.Refused("no proof")


async def test_evidence_is_what_the_front_tells() -> None:
    ways = Ways()
    callers = FrontCallers(ways)
    call = Call(("authorization", "Bearer good"), ("x-lateen-peer", "10.0.0.1:4711"))
    assert await callers.authenticate(call) == WEB
    assert ways.seen == [Evidence("good", address="10.0.0.1")]
    assert callers.address(call) == FrontAnybody().address(call) == "10.0.0.1:4711"
    assert await FrontAnybody().authenticate(call) is None


async def test_refusals_keep_their_meaning() -> None:
    callers = FrontCallers(Ways())
    with pytest.raises(CannotTell, match="nobody to ask"):
        await callers.authenticate(Call(("authorization", "Bearer away")))
    for token, unauthenticated in (("denied", False), ("other", True)):
        with pytest.raises(Refused) as refused:
            await callers.authenticate(Call(("authorization", f"Bearer {token}")))
        assert refused.value.unauthenticated is unauthenticated
