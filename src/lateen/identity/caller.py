"""Who asks for a certificate, and what they show to prove it."""

from __future__ import annotations

import re
from typing import Final, Protocol

import msgspec

from lateen.identity.facts import WorkloadFacts
from lateen.model.identity import PeerIdentity

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_ACCOUNT: Final = "system:serviceaccount:"


class Evidence(msgspec.Struct, frozen=True):
    """What came with a call, not believed yet."""

    token: str = ""
    """The bearer token."""
    certificate: bytes = b""
    """The client certificate (PEM), which TLS has verified against the mesh's roots and to which the caller has the
    key. Empty when it has shown none."""
    cluster: str = ""
    """Which cluster the caller says its token is from; empty when it does not say."""
    address: str = ""
    """Where the call comes from, without a port; empty when it is not known."""

    def __repr__(self) -> str:
        return f"Evidence(token={'...' if self.token else 'none'}, certificate={len(self.certificate)} bytes)"


class BoundPod(msgspec.Struct, frozen=True):
    """The pod that a token was made for, and dies with."""

    name: str
    uid: str


class Caller(msgspec.Struct, frozen=True):
    """A proven caller."""

    identity: PeerIdentity
    pod: BoundPod | None = None
    """None: it has proven an identity, but not which of that identity's workloads it is."""
    facts: WorkloadFacts | None = None
    """Of callers without a pod: what has been vouched for already."""


class Refused(Exception):
    """The caller has not proven what it must. `denied`: it has proven who it is, and may not."""

    def __init__(self, message: str, *, denied: bool = False) -> None:
        super().__init__(message)
        self.denied = denied


class CannotVerify(Exception):
    """Whoever could tell is not to be reached now; the caller should come again."""


class Authenticator(Protocol):
    async def authenticate(self, evidence: Evidence) -> Caller:
        """Raises Refused or CannotVerify."""


class AnyOf:
    """The first way that proves something. Raises as the ways did: CannotVerify if a later attempt may succeed."""

    def __init__(self, *ways: Authenticator) -> None:
        self._ways = ways

    async def authenticate(self, evidence: Evidence) -> Caller:
        said, unsure = [], False
        for way in self._ways:
            try:
                return await way.authenticate(evidence)
            except Refused as refused:
                if refused.denied:
                    raise
                said.append(str(refused))
            except CannotVerify as problem:
                unsure = True
                said.append(str(problem))
        message = "; ".join(said)
        raise CannotVerify(message) if unsure else Refused(message)


def service_account(username: str, trust_domain: str) -> PeerIdentity:
    """The identity behind Kubernetes' name for a service account: `system:serviceaccount:NAMESPACE:NAME`.

    Raises Refused for anything else, and for names that could not stand in a SPIFFE ID.
    """
    parts = username.removeprefix(_ACCOUNT).split(":") if username.startswith(_ACCOUNT) else []
    if len(parts) != 2 or not all(_NAME.fullmatch(part) for part in parts):
        raise Refused("the token is not of a service account")
    return PeerIdentity(parts[0], parts[1], trust_domain)
