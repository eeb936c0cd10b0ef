"""The route of services without a VirtualService: everything to the service itself."""

from __future__ import annotations

from envoy.config.route.v3 import route_components_pb2

from lateen.engine import Reader, query
from lateen.model.destination_rules import Rules
from lateen.model.names import outbound_cluster
from lateen.model.traffic_policy import effective_policy
from lateen.translate.routes.action import set_limits
from lateen.translate.routes.hash_policy import hash_policy
from lateen.translate.routes.http_routes import ROUTES
from lateen.translate.routes.match import everything
from lateen.translate.routes.retry import retry_policy
from lateen.translate.routes.settings import route_settings
from lateen.translate.wire import embedded

NAME = "default"


def default_route(db: Reader, hostname: str, port: int, rules: Rules) -> bytes:
    """A `routes` field of a virtual host; `rules` are the DestinationRules that ask for consistent hashing, if any."""
    route = route_components_pb2.Route()
    route.route.cluster = outbound_cluster(port, "", hostname)
    route.decorator.operation = f"{hostname}:{port}/*"
    balancer = effective_policy(db, rules, port, "").load_balancer if rules else None
    policy = None
    if balancer is not None and balancer.consistent_hash is not None:
        policy = hash_policy(balancer.consistent_hash)
    if policy is not None:
        route.route.hash_policy.append(policy)
    constant = _constant_part(db, policy is not None)
    return embedded(ROUTES, constant + bytes(route.SerializeToString(deterministic=True)))


@query
def _constant_part(db: Reader, hashed: bool) -> bytes:
    """What all such routes have in common; concatenated with the rest, Envoy reads one message."""
    route = route_components_pb2.Route(name=NAME, match=everything())
    set_limits(route.route, None)
    policy = retry_policy(route_settings(db).retries, hashed=hashed)
    if policy is not None:
        route.route.retry_policy.CopyFrom(policy)
    return bytes(route.SerializeToString(deterministic=True))
