"""Who is at the other end of a stream: hooks for the identity that a connection proves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from lateen.model.identity import PeerIdentity, spiffe_identity
from lateen.model.proxy import Proxy


class Refused(Exception):
    """The stream is not let in. `unauthenticated`: it has proven nothing; otherwise it claims what it is not."""

    def __init__(self, message: str, *, unauthenticated: bool) -> None:
        super().__init__(message)
        self.unauthenticated = unauthenticated


class Call(Protocol):
    """What authentication needs of a gRPC call (grpc.aio.ServicerContext)."""

    def auth_context(self) -> Mapping[str, list[bytes]]: ...

    def invocation_metadata(self) -> object: ...


class Authenticator(Protocol):
    async def authenticate(self, call: Call) -> PeerIdentity | None:
        """The peer's identity; None where none is asked for. Raises Refused."""


class NoAuthentication:
    """For plaintext listeners: anyone is whoever they say."""

    async def authenticate(self, call: Call) -> PeerIdentity | None:
        return None


class MutualTls:
    """By the SPIFFE identity in the client certificate, which TLS has verified against the mesh's roots.

    `trust_domains` are those whose workloads are let in; empty: any that the roots vouch for.
    """

    def __init__(self, trust_domains: frozenset[str] = frozenset()) -> None:
        self._trust_domains = trust_domains

    async def authenticate(self, call: Call) -> PeerIdentity | None:
        names = call.auth_context().get("x509_subject_alternative_name", [])
        found = [identity for name in names if (identity := spiffe_identity(name.decode(errors="replace")))]
        if len(found) != 1:
            raise Refused(
                f"a client certificate with one SPIFFE identity is needed; this one has {len(found)}",
                unauthenticated=True,
            )
        if self._trust_domains and found[0].trust_domain not in self._trust_domains:
            raise Refused(f"trust domain {found[0].trust_domain!r} is not one of this mesh's", unauthenticated=False)
        return found[0]


class BearerToken:
    """By the token in the `authorization` metadata; `verify` raises Refused for one that is not good."""

    def __init__(self, verify: Callable[[str], Awaitable[PeerIdentity]]) -> None:
        self._verify = verify

    async def authenticate(self, call: Call) -> PeerIdentity | None:
        metadata = call.invocation_metadata()
        pairs = metadata if isinstance(metadata, tuple | list) else ()
        value = next((v for k, v in pairs if k.lower() == "authorization"), "")
        scheme, _, token = (value if isinstance(value, str) else "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Refused("a bearer token is needed", unauthenticated=True)
        return await self._verify(token.strip())


class AnyOf:
    """The first way that proves something. Refused when none does, with what each said."""

    def __init__(self, *ways: Authenticator) -> None:
        self._ways = ways

    async def authenticate(self, call: Call) -> PeerIdentity | None:
        said = []
        for way in self._ways:
            try:
                return await way.authenticate(call)
            except Refused as refused:
                if not refused.unauthenticated:
                    raise
                said.append(str(refused))
        raise Refused("; ".join(said), unauthenticated=True)


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
