"""What the request handler asks of `AccessControl`."""

from __future__ import annotations

from aiohttp import web
from multidict import CIMultiDictProxy

from lateen.cluster.apiserver.auth.access_control import AccessControl
from lateen.cluster.apiserver.auth.decision import Decision
from lateen.cluster.apiserver.request import RequestInfo, User


class ServerAccess:
    """Authentication, impersonation and authorization of one server."""

    def __init__(self, control: AccessControl) -> None:
        self._control = control

    async def authenticate(self, request: web.Request) -> User:
        return await self._control.authenticator.authenticate(request)

    def acting_user(self, user: User, headers: CIMultiDictProxy[str]) -> User:
        return self._control.acting_user(user, headers)

    def authorize(self, user: User, info: RequestInfo) -> Decision:
        return self._control.authorizer.authorize(user, info)
