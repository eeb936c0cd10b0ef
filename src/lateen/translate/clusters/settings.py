"""What a policy makes of a cluster: pools, HTTP, outlier detection, load balancing. Names and sockets come elsewhere.

Most clusters of a mesh have the same settings as others, be it because there is no rule, because their subset has no
policy of its own, or because rules say the same. They are serialised once: all that decides on them is the argument.
"""

from __future__ import annotations

from typing import Final

import msgspec
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import config_source_pb2, health_check_pb2

from lateen.api.networking.destination_rule import (
    ConnectionPoolSettings,
    LoadBalancerSettings,
    OutlierDetection,
    RetryBudget,
    TrafficPolicy,
)
from lateen.engine import Reader, query
from lateen.model.outbound_clusters import Discovery
from lateen.model.service import Service
from lateen.translate.clusters.connection_pool import (
    NO_CHECKS,
    AuthorityChecks,
    HttpVersion,
    apply_connection_pool,
    apply_http_options,
    authority_checks,
)
from lateen.translate.clusters.load_balancing import apply_load_balancing, apply_locality_weights, weighs_localities
from lateen.translate.clusters.mesh_defaults import MeshDefaults, mesh_defaults
from lateen.translate.clusters.outlier_detection import apply_outlier_detection

_SESSION_LABELS: Final = frozenset({"istio.io/persistent-session", "istio.io/persistent-session-header"})
_SESSION_STATES: Final = (
    health_check_pb2.HealthStatus.UNKNOWN,
    health_check_pb2.HealthStatus.HEALTHY,
    health_check_pb2.HealthStatus.DRAINING,
    health_check_pb2.HealthStatus.DEGRADED,
)
_WITHOUT_BALANCING: Final = frozenset({Discovery.ORIGINAL_DST, Discovery.DYNAMIC_FORWARD_PROXY})

_Cluster = cluster_pb2.Cluster


class Settings(msgspec.Struct, frozen=True):
    """All that decides on a cluster's settings. What makes no difference is left out."""

    discovery: Discovery
    version: HttpVersion
    pool: ConnectionPoolSettings | None = None
    retry_budget: RetryBudget | None = None
    outliers: OutlierDetection | None = None
    balancer: LoadBalancerSettings | None = None
    """Without its locality settings: a part of them is in `weighs_localities`, the rest is the load assignment's."""
    weighs_localities: bool = False
    keeps_sessions: bool = False
    """Sessions stay with endpoints that are being drained."""
    authority: AuthorityChecks = NO_CHECKS


def keeps_sessions(service: Service) -> bool:
    """Whether sessions of a service are to stay with endpoints that are being drained."""
    return any(name in _SESSION_LABELS for name, _ in service.labels)


def settings_of(
    mesh: MeshDefaults, policy: TrafficPolicy, service: Service, discovery: Discovery, version: HttpVersion
) -> Settings:
    """What decides on the settings of a service's cluster under a policy."""
    balancer: LoadBalancerSettings | None = None
    weighs = False
    if discovery not in _WITHOUT_BALANCING:
        balancer = policy.load_balancer
        weighs = weighs_localities(
            balancer,
            mesh.locality,
            detects_outliers=policy.outlier_detection is not None,
            prefers_close=bool(service.traffic_distribution),
        )
        if balancer is not None and balancer.locality_lb_setting is not None:
            balancer = msgspec.structs.replace(balancer, locality_lb_setting=None)
    return Settings(
        discovery,
        version,
        policy.connection_pool,
        policy.retry_budget,
        policy.outlier_detection,
        balancer,
        weighs,
        bool(service.labels) and keeps_sessions(service),
        authority_checks(policy.tls),
    )


@query
def settings(db: Reader, given: Settings) -> bytes:
    """A `Cluster` without name, metadata and sockets, serialised."""
    cluster = _Cluster()
    apply_connection_pool(cluster, given.pool, mesh_defaults(db), given.retry_budget)
    apply_http_options(cluster, given.version, given.pool, given.authority)
    cluster.common_lb_config.SetInParent()
    if given.outliers is not None:
        apply_outlier_detection(cluster, given.outliers)
    if given.discovery in _WITHOUT_BALANCING:
        cluster.lb_policy = _Cluster.CLUSTER_PROVIDED
    else:
        apply_load_balancing(cluster, given.balancer)
        if given.weighs_localities:
            apply_locality_weights(cluster)
    if given.keeps_sessions:
        cluster.common_lb_config.override_host_status.statuses.extend(_SESSION_STATES)
    return _DISCOVERED[given.discovery] + bytes(cluster.SerializeToString(deterministic=True))


@query
def refusing_settings(db: Reader) -> bytes:
    """A `Cluster` that no connection can be made to, for it has no endpoints; without its name and metadata."""
    cluster = _Cluster(type=_Cluster.STATIC)
    cluster.connect_timeout.FromNanoseconds(mesh_defaults(db).connect_timeout.nanoseconds)
    return bytes(cluster.SerializeToString(deterministic=True))


def _discovered(discovery: Discovery) -> bytes:
    """The fields of a `Cluster` that say where endpoints come from, but for names."""
    cluster = _Cluster()
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
    return bytes(cluster.SerializeToString(deterministic=True))


_DISCOVERED: Final = {discovery: _discovered(discovery) for discovery in Discovery}
