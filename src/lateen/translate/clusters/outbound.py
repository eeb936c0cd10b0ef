"""Clusters of services, as sidecars and gateways send to them."""

from __future__ import annotations

import msgspec

from lateen.api.objects import Key, ObjectRef
from lateen.engine import Reader, query
from lateen.model.client_secrets import ORIGINATED
from lateen.model.destination_rules import RuleClient, merged_rule, rule_client
from lateen.model.fault import ConfigError
from lateen.model.outbound_clusters import Discovery, OutboundCluster, clusters_in_scope
from lateen.model.proxy import Certificates, ClientView, GatewayView, OutboundView
from lateen.model.scope import ScopeKey, scope_key
from lateen.model.selecting_labels import priority_labels
from lateen.model.service import Service, ServicePort
from lateen.model.services import service
from lateen.model.traffic_policy import NO_POLICY, effective_policy, policy_of
from lateen.translate.clusters import fixed
from lateen.translate.clusters.dns import AddressFamilies, families_of, resolution
from lateen.translate.clusters.mesh_defaults import mesh_defaults
from lateen.translate.clusters.settings import settings_of, shape_of, version_of
from lateen.translate.clusters.stat_names import stat_name
from lateen.translate.clusters.upstream_socket import Upstream, upstream_sockets
from lateen.translate.endpoints.assignments import Client, client_of
from lateen.translate.endpoints.spread import Place, place_of
from lateen.translate.metadata import ServiceName, cluster_metadata
from lateen.translate.resource import Recipe, Resource, resource_of_bytes
from lateen.translate.tls.upstream import verifies_authority
from lateen.translate.wire import embedded, text

_RESOLVED = frozenset({Discovery.STRICT_DNS, Discovery.LOGICAL_DNS, Discovery.DYNAMIC_FORWARD_PROXY})


class ClientTraits(msgspec.Struct, frozen=True):
    """What about a client changes the form of the clusters it is sent."""

    is_gateway: bool = False
    certificates: Certificates = Certificates()


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
    return resource_of_bytes(each.name, _cluster(db, each, traits))


@query
def resolved_cluster(
    db: Reader, each: OutboundCluster, traits: ClientTraits, families: AddressFamilies, client: Client
) -> Resource:
    """One cluster with the names that the proxy resolves."""
    tls = effective_policy(db, each.rules, each.port, each.subset).tls
    verifies_names = tls is not None and tls.mode in ORIGINATED and verifies_authority(tls)
    names = resolution(db, each, families, client, verifies_names=verifies_names)
    return resource_of_bytes(each.name, _cluster(db, each, traits) + names)


def _cluster(db: Reader, each: OutboundCluster, traits: ClientTraits) -> bytes:
    found, port = declared(db, each)
    rule = merged_rule(db, each.rules) if each.rules else None
    policy = policy_of(rule, each.port, each.subset) if rule is not None else NO_POLICY
    shape = shape_of(found, port, each.discovery, traits.is_gateway)
    upstream = Upstream(
        service=found,
        port=each.port,
        subset=each.subset,
        protocol=port.protocol,
        version=version_of(db, policy, shape),
        discovery=each.discovery,
        certificates=traits.certificates,
        may_use_credentials=traits.is_gateway or (rule is not None and rule.has_selector),
    )
    sockets = upstream_sockets(db, upstream, policy.tls, policy.proxy_protocol)
    pattern = mesh_defaults(db).outbound_stat_name
    statistics = stat_name(pattern, each.name, found, port, subset=each.subset)
    return b"".join((naming(each, found, each.name, statistics), settings_of(db, each, shape), sockets))


def declared(db: Reader, each: OutboundCluster) -> tuple[Service, ServicePort]:
    """The service and port of a cluster."""
    found = service(db, each.service)
    port = found.port(each.port) if found is not None else None
    if found is None or port is None:
        # Only when asked for out of turn: whoever lists clusters sees the service gone first.
        source = ObjectRef("Service", Key(each.service.namespace, each.service.hostname))
        raise ConfigError(source, "spec.ports", f"there is no port {each.port} for {each.name}")
    return found, port


def naming(each: OutboundCluster, service_: Service, name: str, statistics: str) -> bytes:
    """The fields of a `Cluster` that are its own."""
    config = ObjectRef("DestinationRule", each.rules[0]) if each.rules else None
    metadata = cluster_metadata(
        (ServiceName(service_.hostname, service_.name, service_.namespace),),
        config=config,
        subset=each.subset,
        port=each.port,
        external=service_.mesh_external,
    )
    # The load assignment is found by the outbound cluster's name.
    assignment = embedded(3, text(2, each.name)) if each.discovery is Discovery.EDS else b""
    return text(1, name) + text(28, statistics) + assignment + embedded(25, metadata)
