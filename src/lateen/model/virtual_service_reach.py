"""Where VirtualServices lead: a Sidecar that imports one imports the services behind its routes too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lateen.api.networking.virtual_service import VirtualService
from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.inputs import DOMAIN, VIRTUAL_SERVICES
from lateen.model.mesh import default_virtual_service_export

MESH_GATEWAY = "mesh"


class Reach(NamedTuple):
    """What of a VirtualService decides who imports it, and what comes with it."""

    namespace: str
    hosts: tuple[str, ...]
    export_to: tuple[str, ...]
    destinations: tuple[str, ...]
    """Hosts that its routes name, delegates' included, sorted."""


@query
def mesh_reaches(db: Reader) -> tuple[Reach, ...]:
    """Of every VirtualService for sidecars, sorted by namespace and name."""
    return tuple(found for key in VIRTUAL_SERVICES.keys(db) if (found := reach(db, key)) is not None)


@query
def reaches_in(db: Reader, namespace: str) -> tuple[Reach, ...]:
    """Of every VirtualService of one namespace for sidecars, sorted by name."""
    keys = VIRTUAL_SERVICES.where(db, "namespace", namespace)
    return tuple(found for key in keys if (found := reach(db, key)) is not None)


@query
def reach(db: Reader, key: Key) -> Reach | None:
    """Of one VirtualService; None when it is not for sidecars or a mere delegate."""
    found = VIRTUAL_SERVICES.get(db, key)
    if found is None or not found.spec.hosts or (found.spec.gateways and MESH_GATEWAY not in found.spec.gateways):
        return None
    domain = DOMAIN.get(db)
    destinations = {hosts.resolved(name, key.namespace, domain) for name in _destinations(found.spec)}
    for route in found.spec.http:
        if route.delegate is not None:
            delegate = Key(route.delegate.namespace or key.namespace, route.delegate.name, key.cluster)
            destinations.update(delegate_destinations(db, delegate))
    return Reach(
        key.namespace,
        tuple(hosts.resolved(name, key.namespace, domain) for name in found.spec.hosts),
        tuple(found.spec.export_to) or default_virtual_service_export(db),
        tuple(sorted(destinations)),
    )


@query
def delegate_destinations(db: Reader, key: Key) -> tuple[str, ...]:
    """The hosts that the routes of a delegate name. Delegates do not delegate further."""
    found = VIRTUAL_SERVICES.get(db, key)
    if found is None:
        return ()
    domain = DOMAIN.get(db)
    return tuple(sorted({hosts.resolved(name, key.namespace, domain) for name in _destinations(found.spec)}))


def _destinations(spec: VirtualService) -> Iterator[str]:
    for http in spec.http:
        for weighted in http.route:
            yield weighted.destination.host
        if http.mirror is not None:
            yield http.mirror.host
        for mirror in http.mirrors:
            yield mirror.destination.host
    for tls in spec.tls:
        for route in tls.route:
            yield route.destination.host
    for tcp in spec.tcp:
        for route in tcp.route:
            yield route.destination.host
