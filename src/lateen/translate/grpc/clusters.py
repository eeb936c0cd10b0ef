"""The clusters of gRPC clients."""

from __future__ import annotations

from typing import Any, Final

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import config_source_pb2
from envoy.extensions.load_balancing_policies.least_request.v3 import least_request_pb2
from envoy.extensions.load_balancing_policies.round_robin.v3 import round_robin_pb2
from envoy.extensions.load_balancing_policies.wrr_locality.v3 import wrr_locality_pb2

from lateen.api.networking.destination_rule import ClientTLSSettings, LoadBalancerSettings, SimpleLB
from lateen.engine import Reader, query
from lateen.model.destination_rules import rule_client
from lateen.model.names import BLACK_HOLE_CLUSTER, sni_dnat_cluster
from lateen.model.networks import network_gateways
from lateen.model.outbound_clusters import OutboundCluster, clusters_in_scope
from lateen.model.proxy import GrpcClientView
from lateen.model.scope import scope_key
from lateen.model.traffic_policy import effective_policy
from lateen.translate.clusters.connection_pool import NO_LIMIT
from lateen.translate.grpc.security import Security, security_of, set_client_tls
from lateen.translate.resource import Recipe, Resource, resource

_LEAST_REQUEST: Final = frozenset({SimpleLB.LEAST_REQUEST, SimpleLB.LEAST_CONN})
_RING_SIZE: Final = 1024
_Cluster = cluster_pb2.Cluster


@query
def listing(db: Reader, view: GrpcClientView) -> tuple[Recipe, ...]:
    """Every cluster that a sidecar would have, and the one for destinations that are not there."""
    sidecar = view.sidecar
    found = clusters_in_scope(db, scope_key(db, sidecar), rule_client(db, sidecar.namespace, sidecar.labels), False)
    has_identity = sidecar.traits.certificates is not None
    recipes = [Recipe(each.name, cluster, (each, has_identity)) for each in found]
    return (*recipes, Recipe(BLACK_HOLE_CLUSTER, black_hole, ()))


@query
def cluster(db: Reader, each: OutboundCluster, has_identity: bool) -> Resource:
    """One cluster."""
    policy = effective_policy(db, each.rules, each.port, each.subset)
    message = _eds(each.name)
    if policy.load_balancer is not None:
        _set_load_balancing(message, policy.load_balancer)
    http = policy.connection_pool.http if policy.connection_pool is not None else None
    # Unless it is told otherwise gRPC has 1,024 requests at a time.
    most = http.http2_max_requests if http is not None else 0
    message.circuit_breakers.thresholds.add().max_requests.value = most or NO_LIMIT
    if security_of(db, each, has_identity) is Security.MESH:
        tls = policy.tls or ClientTLSSettings()
        set_client_tls(message, db, each.service, tls.sni or _way(db, each), tls.subject_alt_names)
    return resource(each.name, message)


def _way(db: Reader, each: OutboundCluster) -> str:
    """The server name by which gateways between networks find a cluster. Where there are none it is left out: servers
    of gRPC complain of names that they do not know."""
    return sni_dnat_cluster(each.port, each.subset, each.service.hostname) if network_gateways(db) else ""


@query
def black_hole(db: Reader) -> Resource:
    """Where requests go whose destination the client does not have: nowhere, and at once. For a cluster that is not
    there gRPC would wait."""
    return resource(BLACK_HOLE_CLUSTER, _eds(BLACK_HOLE_CLUSTER))


def _eds(name: str) -> Any:
    message = _Cluster(name=name, type=_Cluster.EDS, lb_policy=_Cluster.ROUND_ROBIN)
    message.eds_cluster_config.service_name = name
    message.eds_cluster_config.eds_config.ads.SetInParent()
    message.eds_cluster_config.eds_config.resource_api_version = config_source_pb2.ApiVersion.V3
    return message


def _set_load_balancing(message: Any, settings: LoadBalancerSettings) -> None:
    """By turns, where gRPC has nothing of what is asked for."""
    hashing = settings.consistent_hash
    if hashing is not None:
        message.lb_policy = _Cluster.RING_HASH
        declared = hashing.ring_hash.minimum_ring_size if hashing.ring_hash is not None else hashing.minimum_ring_size
        message.ring_hash_lb_config.minimum_ring_size.value = declared or _RING_SIZE
    elif settings.simple in _LEAST_REQUEST:
        # Not every gRPC has it: each takes the first of these that it knows.
        locality = wrr_locality_pb2.WrrLocality()
        for policy in (least_request_pb2.LeastRequest(), round_robin_pb2.RoundRobin()):
            config = locality.endpoint_picking_policy.policies.add().typed_extension_config
            config.name = policy.DESCRIPTOR.full_name
            config.typed_config.Pack(policy)
        config = message.load_balancing_policy.policies.add().typed_extension_config
        config.name = locality.DESCRIPTOR.full_name
        config.typed_config.Pack(locality, deterministic=True)
