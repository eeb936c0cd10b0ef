from __future__ import annotations

from typing import Any, cast

import pytest

from lateen.identity.caller import Caller, CannotVerify, Evidence, Refused
from lateen.istiod.debug_access import DebugAccess
from lateen.model.identity import PeerIdentity


class Tokens:
    async def authenticate(self, evidence: Evidence) -> Caller:
        if evidence.token == "away":
            raise CannotVerify("nobody to ask")
        if evidence.token == "bad":
            raise Refused("bad")
        return Caller(PeerIdentity(evidence.token, "any", "cluster.local"))


class Request:
    def __init__(self, remote: str, token: str = "") -> None:
        self.remote = remote
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}


@pytest.mark.parametrize(
    ("remote", "token", "admitted"),
    [
        ("127.0.0.1", "", True),
        ("::1", "", True),
        ("::ffff:127.0.0.1", "", True),
        ("::ffff:10.0.0.1", "", False),
        ("10.0.0.1", "", False),
        ("10.0.0.1", "istio-system", True),
        ("10.0.0.1", "shop", False),
        ("10.0.0.1", "bad", False),
        ("10.0.0.1", "away", False),
        ("nonsense", "", False),
    ],
)
async def test_who_may_look(remote: str, token: str, admitted: bool) -> None:
    request = cast(Any, Request(remote, token))
    assert await DebugAccess(Tokens(), "istio-system").admits(request) is admitted


async def test_without_anybody_to_ask_only_this_machine_may() -> None:
    access = DebugAccess(None, "istio-system")
    assert await access.admits(cast(Any, Request("127.0.0.1", "istio-system")))
    assert not await access.admits(cast(Any, Request("10.0.0.1", "istio-system")))
