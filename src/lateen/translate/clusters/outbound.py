"""Clusters of services, as sidecars and gateways send to them."""

from __future__ import annotations

from lateen.engine import Reader, query
from lateen.model.client_secrets import ORIGINATED
from lateen.model.destination_rules import RuleClient, rule_client
from lateen.model.outbound_clusters import Discovery, OutboundCluster, clusters_in_scope
from lateen.model.proxy import ClientView, GatewayView, OutboundView
from lateen.model.scope import ScopeKey, scope_key
from lateen.model.selecting_labels import priority_labels
from lateen.model.traffic_policy import effective_policy
from lateen.translate.clusters import fixed
from lateen.translate.clusters.dns import AddressFamilies, families_of, resolution
from lateen.translate.clusters.naming import declared, undeclared
from lateen.translate.clusters.service_clusters import ClientTraits, service_resources
from lateen.translate.clusters.upstream_socket import refuses
from lateen.translate.endpoints.assignments import Client, client_of
from lateen.translate.endpoints.spread import Place, place_of
from lateen.translate.resource import Recipe, Resource, resource_of_bytes
from lateen.translate.tls.upstream import verifies_authority

_RESOLVED = frozenset({Discovery.STRICT_DNS, Discovery.LOGICAL_DNS, Discovery.DYNAMIC_FORWARD_PROXY})


@query
def listing(db: Reader, view: OutboundView) -> tuple[Recipe, ...]:
    """Every cluster of a sidecar's outbound side. Does not depend on endpoints."""
    return (*service_recipes(db, view), fixed.black_hole_recipe(), fixed.passthrough_recipe())


def service_recipes(db: Reader, view: ClientView) -> tuple[Recipe, ...]:
    """The clusters of the services that a view sees. Views that agree share the listing."""
    scope = scope_key(db, view)
    client = rule_client(db, view.namespace, view.labels)
    traits = ClientTraits(isinstance(view, GatewayView), view.traits.certificates)
    recipes = recipes_in_scope(db, scope, client, traits)
    if not resolved_in_scope(db, scope, client, traits.is_gateway):
        return recipes
    place = place_of(view, priority_labels(db))
    return recipes + resolved_recipes_in_scope(db, scope, client, traits, families_of(view.traits), place)


@query
def recipes_in_scope(db: Reader, scope: ScopeKey, client: RuleClient, traits: ClientTraits) -> tuple[Recipe, ...]:
    """The clusters, but those with names to resolve, of all clients that agree on these."""
    found = clusters_in_scope(db, scope, client, traits.is_gateway)
    return tuple(Recipe(each.name, cluster, (each, traits)) for each in found if each.discovery not in _RESOLVED)


@query
def resolved_in_scope(db: Reader, scope: ScopeKey, client: RuleClient, is_gateway: bool) -> tuple[OutboundCluster, ...]:
    """The clusters with names that the proxy resolves."""
    return tuple(each for each in clusters_in_scope(db, scope, client, is_gateway) if each.discovery in _RESOLVED)


@query
def resolved_recipes_in_scope(
    db: Reader, scope: ScopeKey, client: RuleClient, traits: ClientTraits, families: AddressFamilies, place: Place
) -> tuple[Recipe, ...]:
    """The clusters with names to resolve, of all clients that also agree on where they are."""
    found = resolved_in_scope(db, scope, client, traits.is_gateway)
    return tuple(
        Recipe(each.name, resolved_cluster, (each, traits, families, client_of(db, declared(db, each)[0], each, place)))
        for each in found
    )


@query
def cluster(db: Reader, each: OutboundCluster, traits: ClientTraits) -> Resource:
    """One cluster. Depends on the service, the rules it names, and on who runs the service; not on its endpoints."""
    found = service_resources(db, each.service, each.rules, traits).get(each.name)
    if found is None:
        raise undeclared(each)
    return found


@query
def resolved_cluster(
    db: Reader, each: OutboundCluster, traits: ClientTraits, families: AddressFamilies, client: Client
) -> Resource:
    """One cluster with the names that the proxy resolves."""
    policy = effective_policy(db, each.rules, each.port, each.subset)
    made = cluster(db, each, traits)
    if refuses(policy, traits.certificates):
        return made
    tls = policy.tls
    verifies_names = tls is not None and tls.mode in ORIGINATED and verifies_authority(tls)
    names = resolution(db, each, families, client, verifies_names=verifies_names)
    return resource_of_bytes(each.name, made.body + names)
