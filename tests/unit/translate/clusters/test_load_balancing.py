from __future__ import annotations

from typing import Any

import pytest

from lateen.testing.outbound_clusters import DISTRIBUTE, FAILOVER, OUTLIERS, cluster


@pytest.mark.parametrize(
    ("balancer", "expected"),
    [
        ({"simple": "UNSPECIFIED"}, {"lb_policy": "LEAST_REQUEST"}),
        ({"simple": "LEAST_CONN"}, {"lb_policy": "LEAST_REQUEST"}),
        ({"simple": "LEAST_REQUEST"}, {"lb_policy": "LEAST_REQUEST"}),
        ({"simple": "RANDOM"}, {"lb_policy": "RANDOM"}),
        ({"simple": "ROUND_ROBIN"}, {}),
        (
            {"simple": "ROUND_ROBIN", "warmup": {"duration": "5s"}},
            {
                "round_robin_lb_config": {
                    "slow_start_config": {
                        "slow_start_window": "5s",
                        "aggression": {"default_value": 1.0, "runtime_key": "("},
                        "min_weight_percent": {"value": 10.0},
                    }
                }
            },
        ),
        (
            {"warmupDurationSecs": "5s"},
            {
                "lb_policy": "LEAST_REQUEST",
                "least_request_lb_config": {"slow_start_config": {"slow_start_window": "5s"}},
            },
        ),
        (
            {"consistentHash": {"useSourceIp": True}},
            {"lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": "1024"}},
        ),
        (
            {"consistentHash": {"httpHeaderName": "a", "ringHash": {"minimumRingSize": 7}}},
            {"lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": "7"}},
        ),
        (
            {"consistentHash": {"httpHeaderName": "a", "maglev": {"tableSize": 7}}},
            {"lb_policy": "MAGLEV", "maglev_lb_config": {"table_size": "7"}},
        ),
    ],
)
def test_how_endpoints_are_chosen(balancer: dict[str, Any], expected: dict[str, Any]) -> None:
    found = cluster({"loadBalancer": balancer})
    assert {name: value for name, value in found.items() if name.startswith("lb_") or "lb_config" in name} == {
        "common_lb_config": {},
        **expected,
    }


def test_passthrough_goes_where_the_client_went() -> None:
    found = cluster({"loadBalancer": {"simple": "PASSTHROUGH"}})
    assert (found["type"], found["lb_policy"]) == ("ORIGINAL_DST", "CLUSTER_PROVIDED")
    assert "eds_cluster_config" not in found


@pytest.mark.parametrize(
    ("policy", "mesh_config", "weighted"),
    [
        ({"loadBalancer": DISTRIBUTE}, "", True),
        ({"loadBalancer": FAILOVER}, "", False),
        ({"loadBalancer": FAILOVER, "outlierDetection": OUTLIERS}, "", True),
        ({"outlierDetection": OUTLIERS}, "", False),
        ({"outlierDetection": OUTLIERS}, "localityLbSetting: {enabled: true, failover: [{from: a, to: b}]}", True),
        ({"outlierDetection": OUTLIERS}, "localityLbSetting: {enabled: false, failover: [{from: a, to: b}]}", False),
        # It is on unless it is turned off.
        ({"outlierDetection": OUTLIERS}, "localityLbSetting: {failover: [{from: a, to: b}]}", True),
        ({"outlierDetection": OUTLIERS}, "localityLbSetting: {distribute: [{from: a/*, to: {a: 100}}]}", True),
        (
            {"loadBalancer": {"localityLbSetting": {"enabled": False}}, "outlierDetection": OUTLIERS},
            "localityLbSetting: {enabled: true, failover: [{from: a, to: b}]}",
            False,
        ),
    ],
)
def test_localities_are_weighed_where_a_rule_is_about_them(
    policy: dict[str, Any], mesh_config: str, weighted: bool
) -> None:
    common = cluster(policy, mesh_config=mesh_config)["common_lb_config"]
    assert ("locality_weighted_lb_config" in common) is weighted
