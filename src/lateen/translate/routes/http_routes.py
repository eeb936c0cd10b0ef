"""The HTTP routes of one VirtualService for one port and kind of client, as bytes that virtual hosts share."""

from __future__ import annotations

from typing import Any, NamedTuple

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
from lateen.translate.routes.action import Clusters, Destinations, limits, set_action
from lateen.translate.routes.cors import CORS_FILTER, cors_policy
from lateen.translate.routes.faults import FAULT_FILTER, http_fault
from lateen.translate.routes.headers import add_header_operations
from lateen.translate.routes.match import is_catch_all, set_match
from lateen.translate.routes.redirect import set_direct_response, set_redirect
from lateen.translate.routes.settings import RouteSettings, route_settings
from lateen.translate.wire import embedded, text

ROUTES = 3
"""Field number of VirtualHost.routes."""
_METADATA, _DECORATOR = 4, 5
"""Field numbers of Route."""


class Routing(NamedTuple):
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
    settings = route_settings(db)
    destinations = _destinations(db, routing)
    origin = _origin(routing.virtual_service)
    specific: list[bytes] = []
    for route in spec.http:
        for match in route.match or (None,):
            if match is not None and not _can_hold(match, routing):
                continue
            message, clusters = _route(route, match, routing, destinations, settings)
            body = bytes(message.SerializeToString(deterministic=True)) + origin
            if clusters is not None:
                body += clusters.body + limits(db, route.timeout, route.retries, clusters.hashed)
            operation = _operation(message.match, clusters.only if clusters is not None else "", routing)
            encoded = embedded(ROUTES, body + embedded(_DECORATOR, text(1, operation)))
            if match is None or is_catch_all(message.match):
                return RouteBytes(b"".join(specific), encoded)
            specific.append(encoded)
    return RouteBytes(b"".join(specific))


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

    return Destinations(clusters, routing.lost, consistent_hash)


def _route(
    route: HTTPRoute,
    match: HTTPMatchRequest | None,
    routing: Routing,
    destinations: Destinations,
    settings: RouteSettings,
) -> tuple[Any, Clusters | None]:
    """A Route without its origin, operation, clusters and `limits`; and the clusters, unless it does not forward."""
    clusters = None
    out = route_components_pb2.Route(name=route.name)
    if match is not None:
        if match.name:
            out.name = f"{route.name}.{match.name}"
        out.stat_prefix = match.stat_prefix
    set_match(out.match, match)
    add_header_operations(out, route.headers)
    if route.redirect is not None:
        set_redirect(out.redirect, route.redirect, routing.port, tls=routing.tls)
    elif route.direct_response is not None:
        set_direct_response(out.direct_response, route.direct_response)
    else:
        clusters = set_action(out, route, destinations, settings)
    if route.fault is not None and (fault := http_fault(route.fault)) is not None:
        out.typed_per_filter_config[FAULT_FILTER].Pack(fault)
    if route.cors_policy is not None:
        out.typed_per_filter_config[CORS_FILTER].Pack(cors_policy(route.cors_policy))
    return out, clusters


def _operation(match: Any, cluster: str, routing: Routing) -> str:
    """What traces call the route: `host:port/path`, or by the VirtualService where several hosts share it."""
    path = match.path or match.safe_regex.regex or f"{match.prefix}*"
    parts = cluster.split("|")
    if len(parts) == 4:
        return f"{parts[3]}:{parts[1]}{path}"
    return f"{routing.virtual_service.name}:{routing.port}{path}"
