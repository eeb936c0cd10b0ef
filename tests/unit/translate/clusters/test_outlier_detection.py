from __future__ import annotations

from typing import Any

import pytest

from lateen.testing.outbound_clusters import cluster


@pytest.mark.parametrize(
    ("outliers", "expected", "panic"),
    [
        ({}, {}, 0),
        ({"minHealthPercent": 30}, {}, 30),
        ({"consecutive5xxErrors": 3}, {"consecutive_5xx": 3, "enforcing_consecutive_5xx": 100}, 0),
        ({"consecutive5xxErrors": 0}, {"consecutive_5xx": 0, "enforcing_consecutive_5xx": 0}, 0),
        (
            {"consecutiveGatewayErrors": 2},
            {"consecutive_gateway_failure": 2, "enforcing_consecutive_gateway_failure": 100},
            0,
        ),
        (
            {"interval": "1s", "baseEjectionTime": "2s", "maxEjectionPercent": 50},
            {"interval": "1s", "base_ejection_time": "2s", "max_ejection_percent": 50},
            0,
        ),
        (
            {"splitExternalLocalOriginErrors": True, "consecutiveLocalOriginFailures": 4},
            {
                "split_external_local_origin_errors": True,
                "consecutive_local_origin_failure": 4,
                "enforcing_consecutive_local_origin_failure": 100,
                "enforcing_local_origin_success_rate": 0,
            },
            0,
        ),
    ],
)
def test_when_endpoints_are_left_out(outliers: dict[str, Any], expected: dict[str, Any], panic: float) -> None:
    found = cluster({"outlierDetection": outliers})
    assert found["outlier_detection"] == {"enforcing_success_rate": 0, **expected}
    assert found["common_lb_config"]["healthy_panic_threshold"].get("value", 0) == panic
