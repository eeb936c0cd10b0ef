"""The clusters behind the destinations of VirtualServices, and which of them a client does not have."""

from __future__ import annotations

from typing import NamedTuple

from lateen.api.networking.virtual_service import Destination
from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model.destination_rules import RuleClient, rule_client
from lateen.model.effective_routes import destinations
from lateen.model.names import outbound_cluster
from lateen.model.outbound_clusters import clusters_in_scope
from lateen.model.proxy import ClientView, GatewayView
from lateen.model.scope import ScopeKey, scope_key
from lateen.model.service import ServiceKey
from lateen.model.services import service, services_of_host, unaliased


class Target(NamedTuple):
    """A destination, with its names in full."""

    host: str
    subset: str = ""
    port: int = 0
    """0 when left out."""


class Holder(NamedTuple):
    """A client as far as it makes a difference to which clusters it has."""

    scope: ScopeKey
    rules: RuleClient
    is_gateway: bool


def holder(db: Reader, view: ClientView) -> Holder:
    return Holder(scope_key(db, view), rule_client(db, view.namespace, view.labels), isinstance(view, GatewayView))


def target(destination: Destination) -> Target:
    number = destination.port.number if destination.port is not None else 0
    return Target(destination.host, destination.subset, number)


@query
def held_clusters(db: Reader, client: Holder) -> frozenset[str]:
    """The names of the outbound clusters of a client."""
    return frozenset(cluster.name for cluster in clusters_in_scope(db, client.scope, client.rules, client.is_gateway))


@query
def target_clusters(db: Reader, key: Key, port: int) -> dict[Target, str]:
    """The cluster of every destination of a VirtualService for what arrives at a port.

    A destination without a port means the only port of its service, or else the port of arrival.
    """
    return {each: cluster_of(db, each, port, key.namespace) for each in map(Target._make, destinations(db, key))}


def cluster_of(db: Reader, wanted: Target, port: int, namespace: str) -> str:
    """The cluster of one destination for what arrives at a port; `namespace` is of whoever names it."""
    host = unaliased(db, wanted.host)
    number = wanted.port or only_port(db, host, namespace) or port
    return outbound_cluster(number, wanted.subset, host)


@query
def only_port(db: Reader, host: str, namespace: str) -> int:
    """The port of the service of a host that has but one; else 0. A service in `namespace` comes before others."""
    keys = services_of_host(db, host)
    own = ServiceKey(host, namespace)
    found = service(db, own if own in keys else keys[0]) if keys else None
    return found.ports[0].port if found is not None and len(found.ports) == 1 else 0


def lost(db: Reader, key: Key, port: int, client: Holder) -> tuple[str, ...]:
    """The clusters that the routes of a VirtualService name and a client does not have, sorted."""
    wanted = target_clusters(db, key, port)
    return tuple(sorted(set(wanted.values()) - held_clusters(db, client))) if wanted else ()
