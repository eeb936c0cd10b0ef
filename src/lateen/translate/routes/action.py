"""The RouteAction of an HTTP route that forwards: to which clusters, rewritten how, with which limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from envoy.config.route.v3 import route_components_pb2

from lateen.api.networking.destination_rule import ConsistentHashLB
from lateen.api.networking.virtual_service import (
    Destination,
    HTTPRetry,
    HTTPRewrite,
    HTTPRoute,
    HTTPRouteDestination,
    Percent,
)
from lateen.api.schema.duration import Duration
from lateen.engine import Reader, query
from lateen.model.effective_routes import Target, target
from lateen.model.names import BLACK_HOLE_CLUSTER
from lateen.translate.filters.safe_retries import without_safe_retries
from lateen.translate.routes.durations import set_duration
from lateen.translate.routes.hash_policy import hash_policy
from lateen.translate.routes.headers import add_header_operations, authority_of
from lateen.translate.routes.percent import set_percent
from lateen.translate.routes.retry import retry_policy
from lateen.translate.routes.settings import default_retries
from lateen.translate.wire import embedded, text, unsigned

_NO_LIMIT = Duration(0)
_ACTION = 2
"""Field number of Route.route."""
_CLUSTER, _WEIGHTED = 1, 3
"""Field numbers of RouteAction."""


class Destinations(NamedTuple):
    """What the destinations of a VirtualService are to one client."""

    clusters: Mapping[Target, str]
    lost: tuple[str, ...]
    """Clusters that the client does not have."""
    are_hashed: bool
    """Whether any balances by consistent hashing."""
    consistent_hash: Callable[[Target], ConsistentHashLB | None]

    def cluster(self, destination: Destination) -> str:
        """The cluster of a destination; one that refuses everything where the client has none."""
        name = self.clusters[target(destination)]
        return BLACK_HOLE_CLUSTER if name in self.lost else name


class Clusters(NamedTuple):
    """Where a route forwards to."""

    body: bytes
    """As a serialised Route to append to one."""
    only: str
    """The cluster, when there is but one."""
    hashed: bool
    """Whether the only destination balances by consistent hashing."""


def clusters_of(route: HTTPRoute, destinations: Destinations) -> Clusters:
    """Where a route that forwards leads to."""
    if len(route.route) == 1:
        only = route.route[0]
        name = destinations.cluster(only.destination)
        return Clusters(embedded(_ACTION, text(_CLUSTER, name)), name, _hash_policy(only, destinations) is not None)
    found = b""
    for share in route.route:
        if share.weight:
            given = _WEIGHTS[share.weight] if share.weight < len(_WEIGHTS) else _weight(share.weight)
            weight = text(1, destinations.cluster(share.destination)) + given
            found += embedded(1, weight + _weight_headers(share))
    return Clusters(embedded(_ACTION, embedded(_WEIGHTED, found)), "", hashed=False)


def is_plain(route: HTTPRoute, destinations: Destinations) -> bool:
    """Whether there is nothing to forwarding but `clusters_of` and `limits`, as is usual."""
    if route.rewrite is not None or route.mirror is not None or route.mirrors or route.headers is not None:
        return False
    return not destinations.are_hashed and (len(route.route) != 1 or route.route[0].headers is None)


def set_action(out: Any, route: HTTPRoute, destinations: Destinations, *, forwards_host: bool) -> None:
    """Fills the RouteAction of a Route, and the Route's headers with those of its only destination.

    Clusters are left to `clusters_of`; limits and retries to `limits`, which routes have in common.
    """
    action = out.route
    if route.rewrite is not None:
        _set_rewrite(action, route.rewrite)
    authority = (route.rewrite.authority if route.rewrite is not None else "") or authority_of(route.headers)
    if len(route.route) == 1:
        only = route.route[0]
        add_header_operations(out, only.headers)
        authority = authority or authority_of(only.headers)
    for share in route.route:
        if share.weight or len(route.route) == 1:
            policy = _hash_policy(share, destinations)
            if policy is not None and policy not in action.hash_policy:
                action.hash_policy.append(policy)
    if authority:
        action.host_rewrite_literal = authority
        action.append_x_forwarded_host = forwards_host
    _add_mirrors(action, route, destinations)


@query
def limits(db: Reader, timeout: Duration | None, retries: HTTPRetry | None, hashed: bool) -> bytes:
    """The timeouts and the retry policy of a RouteAction, as a serialised Route to append to one.

    Without `retries` the mesh's policy holds.
    """
    route = route_components_pb2.Route()
    set_limits(route.route, timeout)
    effective = retries or default_retries(db)
    policy = retry_policy(effective, hashed=hashed)
    if policy is not None:
        route.route.retry_policy.CopyFrom(policy)
    if policy is None or (effective is not None and effective.retry_on):
        without_safe_retries(route)
    return bytes(route.SerializeToString(deterministic=True))


def set_limits(action: Any, timeout: Duration | None) -> None:
    """Sets the time a request may take (none: as long as it likes), which also bounds what gRPC clients ask for."""
    set_duration(action.timeout, timeout or _NO_LIMIT)
    set_duration(action.max_grpc_timeout, timeout or _NO_LIMIT)


def _set_rewrite(action: Any, rewrite: HTTPRewrite) -> None:
    if rewrite.uri_regex_rewrite is not None:
        action.regex_rewrite.pattern.regex = rewrite.uri_regex_rewrite.match
        action.regex_rewrite.substitution = rewrite.uri_regex_rewrite.rewrite
    elif rewrite.uri:
        action.prefix_rewrite = rewrite.uri


def _weight(share: int) -> bytes:
    """A weight, as a serialised ClusterWeight to append to one."""
    return embedded(2, unsigned(1, share))


_WEIGHTS = tuple(_weight(share) for share in range(101))
"""Those that are percentages."""


def _weight_headers(share: HTTPRouteDestination) -> bytes:
    if share.headers is None:
        return b""
    weight = route_components_pb2.WeightedCluster.ClusterWeight()
    add_header_operations(weight, share.headers)
    if authority := authority_of(share.headers):
        weight.host_rewrite_literal = authority
    return bytes(weight.SerializeToString(deterministic=True))


def _hash_policy(share: HTTPRouteDestination, destinations: Destinations) -> Any | None:
    if not destinations.are_hashed:
        return None
    consistent = destinations.consistent_hash(target(share.destination))
    return hash_policy(consistent) if consistent is not None else None


def _add_mirrors(action: Any, route: HTTPRoute, destinations: Destinations) -> None:
    if route.mirror is not None:
        share = route.mirror_percentage
        if share is None and route.mirror_percent is not None:
            share = Percent(value=route.mirror_percent)
        _add_mirror(action, route.mirror, share, destinations)
    for mirror in route.mirrors:
        _add_mirror(action, mirror.destination, mirror.percentage, destinations)


def _add_mirror(action: Any, destination: Destination, share: Percent | None, destinations: Destinations) -> None:
    percent = share.value if share is not None else 100.0
    cluster = destinations.cluster(destination)
    if percent <= 0 or cluster == BLACK_HOLE_CLUSTER:
        return
    mirror = action.request_mirror_policies.add(cluster=cluster)
    set_percent(mirror.runtime_fraction.default_value, percent)
    mirror.trace_sampled.value = False
