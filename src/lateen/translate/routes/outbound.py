"""The route configurations of a sidecar's outbound listeners."""

from __future__ import annotations

from typing import NamedTuple

from lateen.engine import Reader, query
from lateen.model.effective_routes import target
from lateen.model.listen_form import listen_form
from lateen.model.listeners import UNIX, outbound_plan
from lateen.model.names import BLACK_HOLE_CLUSTER, HTTP_PROXY_ROUTE, PASSTHROUGH_CLUSTER
from lateen.model.proxy import OutboundView
from lateen.model.proxy_ports import proxy_ports
from lateen.model.route_targets import cluster_of, held_clusters
from lateen.model.scope import OutboundTraffic, Scope, scope_of
from lateen.translate.resource import Recipe
from lateen.translate.routes.outbound_hosts import Client, Place, blocks, http_ports, lone_block, route_client
from lateen.translate.routes.route_table import Remainder, RouteTable, route_configuration
from lateen.translate.routes.virtual_hosts import DomainForm


class Wanted(NamedTuple):
    """What a listener refers to by the name of a route configuration."""

    name: str
    """`80`, `reviews.default.svc.cluster.local:80` (one service alone), `unix:///socket`, `http_proxy`."""
    is_proxy: bool
    """Requests are for any port of the services."""


@query
def listing(db: Reader, view: OutboundView) -> tuple[Recipe, ...]:
    """One route configuration per name that the listeners of the view use."""
    client = route_client(db, view)
    plan = outbound_plan(db, client.holder.scope, listen_form(view.traits, view.cluster_id))
    chains = (listener.http for listener in plan.listeners if listener.http is not None)
    wanted = {chain.route_name: Wanted(chain.route_name, chain.is_proxy) for chain in chains}
    if proxy_ports(db).http_proxy:
        wanted[HTTP_PROXY_ROUTE] = Wanted(HTTP_PROXY_ROUTE, True)
    return tuple(
        Recipe(name, route_configuration, (name, route_table(db, client, view.namespace, wanted[name])))
        for name in sorted(wanted)
    )


@query
def route_table(db: Reader, client: Client, namespace: str, wanted: Wanted) -> RouteTable:
    """What a route configuration has for clients of a namespace."""
    scope = scope_of(db, client.holder.scope)
    if wanted.name == HTTP_PROXY_ROUTE or wanted.name.startswith(UNIX):
        return _all_ports(db, client, namespace, scope, _index(scope, 0, wanted.name))
    host, _, number = wanted.name.rpartition(":")
    port = int(number)
    index = _index(scope, port, "")
    if wanted.is_proxy:
        return _all_ports(db, client, namespace, scope, index)
    if index is None:
        return RouteTable((), _remainder(db, client, scope.outbound))
    if host:
        alone = lone_block(db, Place(client, index, port, DomainForm.ANY), host)
        return RouteTable((alone,) if alone is not None else ())
    found = blocks(db, Place(client, index, port, DomainForm.PLAIN), namespace)
    return RouteTable(tuple(found), _remainder(db, client, scope.outbound))


def _all_ports(db: Reader, client: Client, namespace: str, scope: Scope, index: int | None) -> RouteTable:
    """Virtual hosts for all ports of the services, told apart by the port in the authority."""
    ports = http_ports(db, client.holder.scope, index) if index is not None else {}
    found = [
        block
        for port in sorted(ports)
        for block in blocks(db, Place(client, index or 0, port, DomainForm.WITH_PORT), namespace)
    ]
    return RouteTable(tuple(found), _remainder(db, client, scope.outbound), ignores_port=False)


def _index(scope: Scope, port: int, bind: str) -> int | None:
    """The egress listener that decides on a port."""
    listener = scope.listener_for(port, bind)
    return next((index for index, each in enumerate(scope.listeners) if each is listener), None)


def _remainder(db: Reader, client: Client, outbound: OutboundTraffic) -> Remainder:
    """What happens to requests for hosts out of scope."""
    if not outbound.allow_any:
        return Remainder("", client.headers)
    if outbound.egress_proxy is None:
        return Remainder(PASSTHROUGH_CLUSTER, client.headers)
    cluster = cluster_of(db, target(outbound.egress_proxy), 0, client.holder.scope.namespace)
    held = held_clusters(db, client.holder)
    return Remainder(cluster if cluster in held else BLACK_HOLE_CLUSTER, client.headers)
