"""Who may look at what goes on inside."""

from __future__ import annotations

from aiohttp import web

from lateen.api.addresses import unmapped
from lateen.identity.caller import Authenticator, CannotVerify, Evidence, Refused
from lateen.identity.front_headers import bearer
from lateen.xds.debug.routes import from_this_machine


class DebugAccess:
    """Callers of this machine (a port forwarding of kubectl is one), and service accounts of the control plane's own
    namespace by their token."""

    def __init__(self, tokens: Authenticator | None, namespace: str) -> None:
        """`tokens`: None where nobody can tell what a token is."""
        self._tokens = tokens
        self._namespace = namespace

    async def admits(self, request: web.Request) -> bool:
        if await from_this_machine(request):
            return True
        token = bearer(request.headers.get("Authorization", ""))
        if self._tokens is None or not token:
            return False
        try:
            caller = await self._tokens.authenticate(Evidence(token, address=unmapped(request.remote or "")))
        except (Refused, CannotVerify):
            return False
        return caller.identity.namespace == self._namespace
