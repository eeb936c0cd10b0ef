"""The route of services without a VirtualService: everything to the service itself."""

from __future__ import annotations

from envoy.config.route.v3 import route_components_pb2

from lateen.engine import Reader
from lateen.model.destination_rules import Rules
from lateen.model.names import outbound_cluster
from lateen.model.traffic_policy import effective_policy
from lateen.translate.routes.action import limits
from lateen.translate.routes.hash_policy import hash_policy
from lateen.translate.routes.http_routes import ROUTES
from lateen.translate.routes.match import everything
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
    body = _HEAD + bytes(route.SerializeToString(deterministic=True)) + limits(db, None, None, policy is not None)
    return embedded(ROUTES, body)


_HEAD = bytes(route_components_pb2.Route(name=NAME, match=everything()).SerializeToString(deterministic=True))
"""What all such routes have in common; concatenated with the rest, Envoy reads one message."""
