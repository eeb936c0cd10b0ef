"""The endpoints of services. An endpoint that comes or goes recomputes those of its own services alone."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter

from lateen.engine import Reader, query
from lateen.model.endpoint import Endpoint, Health
from lateen.model.entry_endpoints import entry_endpoints
from lateen.model.service import Resolution, ServiceKey
from lateen.model.services import service
from lateen.model.slice_endpoints import slice_endpoints


@query
def endpoints_by_port(db: Reader, key: ServiceKey) -> Mapping[int, tuple[Endpoint, ...]]:
    """The endpoints of a service by the service's port, each list sorted by address; those that are not ready too.

    An address that is listed more than once counts once: in the best health that is said of it.
    """
    found = service(db, key)
    if found is None or found.resolution is Resolution.ALIAS:
        return {}
    listed = slice_endpoints(db, found) if found.is_kubernetes else entry_endpoints(db, found)
    return {port: _distinct(ends) for port, ends in listed.items() if ends}


def endpoints(db: Reader, key: ServiceKey, port: int) -> tuple[Endpoint, ...]:
    """The endpoints of one port of a service, sorted by address; those that are not ready too."""
    return endpoints_by_port(db, key).get(port, ())


def identities(db: Reader, key: ServiceKey) -> tuple[str, ...]:
    """The SPIFFE IDs of a service's endpoints, sorted. Nearly never differ when endpoints do."""
    found: set[str] = set()
    for listed in endpoints_by_port(db, key).values():
        found.update([each.identity for each in listed])
    return tuple(sorted(filter(None, found)))


def healthy(listed: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    """Those that take new requests."""
    return tuple(each for each in listed if each.health is Health.HEALTHY)


_PREFERENCE = {Health.HEALTHY: 0, Health.DRAINING: 1, Health.UNHEALTHY: 2}


def _distinct(listed: list[Endpoint]) -> tuple[Endpoint, ...]:
    addresses = {each.address for each in listed}
    if len(addresses) == len(listed) and "" not in addresses:
        listed.sort(key=_ADDRESS)
        return tuple(listed)
    found: dict[tuple[str, int, str], Endpoint] = {}
    for each in listed:
        # Without an address, endpoints of one network are all behind its gateway, but each counts.
        slot = (each.address, each.port, each.cluster_id) if each.address else ("", len(found), "")
        known = found.get(slot)
        if known is None or _PREFERENCE[each.health] < _PREFERENCE[known.health]:
            found[slot] = each
    return tuple(sorted(found.values(), key=_ORDER))


_ADDRESS = attrgetter("address")
_ORDER = attrgetter("address", "port", "cluster_id", "network")


def matching(listed: tuple[Endpoint, ...], labels: tuple[tuple[str, str], ...]) -> tuple[Endpoint, ...]:
    """The endpoints that carry all of these labels: a subset."""
    if not labels:
        return listed
    wanted = set(labels)
    if any(is_place(name) for name, _ in labels):
        return tuple(each for each in listed if all(each.label(name) == value for name, value in labels))
    return tuple(each for each in listed if wanted.issubset(each.labels))


def is_place(name: str) -> bool:
    """Whether a label may be about the place of an endpoint: what the mesh knows of that, workloads need not carry."""
    return name.startswith(("topology.", "kubernetes.io/"))
