"""Who calls for configuration through the front: known as the callers for certificates are."""

from __future__ import annotations

import time
from collections.abc import Mapping

from lateen.identity import caller
from lateen.identity.caller import CannotVerify, Evidence
from lateen.identity.front_headers import PEER, evidence
from lateen.identity.limits import IssueLimits, KeyedRate
from lateen.model.identity import PeerIdentity
from lateen.xds.authentication import Call, CannotTell, Refused


class FrontCallers:
    """For the socket that nobody but the front can open. `ways` is how callers prove who they are."""

    def __init__(self, ways: caller.Authenticator, limits: IssueLimits | None = None) -> None:
        limits = limits or IssueLimits()
        self._ways = ways
        self._refusals = KeyedRate(limits.refused_per_second, limits.refused_burst, limits.remembered)

    async def authenticate(self, call: Call) -> PeerIdentity:
        shown = _evidence(call)
        if shown.address and self._refusals.wait(shown.address, time.monotonic()):
            raise CannotTell("too many calls without proof of an identity")
        try:
            return (await self._ways.authenticate(shown)).identity
        except caller.Refused as refused:
            self._refusals.take(shown.address, time.monotonic())
            raise Refused(str(refused), unauthenticated=not refused.denied) from None
        except CannotVerify as problem:
            raise CannotTell(str(problem)) from None

    def address(self, call: Call) -> str:
        return _headers(call).get(PEER, "") or call.peer()


class FrontAnybody:
    """The same where callers prove nothing, since there is nothing to prove it by: they are whoever they say."""

    async def authenticate(self, call: Call) -> None:
        return None

    def address(self, call: Call) -> str:
        return _headers(call).get(PEER, "") or call.peer()


def _evidence(call: Call) -> Evidence:
    return evidence(_headers(call))


def _headers(call: Call) -> Mapping[str, str]:
    pairs = call.invocation_metadata()
    listed = pairs if isinstance(pairs, tuple | list) else ()
    return {name.lower(): value for name, value in listed if isinstance(value, str)}
