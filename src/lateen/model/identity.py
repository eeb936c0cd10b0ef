"""SPIFFE identities of workloads."""

from __future__ import annotations

DEFAULT_SERVICE_ACCOUNT = "default"


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
