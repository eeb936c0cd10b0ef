"""Peer identities of the mesh's own trust domain count under each of its aliases, too (MeshConfig.trustDomainAliases).

Source: Istio's pilot/pkg/security/trustdomain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

_OWN: Final = "cluster.local"
"""In policies, the mesh's own trust domain whatever it is called."""
_PARTS: Final = 5
"""Of `TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT`."""


def under_aliases(principals: Iterable[str], domains: Sequence[str]) -> tuple[str, ...]:
    """Principals of policies, those of a trust domain of the mesh once for each of `domains` (its own and the aliases).

    A trust domain with a wildcard (`*-td`) stands for the domains that it matches already. Principals that name no
    trust domain (`*/ns/a/sa/b`, `*`) or a foreign one stay as they are.
    """
    found: dict[str, None] = {}
    for principal in principals:
        parts = principal.split("/")
        domain = parts[0]
        if len(parts) != _PARTS or domain == "*" or not (domain == _OWN or any(_covers(domain, d) for d in domains)):
            found[principal] = None
            continue
        for each in domains:
            found[principal if _covers(domain, each) else "/".join((each, *parts[1:]))] = None
    return tuple(found)


def with_aliases_of(named: Iterable[str], domains: Sequence[str]) -> tuple[str, ...]:
    """Trust domains of policies; one of the mesh's own stands for all of them."""
    return tuple(dict.fromkeys(each for name in named for each in (domains if name in domains else (name,))))


def _covers(pattern: str, domain: str) -> bool:
    return pattern == domain or (pattern.startswith("*") and domain.endswith(pattern[1:]))
