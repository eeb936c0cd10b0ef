"""Load assignments: the endpoints of each EDS cluster.

What is the client's own is resolved by the listing into small arguments, and only where it makes a difference, so that
nearly always all clients of the mesh share one assignment of a cluster. A change of endpoints recomputes assignments
alone: no listing reads endpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lateen.api.networking.destination_rule import LocalityLoadBalancerSetting, TrafficPolicy
from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.destination_rules import ClientRules, MergedRule, RuleClient, Rules, merged_rule, rule_client
from lateen.model.endpoint import Endpoint, Health
from lateen.model.endpoints import endpoints, matching
from lateen.model.inputs import DOMAIN, MESH_CONFIG
from lateen.model.networks import network_gateways
from lateen.model.outbound_clusters import OutboundCluster, service_clusters
from lateen.model.proxy import ClientView, GatewayView, Labels
from lateen.model.scope import ScopeKey, scope_key, scope_of
from lateen.model.selecting_labels import priority_labels
from lateen.model.service import Service, ServiceKey
from lateen.model.services import service
from lateen.model.traffic_policy import policy_of
from lateen.translate.endpoints.groups import grouped, placed
from lateen.translate.endpoints.prepared import NOTHING, prepared, selects_by_place
from lateen.translate.endpoints.remote import through_gateways, weigh
from lateen.translate.endpoints.spread import Place, Spread, place_of, spread_of
from lateen.translate.endpoints.wire_form import assignment, joined
from lateen.translate.resource import Recipe, Resource, resource_of_bytes

PERSISTENT_SESSION_LABEL = "istio.io/persistent-session"
"""On a Service: sessions stick to an endpoint while it drains."""


class Client(NamedTuple):
    """What of a client makes a difference to the endpoints it gets of one cluster; mostly nothing."""

    network: str = ""
    """Its network, where the mesh has gateways between networks."""
    cluster: str = ""
    """Its Kubernetes cluster, for services that are local to clusters."""
    node: str = ""
    """Its node, for services that are local to nodes; `-` when it is on none."""
    spread: Spread | None = None
    """How it prefers near endpoints."""
    draining: bool = False
    """Endpoints that drain are kept for the sessions that stick to them."""
    mutual_tls: bool = False
    """Only for endpoints that take the mesh's TLS."""


EVERYBODY = Client()
NO_RULE = MergedRule()


def listing(db: Reader, view: ClientView) -> tuple[Recipe, ...]:
    """The assignments of all EDS clusters of a view."""
    place = place_of(view, priority_labels(db))
    rules = rule_client(db, view.namespace, view.labels)
    return listed(db, scope_key(db, view), rules, isinstance(view, GatewayView), place)


@query
def listed(db: Reader, scope: ScopeKey, rules: RuleClient, is_gateway: bool, place: Place) -> tuple[Recipe, ...]:
    """The assignments for all clients with this scope that follow these rules from this place."""
    seen = scope_of(db, scope)
    followed = ClientRules(db, rules)
    found: list[Recipe] = []
    for host, key in seen.services.items():
        recipes = recipes_of(db, key, followed.of(host, key.namespace), is_gateway, place)
        found += [recipe for port, recipe in recipes if not seen.ports or seen.sees_port(key, port)]
    return tuple(found)


@query
def recipes_of(
    db: Reader, key: ServiceKey, rules: Rules, is_gateway: bool, place: Place
) -> tuple[tuple[int, Recipe], ...]:
    """The assignments of one service, with its ports, for all clients that follow these rules from this place."""
    found = service(db, key)
    if found is None:
        return ()
    client = client_at(db, found, place)
    varies = _spreads(found, merged_rule(db, rules) if rules else NO_RULE, MESH_CONFIG.get(db).locality_lb_setting)
    recipes: list[tuple[int, Recipe]] = []
    for each in service_clusters(db, key, rules, is_gateway):
        if not each.is_eds:
            continue
        own = client_of(db, found, each, place) if varies else client
        args = (each.name, key, each.port, each.subset_labels, own)
        recipes.append((each.port, Recipe(each.name, load_assignment, args)))
    return tuple(recipes)


def client_of(db: Reader, found: Service, cluster: OutboundCluster, place: Place) -> Client:
    """What of clients at a place makes a difference to one cluster of a service."""
    policy = policy_of(merged_rule(db, cluster.rules), cluster.port, cluster.subset) if cluster.rules else None
    spread = spread_of(place, found, policy, MESH_CONFIG.get(db).locality_lb_setting)
    return client_at(db, found, place)._replace(spread=spread)


def client_at(db: Reader, found: Service, place: Place) -> Client:
    """What of clients at a place makes a difference to every cluster of a service."""
    return Client(
        network=place.network if network_gateways(db) else "",
        cluster=place.cluster if cluster_local(db, found.hostname) else "",
        node=(place.node or "-") if found.node_local else "",
        draining=any(name == PERSISTENT_SESSION_LABEL for name, _ in found.labels),
    )


def _spreads(found: Service, rule: MergedRule, mesh: LocalityLoadBalancerSetting | None) -> bool:
    """Whether `spread_of` may come to anything for some cluster of a service."""
    if found.traffic_distribution or (mesh is not None and mesh.distribute):
        return True
    policies = (rule.policy, *[subset.traffic_policy for subset in rule.subsets])
    return any(policy is not None and _says_of_places(policy) for policy in policies)


def _says_of_places(policy: TrafficPolicy) -> bool:
    balancers = [policy.load_balancer]
    outliers = [policy.outlier_detection]
    for port in policy.port_level_settings:
        balancers.append(port.load_balancer)
        outliers.append(port.outlier_detection)
    return any(each is not None for each in outliers) or any(
        each is not None and each.locality_lb_setting is not None for each in balancers
    )


@query
def load_assignment(db: Reader, name: str, key: ServiceKey, port: int, subset: Labels, client: Client) -> Resource:
    """The endpoints of a cluster for all clients of which nothing else makes a difference."""
    return resource_of_bytes(name, assignment_bytes(db, name, key, port, subset, client))


def assignment_bytes(
    db: Reader, name: str, key: ServiceKey, port: int, subset: Labels, client: Client = EVERYBODY
) -> bytes:
    """A serialised ClusterLoadAssignment; clusters that hold theirs inline (DNS) take it as well."""
    spread = client.spread
    if _alike(client) and not selects_by_place(subset):
        return joined(name, placed(prepared(db, key).get(port, NOTHING).groups(subset), spread))
    chosen = tuple(each for each in matching(endpoints(db, key, port), subset) if _is_for(each, client))
    if client.network:
        members = through_gateways(chosen, client.network, network_gateways(db))
    else:
        members = weigh(chosen)
    return assignment(name, grouped(members, spread))


def _alike(client: Client) -> bool:
    """Whether a client goes by the places of endpoints at most: then what is prepared for all clients will do."""
    network, cluster, node, spread, draining, mutual_tls = client
    return not (network or cluster or node or draining or mutual_tls or (spread is not None and spread.priorities))


def _is_for(endpoint: Endpoint, client: Client) -> bool:
    if endpoint.health is not Health.HEALTHY and not (client.draining and endpoint.health is Health.DRAINING):
        return False
    if client.cluster and endpoint.cluster_id != client.cluster:
        return False
    if client.mutual_tls and not endpoint.mutual_tls:
        return False
    return not client.node or endpoint.node == client.node


def cluster_local(db: Reader, hostname: str) -> bool:
    """Whether clients use endpoints of their own cluster alone: by MeshConfig.serviceSettings, of which the closest
    host counts, and for what every cluster has of its own (`kubernetes.default`, all of `kube-system`)."""
    settings = _cluster_local_hosts(db)
    closest = hosts.closest(hostname, settings)
    return closest is not None and settings[closest]


@query
def _cluster_local_hosts(db: Reader) -> Mapping[str, bool]:
    domain = DOMAIN.get(db)
    settings = {f"kubernetes.default.svc.{domain}": True, f"*.kube-system.svc.{domain}": True}
    for each in MESH_CONFIG.get(db).service_settings:
        for host in each.hosts:
            settings[host] = each.settings is not None and each.settings.cluster_local
    return settings
