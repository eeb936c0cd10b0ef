"""SPIFFE identities of workloads."""

from __future__ import annotations

from typing import NamedTuple

DEFAULT_SERVICE_ACCOUNT = "default"


class PeerIdentity(NamedTuple):
    """A workload's proven identity."""

    namespace: str
    service_account: str
    trust_domain: str = ""

    def __str__(self) -> str:
        return spiffe_id(self.trust_domain, self.namespace, self.service_account)


def spiffe_id(trust_domain: str, namespace: str, service_account: str) -> str:
    """The identity of a workload: `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT`."""
    return f"spiffe://{trust_domain}/ns/{namespace}/sa/{service_account or DEFAULT_SERVICE_ACCOUNT}"


def with_aliases(identity: str, trust_domain: str, aliases: tuple[str, ...]) -> tuple[str, ...]:
    """An identity of the mesh's own trust domain, and the same under each of the domain's aliases."""
    prefix = f"spiffe://{trust_domain}/"
    if not identity.startswith(prefix):
        return (identity,)
    rest = identity.removeprefix(prefix)
    names = dict.fromkeys((trust_domain, *aliases))
    return tuple(f"spiffe://{name}/{rest}" for name in names)


def spiffe_identity(uri: str) -> PeerIdentity | None:
    """`spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT`; None for anything else."""
    scheme, _, rest = uri.partition("://")
    parts = rest.split("/")
    if scheme != "spiffe" or len(parts) != 5 or parts[1] != "ns" or parts[3] != "sa" or not all(parts):
        return None
    return PeerIdentity(parts[2], parts[4], parts[0])
