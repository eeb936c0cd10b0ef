"""What a policy makes of a cluster: pools, HTTP, outlier detection, load balancing. Names and sockets come elsewhere.

Most clusters of a mesh have the same as others: those without a rule, and subsets without a policy of their own. They
are serialised once.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import config_source_pb2, health_check_pb2

from lateen.api.networking.destination_rule import TrafficPolicy
from lateen.engine import Reader, query
from lateen.model.destination_rules import Rules, merged_rule
from lateen.model.outbound_clusters import Discovery, OutboundCluster
from lateen.model.protocol import Protocol
from lateen.model.service import Service, ServicePort
from lateen.model.traffic_policy import effective_policy, narrowed
from lateen.translate.clusters.connection_pool import (
    HttpVersion,
    apply_connection_pool,
    apply_http_options,
    http_version,
)
from lateen.translate.clusters.load_balancing import apply_load_balancing, apply_locality_weights, weighs_localities
from lateen.translate.clusters.mesh_defaults import mesh_defaults
from lateen.translate.clusters.outlier_detection import apply_outlier_detection

_SESSION_LABELS: Final = frozenset({"istio.io/persistent-session", "istio.io/persistent-session-header"})
_SESSION_STATES: Final = (
    health_check_pb2.HealthStatus.UNKNOWN,
    health_check_pb2.HealthStatus.HEALTHY,
    health_check_pb2.HealthStatus.DRAINING,
    health_check_pb2.HealthStatus.DEGRADED,
)

_Cluster = cluster_pb2.Cluster


class Shape(msgspec.Struct, frozen=True):
    """What of a cluster decides on its settings, beside the policy."""

    protocol: Protocol
    discovery: Discovery
    is_gateway: bool
    """Of the client."""
    prefers_close: bool = False
    """The service's traffic distribution."""
    keeps_sessions: bool = False
    """Sessions stay with endpoints that are being drained."""


def shape_of(service: Service, port: ServicePort, discovery: Discovery, is_gateway: bool) -> Shape:
    keeps_sessions = any(name in _SESSION_LABELS for name, _ in service.labels)
    return Shape(port.protocol, discovery, is_gateway, bool(service.traffic_distribution), keeps_sessions)


def version_of(db: Reader, policy: TrafficPolicy, shape: Shape) -> HttpVersion:
    """The HTTP that a cluster of this shape speaks under a policy."""
    return http_version(
        shape.protocol,
        policy.connection_pool,
        mesh_upgrades=mesh_defaults(db).upgrades_to_http2,
        is_gateway=shape.is_gateway,
    )


def settings_of(db: Reader, each: OutboundCluster, shape: Shape) -> bytes:
    """A `Cluster` without name, metadata and sockets, serialised."""
    if not each.rules:
        return rule_settings(db, (), 0, "", shape)
    port, subset = narrowed(merged_rule(db, each.rules), each.port, each.subset)
    return rule_settings(db, each.rules, port, subset, shape)


@query
def rule_settings(db: Reader, rules: Rules, port: int, subset: str, shape: Shape) -> bytes:
    """What rules make of clusters of a shape."""
    return _settings(db, effective_policy(db, rules, port, subset), shape)


def _settings(db: Reader, policy: TrafficPolicy, shape: Shape) -> bytes:
    mesh = mesh_defaults(db)
    cluster = _Cluster()
    _apply_discovery(cluster, shape.discovery)
    apply_connection_pool(cluster, policy.connection_pool, mesh, policy.retry_budget)
    apply_http_options(cluster, version_of(db, policy, shape), policy.connection_pool, policy.tls)
    cluster.common_lb_config.SetInParent()
    if policy.outlier_detection is not None:
        apply_outlier_detection(cluster, policy.outlier_detection)
    if shape.discovery in (Discovery.ORIGINAL_DST, Discovery.DYNAMIC_FORWARD_PROXY):
        cluster.lb_policy = _Cluster.CLUSTER_PROVIDED
    else:
        apply_load_balancing(cluster, policy.load_balancer)
        if weighs_localities(
            policy.load_balancer,
            mesh.locality,
            detects_outliers=policy.outlier_detection is not None,
            prefers_close=shape.prefers_close,
        ):
            apply_locality_weights(cluster)
    if shape.keeps_sessions:
        cluster.common_lb_config.override_host_status.statuses.extend(_SESSION_STATES)
    return bytes(cluster.SerializeToString(deterministic=True))


def _apply_discovery(cluster: Any, discovery: Discovery) -> None:
    match discovery:
        case Discovery.EDS:
            cluster.type = _Cluster.EDS
            source = cluster.eds_cluster_config.eds_config
            source.ads.SetInParent()
            # No limit: a cluster without its endpoints would answer with errors.
            source.initial_fetch_timeout.SetInParent()
            source.resource_api_version = config_source_pb2.ApiVersion.V3
        case Discovery.STRICT_DNS:
            cluster.type = _Cluster.STRICT_DNS
        case Discovery.LOGICAL_DNS:
            cluster.type = _Cluster.LOGICAL_DNS
        case Discovery.ORIGINAL_DST:
            cluster.type = _Cluster.ORIGINAL_DST
