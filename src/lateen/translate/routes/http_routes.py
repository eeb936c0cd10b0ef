"""The HTTP routes of one VirtualService for one port and kind of client, as bytes that virtual hosts share."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from envoy.config.route.v3 import route_components_pb2

from lateen.api.networking.destination_rule import ConsistentHashLB
from lateen.api.networking.virtual_service import HTTPMatchRequest, HTTPRoute
from lateen.api.objects import Key, ObjectRef
from lateen.engine import Reader, query
from lateen.model.destination_rules import Rules
from lateen.model.effective_routes import KIND, Source, Target, applies, effective
from lateen.model.route_targets import target_clusters
from lateen.model.traffic_policy import effective_policy
from lateen.translate.metadata import origin_metadata
from lateen.translate.routes.action import Destinations, clusters_of, is_plain, limits, set_action
from lateen.translate.routes.cors import CORS_FILTER, cors_policy
from lateen.translate.routes.faults import FAULT_FILTER, http_fault
from lateen.translate.routes.headers import add_header_operations
from lateen.translate.routes.match import everything, is_catch_all, set_match
from lateen.translate.routes.redirect import set_direct_response, set_redirect
from lateen.translate.wire import embedded, text

ROUTES = 3
"""Field number of VirtualHost.routes."""
_MATCH, _METADATA, _DECORATOR, _NAME, _STAT_PREFIX = 1, 4, 5, 14, 19
"""Field numbers of Route."""


class Routing(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """A VirtualService, and all that makes a difference to its routes. Views that agree on it share the bytes."""

    virtual_service: Key
    port: int
    """Where requests arrive."""
    gateway: str
    """`namespace/name`, or `mesh`."""
    source: Source
    lost: tuple[str, ...] = ()
    """Clusters that the client does not have."""
    hashed: tuple[tuple[str, Rules], ...] = ()
    """Destination hosts with the DestinationRules that ask for consistent hashing."""
    tls: bool = False
    """Requests arrive over TLS that ends here."""
    forwards_host: bool = False
    """`x-forwarded-host` is added to requests whose authority is rewritten."""


class RouteBytes(NamedTuple):
    """Serialised `routes` fields of a virtual host."""

    specific: bytes = b""
    catch_all: bytes = b""
    """The route that lets every request through: nothing may follow it."""


@query
def http_routes(db: Reader, routing: Routing) -> RouteBytes:
    """The routes that can hold for the client, in order. Both parts are empty when there are none."""
    spec = effective(db, routing.virtual_service)
    if spec is None:
        return RouteBytes()
    destinations = _destinations(db, routing)
    origin = _origin(routing.virtual_service)
    specific: list[bytes] = []
    for route in spec.http:
        body, cluster = b"", ""
        for match in route.match or (None,):
            if match is not None and not _can_hold(match, routing):
                continue
            if not body:
                body, cluster = _body(db, route, routing, destinations)
                body += origin
            condition = _condition(match)
            name = f"{route.name}.{match.name}" if match is not None and match.name else route.name
            prefix = match.stat_prefix if match is not None else ""
            operation = _operation(condition.path, cluster, routing)
            named = text(_NAME, name) + text(_STAT_PREFIX, prefix) + embedded(_DECORATOR, text(1, operation))
            encoded = embedded(ROUTES, condition.body + named + body)
            if condition.is_catch_all:
                return RouteBytes(b"".join(specific), encoded)
            specific.append(encoded)
    return RouteBytes(b"".join(specific))


class Condition(NamedTuple):
    """A RouteMatch as a serialised Route to append to one."""

    body: bytes
    path: str
    """As traces show it."""
    is_catch_all: bool


def _condition(match: HTTPMatchRequest | None) -> Condition:
    if match is None:
        return _ALWAYS
    out = route_components_pb2.RouteMatch()
    set_match(out, match)
    path = out.path or out.safe_regex.regex or f"{out.prefix}*"
    return Condition(embedded(_MATCH, bytes(out.SerializeToString(deterministic=True))), path, is_catch_all(out))


_ALWAYS = Condition(embedded(_MATCH, bytes(everything().SerializeToString(deterministic=True))), "/*", True)


def _origin(key: Key) -> bytes:
    """Which VirtualService a route came from, as a serialised Route to append to one."""
    return embedded(_METADATA, origin_metadata(ObjectRef(KIND, key)))


def _can_hold(match: HTTPMatchRequest, routing: Routing) -> bool:
    return match.port in (0, routing.port) and applies(match, routing.source, routing.gateway)


def _destinations(db: Reader, routing: Routing) -> Destinations:
    clusters = target_clusters(db, routing.virtual_service, routing.port)
    rules = dict(routing.hashed)

    def consistent_hash(wanted: Target) -> ConsistentHashLB | None:
        found = rules.get(wanted.host)
        if found is None:
            return None
        port = int(clusters[wanted].split("|")[1])
        balancer = effective_policy(db, found, port, wanted.subset).load_balancer
        return balancer.consistent_hash if balancer is not None else None

    return Destinations(clusters, routing.lost, bool(rules), consistent_hash)


def _body(db: Reader, route: HTTPRoute, routing: Routing, destinations: Destinations) -> tuple[bytes, str]:
    """What does not depend on the match, as a serialised Route; with the cluster where it forwards to but one."""
    out = None
    if route.headers is not None or route.fault is not None or route.cors_policy is not None:
        out = route_components_pb2.Route()
        add_header_operations(out, route.headers)
        if route.fault is not None and (fault := http_fault(route.fault)) is not None:
            out.typed_per_filter_config[FAULT_FILTER].Pack(fault)
        if route.cors_policy is not None:
            out.typed_per_filter_config[CORS_FILTER].Pack(cors_policy(route.cors_policy))
    if route.redirect is not None or route.direct_response is not None:
        out = out or route_components_pb2.Route()
        if route.redirect is not None:
            set_redirect(out.redirect, route.redirect, routing.port, tls=routing.tls)
        elif route.direct_response is not None:
            set_direct_response(out.direct_response, route.direct_response)
        return bytes(out.SerializeToString(deterministic=True)), ""
    if not is_plain(route, destinations):
        out = out or route_components_pb2.Route()
        set_action(out, route, destinations, forwards_host=routing.forwards_host)
    clusters = clusters_of(route, destinations)
    body = clusters.body + limits(db, route.timeout, route.retries, clusters.hashed)
    return body + bytes(out.SerializeToString(deterministic=True)) if out is not None else body, clusters.only


def _operation(path: str, cluster: str, routing: Routing) -> str:
    """What traces call the route: `host:port/path`, or by the VirtualService where several hosts share it."""
    parts = cluster.split("|")
    if len(parts) == 4:
        return f"{parts[3]}:{parts[1]}{path}"
    return f"{routing.virtual_service.name}:{routing.port}{path}"
