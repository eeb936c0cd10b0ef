"""Who is at the other end of a stream, and what it may have: hooks for the identity that a connection proves."""

from __future__ import annotations

from typing import Protocol

from lateen.model.identity import PeerIdentity
from lateen.model.proxy import Proxy


class Refused(Exception):
    """The stream is not let in. `unauthenticated`: it has proven nothing; otherwise it claims what it is not."""

    def __init__(self, message: str, *, unauthenticated: bool) -> None:
        super().__init__(message)
        self.unauthenticated = unauthenticated


class CannotTell(Exception):
    """Whoever could tell who is at the other end is not to be reached now; the proxy should come again."""


class Call(Protocol):
    """What authentication needs of a gRPC call (grpc.aio.ServicerContext)."""

    def peer(self) -> str: ...

    def invocation_metadata(self) -> object: ...


class Authenticator(Protocol):
    async def authenticate(self, call: Call) -> PeerIdentity | None:
        """The peer's identity; None where none is asked for. Raises Refused or CannotTell."""

    def address(self, call: Call) -> str:
        """Where the call comes from: an address, with a port behind its last colon."""


class NoAuthentication:
    """For plaintext listeners: anyone is whoever they say."""

    async def authenticate(self, call: Call) -> PeerIdentity | None:
        return None

    def address(self, call: Call) -> str:
        return call.peer()


class Rights(Protocol):
    async def secrets(self, identity: PeerIdentity | None) -> bool:
        """Whether a proxy of this identity may have Secrets of its namespace. Raises CannotTell."""


class AllRights:
    """For control planes that hold nobody's Secrets but those of whoever runs them."""

    async def secrets(self, identity: PeerIdentity | None) -> bool:
        return True


def check(proxy: Proxy, identity: PeerIdentity | None) -> None:
    """Raises Refused when a proxy claims to be of another namespace or service account than it has proven."""
    if identity is None:
        return
    if proxy.namespace != identity.namespace:
        raise Refused(
            f"{proxy.id} claims namespace {proxy.namespace!r}, but its identity is of {identity.namespace!r}",
            unauthenticated=False,
        )
    if proxy.service_account and proxy.service_account != identity.service_account:
        raise Refused(
            f"{proxy.id} claims service account {proxy.service_account!r}, "
            f"but its identity is of {identity.service_account!r}",
            unauthenticated=False,
        )
