"""Finds out who sent a request: client certificate, then bearer token, else anonymous."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from aiohttp import web

from lateen.cluster.apiserver.auth import service_account
from lateen.cluster.apiserver.auth.client_certificate import ClientCertificates
from lateen.cluster.apiserver.auth.token_keys import InvalidTokenError
from lateen.cluster.apiserver.auth.token_verifier import TokenVerifier
from lateen.cluster.apiserver.request import User
from lateen.cluster.status import unauthorized

AUTHENTICATED = "system:authenticated"
ANONYMOUS = User("system:anonymous", groups=("system:unauthenticated",))
API_AUDIENCES = (service_account.ISSUER,)

_WEBSOCKET_BEARER = "base64url.bearer.authorization.k8s.io."

_log = logging.getLogger(__name__)


class Authenticator:
    """Authenticates requests; impersonation is a further step (`impersonate`)."""

    def __init__(self, verifier: TokenVerifier, clock: Callable[[], datetime]) -> None:
        self._verifier = verifier
        self._clock = clock
        self._certificates = ClientCertificates()

    async def authenticate(self, request: web.Request) -> User:
        """Raises StatusError 401 for a bearer token that proves nothing."""
        user = self._certificates.user(request.transport, self._clock().timestamp())
        if user is not None:
            return with_authenticated(user)
        token = bearer_token(request)
        if not token:
            return ANONYMOUS
        try:
            verified = self._verifier.verify(token, API_AUDIENCES)
        except InvalidTokenError as error:
            # The reason is for the operator; telling it to the sender would help guessing.
            _log.info("refused a bearer token from %s: %s", request.remote, error)
            raise unauthorized() from None
        return with_authenticated(verified.user)


def with_authenticated(user: User) -> User:
    return user if AUTHENTICATED in user.groups else replace(user, groups=(*user.groups, AUTHENTICATED))


def bearer_token(request: web.Request) -> str:
    """The token in `Authorization`, or in `Sec-WebSocket-Protocol` where a browser must put it; empty when none."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    for header in request.headers.getall("Sec-WebSocket-Protocol", []):
        for protocol in header.split(","):
            offered = protocol.strip()
            if offered.startswith(_WEBSOCKET_BEARER):
                encoded = offered[len(_WEBSOCKET_BEARER) :]
                try:
                    padded = encoded + "=" * (-len(encoded) % 4)
                    return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
                except (binascii.Error, UnicodeDecodeError):
                    return ""
    return ""
