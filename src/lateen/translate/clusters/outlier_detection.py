"""Outlier detection: endpoints that fail are left out for a while."""

from __future__ import annotations

from typing import Any

from lateen.api.networking.destination_rule import OutlierDetection

_ALWAYS = 100


def apply_outlier_detection(cluster: Any, outliers: OutlierDetection) -> None:
    """Sets outlier detection of a `Cluster` and its panic threshold (0 unless asked for: services have few endpoints).

    Endpoints are judged by failures in a row alone, never by their success rate.
    """
    found = cluster.outlier_detection
    found.enforcing_success_rate.value = 0
    if outliers.consecutive_5xx_errors is not None:
        found.consecutive_5xx.value = outliers.consecutive_5xx_errors
        found.enforcing_consecutive_5xx.value = _enforced(outliers.consecutive_5xx_errors)
    if outliers.consecutive_gateway_errors is not None:
        found.consecutive_gateway_failure.value = outliers.consecutive_gateway_errors
        found.enforcing_consecutive_gateway_failure.value = _enforced(outliers.consecutive_gateway_errors)
    if outliers.interval is not None:
        found.interval.FromNanoseconds(outliers.interval.nanoseconds)
    if outliers.base_ejection_time is not None:
        found.base_ejection_time.FromNanoseconds(outliers.base_ejection_time.nanoseconds)
    if outliers.max_ejection_percent > 0:
        found.max_ejection_percent.value = outliers.max_ejection_percent
    if outliers.split_external_local_origin_errors:
        found.split_external_local_origin_errors = True
        if outliers.consecutive_local_origin_failures:
            found.consecutive_local_origin_failure.value = outliers.consecutive_local_origin_failures
            found.enforcing_consecutive_local_origin_failure.value = _ALWAYS
        found.enforcing_local_origin_success_rate.value = 0
    cluster.common_lb_config.healthy_panic_threshold.value = outliers.min_health_percent


def _enforced(count: int) -> int:
    return _ALWAYS if count else 0
