"""Which service a host name means in a namespace: exportTo, and who wins where several declare one host.

Nearly always the answer is the same in every namespace. It is computed once, and for each namespace only what differs
there, so that a namespace with nothing of its own costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from lateen.engine import Reader, query
from lateen.model.service import ServiceKey
from lateen.model.services import service, service_keys, service_keys_in

NOBODY = "~"
OWN_NAMESPACE = "."
EVERYBODY = "*"


class Candidate(NamedTuple):
    """One service that claims a host. Sorts by precedence: Kubernetes Services, then the oldest."""

    declared: bool
    """Not a Kubernetes Service: those come first, lest a host be taken from under them."""
    created: str
    key: ServiceKey
    export_to: tuple[str, ...]
    nearness: str
    """What it asks of clients' places: PreferSameZone, PreferSameNode, Node (internalTrafficPolicy: Local) or ""."""


class Visibility(msgspec.Struct, frozen=True):
    """Hosts to services."""

    common: Mapping[str, ServiceKey]
    """What hosts mean in namespaces with nothing of their own, sorted by host."""
    special: Mapping[str, Mapping[str, ServiceKey | None]]
    """By namespace: the hosts that mean something else there; None where they mean nothing."""

    def in_namespace(self, namespace: str) -> Mapping[str, ServiceKey]:
        """What hosts mean in a namespace, sorted by host."""
        differing = self.special.get(namespace)
        if not differing:
            return self.common
        merged = {**self.common, **differing}
        return {host: key for host in sorted(merged) if (key := merged[host]) is not None}

    def meaning(self, namespace: str, host: str) -> ServiceKey | None:
        """What one host means in a namespace."""
        differing = self.special.get(namespace)
        if differing is not None and host in differing:
            return differing[host]
        return self.common.get(host)


def exported(export_to: Iterable[str], owner: str, namespace: str) -> bool:
    """Whether what `owner` exports to these namespaces is seen in `namespace`."""
    return any(to in (EVERYBODY, namespace) or (to == OWN_NAMESPACE and owner == namespace) for to in export_to)


@query
def visibility(db: Reader) -> Visibility:
    """What every host means in every namespace. Of services it depends on their exportTo, age and origin alone."""
    by_host: dict[str, list[Candidate]] = {}
    for one in all_candidates(db):
        by_host.setdefault(one.key.hostname, []).append(one)
    return resolve(by_host)


@query
def candidate(db: Reader, key: ServiceKey) -> Candidate | None:
    """What of a service decides who sees it, and what of its clients matters to it."""
    found = service(db, key)
    if found is None:
        return None
    nearness = "Node" if found.node_local else found.traffic_distribution
    return Candidate(not found.is_kubernetes, found.created, key, found.export_to, nearness)


@query
def candidates_in(db: Reader, namespace: str) -> tuple[Candidate, ...]:
    """What one namespace declares, sorted by host. Depends on nothing outside of it."""
    hosts = {each.hostname for each in service_keys_in(db, namespace)}
    found = (candidate(db, ServiceKey(host, namespace)) for host in sorted(hosts))
    return tuple(one for one in found if one is not None)


@query
def all_candidates(db: Reader) -> tuple[Candidate, ...]:
    """What all namespaces declare, sorted by host and namespace."""
    return tuple(one for key in service_keys(db) if (one := candidate(db, key)) is not None)


def resolve(by_host: Mapping[str, list[Candidate]]) -> Visibility:
    """The meaning of every host, from all that claim it."""
    common: dict[str, ServiceKey] = {}
    special: dict[str, dict[str, ServiceKey | None]] = {}
    for host in sorted(by_host):
        candidates = sorted(by_host[host])
        usual = next((one.key for one in candidates if EVERYBODY in one.export_to), None)
        if usual is not None:
            common[host] = usual
        if len(candidates) == 1 and usual is not None:
            continue
        for namespace in _interested(candidates):
            meaning = winner(candidates, namespace)
            if meaning != usual:
                special.setdefault(namespace, {})[host] = meaning
    return Visibility(common, special)


def _interested(candidates: list[Candidate]) -> list[str]:
    """The namespaces in which a host may mean something else than usual."""
    named = {to for one in candidates for to in one.export_to} - {EVERYBODY, OWN_NAMESPACE, NOBODY}
    return sorted(named | {one.key.namespace for one in candidates})


def winner(candidates: Iterable[Candidate], namespace: str) -> ServiceKey | None:
    """Of all that claim a host, the service it means in a namespace: the first that is seen there, but a ServiceEntry
    of this very namespace before one of another."""
    seen = [one for one in candidates if exported(one.export_to, one.key.namespace, namespace)]
    if not seen:
        return None
    return min(seen, key=lambda one: (one.declared, one.key.namespace != namespace, one)).key
