"""The clusters a client needs: one per port of each service it sees, and one more per subset of the rules it follows.

Everything that is the client's own is resolved here into small values; what is made of them is shared by all clients.
Nothing here depends on endpoints.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from lateen.api.networking.destination_rule import SimpleLB, TrafficPolicy
from lateen.engine import Reader, query
from lateen.model.destination_rules import ClientRules, MergedRule, RuleClient, Rules, merged_rule, rule_client
from lateen.model.names import outbound_cluster
from lateen.model.protocol import Protocol
from lateen.model.proxy import ClientView, GatewayView, Labels
from lateen.model.scope import ScopeKey, scope_key, scope_of
from lateen.model.service import Resolution, ServiceKey
from lateen.model.services import service
from lateen.model.traffic_policy import policy_of


class Discovery(Enum):
    """How a cluster comes to its endpoints (Envoy's Cluster.DiscoveryType)."""

    __hash__ = object.__hash__  # Enum's own is Python code, and this is a part of many queries' arguments.

    EDS = "EDS"
    STRICT_DNS = "STRICT_DNS"
    LOGICAL_DNS = "LOGICAL_DNS"
    ORIGINAL_DST = "ORIGINAL_DST"
    DYNAMIC_FORWARD_PROXY = "DYNAMIC_FORWARD_PROXY"


class OutboundCluster(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    name: str
    """`outbound|9080|v1|reviews.default.svc.cluster.local`; also names its load assignment."""
    service: ServiceKey
    port: int
    """Of the service."""
    subset: str
    """Empty for all endpoints."""
    subset_labels: Labels
    """What endpoints of the subset have."""
    rules: Rules
    """The DestinationRules that it follows."""
    discovery: Discovery

    @property
    def is_eds(self) -> bool:
        return self.discovery is Discovery.EDS


def outbound_clusters(db: Reader, view: ClientView) -> tuple[OutboundCluster, ...]:
    """The clusters of a view, sorted by host, then in the order of ports and subsets. Views that agree share them."""
    client = rule_client(db, view.namespace, view.labels)
    return clusters_in_scope(db, scope_key(db, view), client, isinstance(view, GatewayView))


@query
def clusters_in_scope(db: Reader, scope: ScopeKey, client: RuleClient, is_gateway: bool) -> tuple[OutboundCluster, ...]:
    """The clusters of all clients with this scope that follow these rules."""
    seen = scope_of(db, scope)
    rules = ClientRules(db, client)
    found: list[OutboundCluster] = []
    for host, key in seen.services.items():
        clusters = service_clusters(db, key, rules.of(host, key.namespace), is_gateway)
        if seen.ports:
            found.extend(cluster for cluster in clusters if seen.sees_port(key, cluster.port))
        else:
            found.extend(clusters)
    return tuple(found)


@query
def service_clusters(db: Reader, key: ServiceKey, rules: Rules, is_gateway: bool) -> tuple[OutboundCluster, ...]:
    """The clusters of one service for all clients that follow these rules.

    Stays the same when rules change otherwise than in their subsets' names and labels.
    """
    found = service(db, key)
    if found is None or found.resolution is Resolution.ALIAS:
        return ()
    rule = merged_rule(db, rules) if rules else None
    subsets: list[tuple[str, Labels]] = [("", ())]
    if rule is not None:
        subsets += [(subset.name, tuple(sorted(subset.labels.items()))) for subset in rule.subsets]
    general = discovery_of(found.resolution, None, is_gateway)
    varies = rule is not None and general is not Discovery.ORIGINAL_DST and _passes_through(rule)
    clusters: list[OutboundCluster] = []
    for port in found.ports:
        if port.protocol is Protocol.UDP:
            continue
        number = port.port
        for subset, labels in subsets:
            discovery = general
            if varies and rule is not None:
                discovery = discovery_of(found.resolution, policy_of(rule, number, subset), is_gateway)
            name = outbound_cluster(number, subset, key.hostname)
            clusters.append(OutboundCluster(name, key, number, subset, labels, rules, discovery))
    return tuple(clusters)


def _passes_through(rule: MergedRule) -> bool:
    """Whether a rule sends anything to where it was going anyway, whatever the service's endpoints are."""
    for policy in (rule.policy, *[subset.traffic_policy for subset in rule.subsets]):
        if policy is None:
            continue
        balancers = (policy.load_balancer, *[port.load_balancer for port in policy.port_level_settings])
        if any(balancer is not None and balancer.simple is SimpleLB.PASSTHROUGH for balancer in balancers):
            return True
    return False


def discovery_of(resolution: Resolution, policy: TrafficPolicy | None, is_gateway: bool) -> Discovery:
    """How a cluster of a service comes to its endpoints under a policy."""
    balancer = policy.load_balancer if policy is not None else None
    if balancer is not None and balancer.simple is SimpleLB.PASSTHROUGH:
        return Discovery.ORIGINAL_DST
    match resolution:
        case Resolution.DNS:
            return Discovery.STRICT_DNS
        case Resolution.DNS_ROUND_ROBIN:
            return Discovery.LOGICAL_DNS
        case Resolution.DYNAMIC_DNS:
            return Discovery.DYNAMIC_FORWARD_PROXY
        case Resolution.PASSTHROUGH if not is_gateway:
            # Nothing is captured at a gateway: there is no original destination, so it balances over the endpoints.
            return Discovery.ORIGINAL_DST
    return Discovery.EDS
