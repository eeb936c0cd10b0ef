"""Which endpoints get traffic, by a table and by laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.node.network.service_endpoints import Target, choose_targets, count_local_endpoints

READY: dict[str, Any] = {"ready": True}
UNREADY: dict[str, Any] = {"ready": False, "serving": False}
LEAVING: dict[str, Any] = {"ready": False, "serving": True, "terminating": True}
LEFT: dict[str, Any] = {"ready": False, "serving": False, "terminating": True}


def slice_of(*endpoints: tuple[str, str, dict[str, Any]], family: str = "IPv4", **port: Any) -> dict[str, Any]:
    return {
        "addressType": family,
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP", **port}],
        "endpoints": [{"addresses": [a], "nodeName": n, "conditions": c} for a, n, c in endpoints],
    }


@pytest.mark.parametrize(
    ("endpoints", "cluster", "local"),
    [
        ([], "", ""),
        ([("1", "n", READY), ("2", "m", READY)], "12", "1"),
        ([("1", "n", {}), ("2", "n", UNREADY)], "1", "1"),
        ([("1", "n", LEAVING), ("2", "m", READY)], "2", "1"),
        ([("1", "n", LEAVING), ("2", "m", LEAVING), ("3", "m", LEFT)], "12", "1"),
        ([("1", "n", LEAVING), ("2", "n", READY)], "2", "2"),
        ([("1", "m", UNREADY)], "", ""),
    ],
)
def test_who_gets_traffic(endpoints: list[tuple[str, str, dict[str, Any]]], cluster: str, local: str) -> None:
    full = [(f"10.0.0.{address}", node, conditions) for address, node, conditions in endpoints]
    targets = choose_targets([slice_of(*full)], "IPv4", "http", "TCP", "n")
    assert targets.cluster == tuple(Target(f"10.0.0.{c}", 8080) for c in cluster)
    assert targets.local == tuple(Target(f"10.0.0.{c}", 8080) for c in local)


def test_slices_of_other_families_ports_and_protocols_do_not_count() -> None:
    endpoint = ("10.0.0.1", "n", READY)
    others = [
        slice_of(("fd00::1", "n", READY), family="IPv6"),
        slice_of(endpoint, name="metrics"),
        slice_of(endpoint, protocol="UDP"),
        slice_of(endpoint, port=None),
        {"addressType": "FQDN", "endpoints": [{"addresses": ["a.example"]}]},
    ]
    assert choose_targets(others, "IPv4", "http", "TCP", "n").cluster == ()
    unnamed = {"addressType": "IPv4", "ports": [{"port": 1}], "endpoints": [{"addresses": ["10.0.0.1", "10.0.0.2"]}]}
    # No protocol is TCP; of several addresses the first one counts.
    assert choose_targets([unnamed], "IPv4", "", "TCP", "n").cluster == (Target("10.0.0.1", 1),)


ENDPOINTS = st.lists(
    st.tuples(
        st.integers(1, 9).map(lambda n: f"10.0.0.{n}"),
        st.sampled_from(["n", "m"]),
        st.sampled_from([READY, UNREADY, LEAVING, LEFT, {}]),
    ),
    unique_by=lambda endpoint: endpoint[0],
)


@given(ENDPOINTS, st.randoms())
def test_order_and_cut_into_slices_do_not_matter(endpoints: list[tuple[str, str, dict[str, Any]]], random: Any) -> None:
    whole = choose_targets([slice_of(*endpoints)], "IPv4", "http", "TCP", "n")
    random.shuffle(endpoints)
    cut = random.randint(0, len(endpoints))
    parts = [slice_of(*endpoints[:cut]), slice_of(*endpoints[cut:])]
    assert choose_targets(parts, "IPv4", "http", "TCP", "n") == whole
    if any(conditions in (READY, {}) for _, node, conditions in endpoints if node == "n"):
        assert set(whole.local) <= set(whole.cluster)


def test_health_checks_count_an_endpoint_of_both_families_once() -> None:
    ipv4 = slice_of(("10.0.0.1", "n", READY), ("10.0.0.2", "n", LEAVING), ("10.0.0.3", "m", READY))
    ipv6 = slice_of(("fd00::1", "n", READY), family="IPv6")
    assert count_local_endpoints([ipv4, ipv6], "n") == 1
    assert count_local_endpoints([ipv4, slice_of(("10.0.0.4", "n", {}))], "n") == 2
    assert count_local_endpoints([ipv6], "m") == 0
