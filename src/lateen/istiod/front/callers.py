"""Who calls for configuration through the front: known as the callers for certificates are."""

from __future__ import annotations

from lateen.identity import caller
from lateen.identity.caller import CannotVerify
from lateen.identity.front_headers import PEER, evidence, headers_of
from lateen.model.identity import PeerIdentity
from lateen.xds.authentication import Call, CannotTell, Refused


class FrontAnybody:
    """For the socket that nobody but the front can open, where callers prove nothing, since there is nothing to prove
    it by: they are whoever they say."""

    async def authenticate(self, call: Call) -> PeerIdentity | None:
        return None

    def address(self, call: Call) -> str:
        return headers_of(call.invocation_metadata()).get(PEER, "") or call.peer()


class FrontCallers(FrontAnybody):
    """The same where they have to. `ways` is how they prove who they are."""

    def __init__(self, ways: caller.Authenticator) -> None:
        self._ways = ways

    async def authenticate(self, call: Call) -> PeerIdentity | None:
        try:
            return (await self._ways.authenticate(evidence(headers_of(call.invocation_metadata())))).identity
        except caller.Refused as refused:
            raise Refused(str(refused), unauthenticated=not refused.denied) from None
        except CannotVerify as problem:
            raise CannotTell(str(problem)) from None
