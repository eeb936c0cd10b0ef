"""The clusters behind the destinations of VirtualServices, and which of them a client does not have."""

from __future__ import annotations

from typing import NamedTuple

from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.destination_rules import RuleClient, rule_client
from lateen.model.effective_routes import Target, destinations
from lateen.model.inputs import DOMAIN
from lateen.model.names import outbound_cluster
from lateen.model.outbound_clusters import clusters_in_scope
from lateen.model.proxy import ClientView, GatewayView
from lateen.model.scope import ScopeKey, scope_key
from lateen.model.service import Resolution, ServiceKey
from lateen.model.services import service, services_of_host, unaliased


class Holder(NamedTuple):
    """A client as far as it makes a difference to which clusters it has."""

    scope: ScopeKey
    rules: RuleClient
    is_gateway: bool


def holder(db: Reader, view: ClientView) -> Holder:
    return Holder(scope_key(db, view), rule_client(db, view.namespace, view.labels), isinstance(view, GatewayView))


@query
def held_clusters(db: Reader, client: Holder) -> frozenset[str]:
    """The names of the outbound clusters of a client."""
    return frozenset(cluster.name for cluster in clusters_in_scope(db, client.scope, client.rules, client.is_gateway))


@query
def target_clusters(db: Reader, key: Key, port: int) -> dict[Target, str]:
    """The cluster of every destination of a VirtualService for what arrives at a port.

    A destination without a port means the only port of its service, or else the port of arrival.
    """
    found: dict[Target, str] = {}
    known: dict[str, tuple[str, int]] = {}
    for each in destinations(db, key):
        answering = known.get(each.host)
        if answering is None:
            answering = known[each.host] = _answering(db, each.host, key.namespace)
        host, only = answering
        found[each] = outbound_cluster(each.port or only or port, each.subset, host)
    return found


def cluster_of(db: Reader, wanted: Target, port: int, namespace: str) -> str:
    """The cluster of one destination for what arrives at a port; `namespace` is of whoever names it."""
    host, only = _answering(db, wanted.host, namespace)
    return outbound_cluster(wanted.port or only or port, wanted.subset, host)


def _answering(db: Reader, host: str, namespace: str) -> tuple[str, int]:
    """The host that answers for a host, and its port if it has but one, else 0.

    Of several services of a host that of `namespace` counts.
    """
    name = hosts.kubernetes_name(host, DOMAIN.get(db))
    found = service(db, ServiceKey(host, name[1])) if name is not None else None
    if found is not None and found.resolution is Resolution.ALIAS:
        final = unaliased(db, host)
        return _answering(db, final, namespace) if final != host else (host, 0)
    if found is None:
        keys = services_of_host(db, host)
        own = ServiceKey(host, namespace)
        found = service(db, own if own in keys else keys[0]) if keys else None
    return host, found.ports[0].port if found is not None and len(found.ports) == 1 else 0


def missing_clusters(db: Reader, key: Key, port: int, client: Holder) -> tuple[str, ...]:
    """The clusters that the routes of a VirtualService name and a client does not have, sorted."""
    held = held_clusters(db, client)
    missing = [name for name in target_clusters(db, key, port).values() if name not in held]
    return tuple(sorted(set(missing))) if missing else ()
