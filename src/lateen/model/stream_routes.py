"""The `tls` and `tcp` routes of VirtualServices as they count for one client."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from lateen.api.networking.virtual_service import (
    L4MatchAttributes,
    RouteDestination,
    TCPRoute,
    TLSMatchAttributes,
    TLSRoute,
    VirtualService,
)
from lateen.api.objects import Key
from lateen.engine import Reader
from lateen.model.effective_routes import Source, applies, effective, source_of
from lateen.model.gateway_names import MESH
from lateen.model.hosts import overlaps
from lateen.model.names import BLACK_HOLE_CLUSTER
from lateen.model.proxy import ClientView
from lateen.model.route_targets import held_clusters, holder, target, target_clusters
from lateen.model.scope import EgressListener
from lateen.model.virtual_services import Outline, candidates_of_host, chosen, virtual_services_of_gateway

_Match = TLSMatchAttributes | L4MatchAttributes
_Kind = Callable[[VirtualService], "tuple[TLSRoute, ...] | tuple[TCPRoute, ...]"]
_EVERYTHING = L4MatchAttributes()


def _tls(spec: VirtualService) -> tuple[TLSRoute, ...]:
    return spec.tls


def _tcp(spec: VirtualService) -> tuple[TCPRoute, ...]:
    return spec.tcp


class WeightedCluster(NamedTuple):
    """One of the clusters that share the connections of a route."""

    name: str
    """BlackHoleCluster when the client does not have the destination's."""
    weight: int
    """Relative to the sum of all, which is not 0; a lone cluster gets all."""
    host: str
    """Of the destination, in full."""
    subset: str


class StreamRoute(msgspec.Struct, frozen=True):
    """A route of connections. The first that matches wins."""

    virtual_service: Key
    clusters: tuple[WeightedCluster, ...]
    sni_hosts: tuple[str, ...] = ()
    """Server names, `*.` prefixes allowed, in lower case; empty for any, as in all `tcp` routes."""
    destination_subnets: tuple[str, ...] = ()
    """Addresses or CIDRs; empty for any."""

    @property
    def is_catch_all(self) -> bool:
        return not self.sni_hosts and not self.destination_subnets


def tcp_routes(db: Reader, view: ClientView, listener: EgressListener, host: str, port: int) -> tuple[StreamRoute, ...]:
    """The `tcp` routes for what a sidecar sends to a port of a service; none when no VirtualService has any.

    Nothing follows a route that catches all. Without one, what matches no route goes to the service itself.
    """
    one = chosen(candidates_of_host(db, host), view.namespace, listener, lambda each: each.has_tcp)
    return _routes(db, one, MESH, port, view, _tcp) if one is not None else ()


def tls_routes(db: Reader, view: ClientView, listener: EgressListener, host: str, port: int) -> tuple[StreamRoute, ...]:
    """The `tls` routes for what a sidecar sends to a port of a service; none when no VirtualService has any."""
    one = chosen(candidates_of_host(db, host), view.namespace, listener, lambda each: each.has_tls)
    return _routes(db, one, MESH, port, view, _tls) if one is not None else ()


def gateway_tcp_routes(
    db: Reader, view: ClientView, gateway: Key, port: int, hosts: Iterable[tuple[str, str]]
) -> tuple[StreamRoute, ...]:
    """The `tcp` routes of a Gateway's server, of all VirtualServices bound to it whose hosts it has, in order.

    `hosts` are the server's, as pairs of namespace (empty for any) and name.
    """
    return _gateway_routes(db, view, gateway, port, tuple(hosts), _tcp)


def gateway_tls_routes(
    db: Reader, view: ClientView, gateway: Key, port: int, hosts: Iterable[tuple[str, str]]
) -> tuple[StreamRoute, ...]:
    """The `tls` routes of a Gateway's server that passes TLS through; see `gateway_tcp_routes`."""
    return _gateway_routes(db, view, gateway, port, tuple(hosts), _tls)


def _gateway_routes(
    db: Reader, view: ClientView, gateway: Key, port: int, server: tuple[tuple[str, str], ...], kind: _Kind
) -> tuple[StreamRoute, ...]:
    name = f"{gateway.namespace}/{gateway.name}"
    found: list[StreamRoute] = []
    for one in virtual_services_of_gateway(db, name, view.namespace):
        if any(space in ("", one.key.namespace) and overlaps(host, own) for space, host in server for own in one.hosts):
            found += _routes(db, one, name, port, view, kind)
        if found and found[-1].is_catch_all:
            break
    return tuple(found)


def _routes(
    db: Reader, one: Outline, gateway: str, port: int, view: ClientView, kind: _Kind
) -> tuple[StreamRoute, ...]:
    spec = effective(db, one.key)
    if spec is None:
        return ()
    client = _Client(db, one.key, gateway, port, view)
    found: list[StreamRoute] = []
    for route in kind(spec):
        for match in route.match or (_EVERYTHING,):
            if client.is_meant(match):
                found.append(client.route(match, route.route))
                if found[-1].is_catch_all:
                    return tuple(found)
    return tuple(found)


class _Client:
    """Reads the routes of one VirtualService for one client. Lives inside one query."""

    def __init__(self, db: Reader, key: Key, gateway: str, port: int, view: ClientView) -> None:
        self._key = key
        self._gateway = gateway
        self._port = port
        self._source: Source = source_of(db, key, view.namespace, view.labels)
        self._names = target_clusters(db, key, port)
        self._held = held_clusters(db, holder(db, view))

    def is_meant(self, match: _Match) -> bool:
        return match.port in (0, self._port) and applies(match, self._source, self._gateway)

    def route(self, match: _Match, shares: tuple[RouteDestination, ...]) -> StreamRoute:
        names = tuple(name.lower() for name in match.sni_hosts) if isinstance(match, TLSMatchAttributes) else ()
        return StreamRoute(self._key, tuple(self._clusters(shares)), names, match.destination_subnets)

    def _clusters(self, shares: tuple[RouteDestination, ...]) -> Iterable[WeightedCluster]:
        for share in shares:
            if share.weight or len(shares) == 1:
                name = self._names[target(share.destination)]
                held = name if name in self._held else BLACK_HOLE_CLUSTER
                yield WeightedCluster(held, share.weight or 1, share.destination.host, share.destination.subset)
