"""How endpoints are chosen."""

from __future__ import annotations

from typing import Any

from envoy.config.cluster.v3 import cluster_pb2

from lateen.api.networking.destination_rule import (
    ConsistentHashLB,
    LoadBalancerSettings,
    LocalityLoadBalancerSetting,
    SimpleLB,
    WarmupConfiguration,
)
from lateen.api.schema.duration import Duration

_RING_SIZE = 1024
_WARMUP_PERCENT = 10.0
_LINEAR = 1.0
_NO_RUNTIME_KEY = "("
"""Envoy wants the name of a runtime setting; this one nobody can set."""

_Cluster = cluster_pb2.Cluster


def apply_load_balancing(cluster: Any, settings: LoadBalancerSettings | None) -> None:
    """Sets the algorithm of a `Cluster`; for clusters that have endpoints to choose from."""
    settings = settings or LoadBalancerSettings()
    if settings.consistent_hash is not None:
        _apply_hash(cluster, settings.consistent_hash)
    elif settings.simple is SimpleLB.RANDOM:
        cluster.lb_policy = _Cluster.RANDOM
    elif settings.simple is SimpleLB.ROUND_ROBIN:
        cluster.lb_policy = _Cluster.ROUND_ROBIN
        _apply_warmup(cluster.round_robin_lb_config, settings)
    else:
        cluster.lb_policy = _Cluster.LEAST_REQUEST
        _apply_warmup(cluster.least_request_lb_config, settings)


def apply_locality_weights(cluster: Any) -> None:
    """Localities are chosen by the weights in the load assignment."""
    cluster.common_lb_config.locality_weighted_lb_config.SetInParent()


def weighs_localities(
    declared: LoadBalancerSettings | None,
    mesh: LocalityLoadBalancerSetting | None,
    *,
    detects_outliers: bool,
    prefers_close: bool,
) -> bool:
    """Whether localities are to be chosen by weight.

    Only where traffic is distributed or fails over by rule: else it would get in the way of choosing the endpoint with
    the fewest requests. `prefers_close` is the service's traffic distribution, which counts for more than the mesh.
    """
    setting = declared.locality_lb_setting if declared is not None else None
    if setting is None:
        if prefers_close:
            return True
        setting = mesh
    if setting is None or setting.enabled is False:
        return False
    if setting.distribute:
        return True
    return detects_outliers and bool(setting.failover or setting.failover_priority)


def _apply_hash(cluster: Any, hashing: ConsistentHashLB) -> None:
    if hashing.maglev is not None:
        cluster.lb_policy = _Cluster.MAGLEV
        if hashing.maglev.table_size:
            cluster.maglev_lb_config.table_size.value = hashing.maglev.table_size
        return
    cluster.lb_policy = _Cluster.RING_HASH
    declared = hashing.ring_hash.minimum_ring_size if hashing.ring_hash is not None else hashing.minimum_ring_size
    cluster.ring_hash_lb_config.minimum_ring_size.value = declared or _RING_SIZE


def _apply_warmup(config: Any, settings: LoadBalancerSettings) -> None:
    if settings.warmup is not None:
        _apply_slow_start(config.slow_start_config, settings.warmup)
    elif settings.warmup_duration_secs is not None:
        _apply_window(config.slow_start_config, settings.warmup_duration_secs)


def _apply_slow_start(slow_start: Any, warmup: WarmupConfiguration) -> None:
    _apply_window(slow_start, warmup.duration)
    slow_start.aggression.default_value = _LINEAR if warmup.aggression is None else warmup.aggression
    slow_start.aggression.runtime_key = _NO_RUNTIME_KEY
    percent = _WARMUP_PERCENT if warmup.minimum_percent is None else warmup.minimum_percent
    slow_start.min_weight_percent.value = percent


def _apply_window(slow_start: Any, duration: Duration) -> None:
    slow_start.slow_start_window.FromNanoseconds(duration.nanoseconds)
