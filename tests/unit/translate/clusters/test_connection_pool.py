from __future__ import annotations

from typing import Any

import pytest

from lateen.model.proxy import Role
from lateen.testing.mesh import Mesh
from lateen.testing.outbound_clusters import HOST, REVIEWS, cluster, http_options, message


def test_limits_and_timeouts() -> None:
    pool = {
        "tcp": {"maxConnections": 1, "connectTimeout": "1.5s", "maxConnectionDuration": "2s"},
        "http": {
            "http1MaxPendingRequests": 2,
            "http2MaxRequests": 3,
            "maxRetries": 4,
            "maxRequestsPerConnection": 5,
            "idleTimeout": "6s",
        },
    }
    found = cluster({"connectionPool": pool})
    (limits,) = found["circuit_breakers"]["thresholds"]
    assert [limits[f"max_{name}"] for name in ("connections", "pending_requests", "requests", "retries")] == [
        1,
        2,
        3,
        4,
    ]
    assert found["connect_timeout"] == "1.500s"
    assert http_options(found) == {
        "common_http_protocol_options": {
            "idle_timeout": "6s",
            "max_connection_duration": "2s",
            "max_requests_per_connection": 5,
        },
        "explicit_http_config": {"http_protocol_options": {}},
    }


def test_tcp_idle_timeout_is_for_http_too_unless_http_says_otherwise() -> None:
    common = "common_http_protocol_options"
    tcp = {"tcp": {"idleTimeout": "7s"}}
    assert http_options(cluster({"connectionPool": tcp}))[common] == {"idle_timeout": "7s"}
    both = {**tcp, "http": {"idleTimeout": "8s"}}
    assert http_options(cluster({"connectionPool": both}))[common] == {"idle_timeout": "8s"}


@pytest.mark.parametrize(
    ("budget", "percent", "concurrency"), [({}, 20.0, 3), ({"percent": 0, "minRetryConcurrency": 5}, 0.0, 5)]
)
def test_a_retry_budget(budget: dict[str, Any], percent: float, concurrency: int) -> None:
    (limits,) = cluster({"retryBudget": budget, "tls": {"mode": "DISABLE"}})["circuit_breakers"]["thresholds"]
    assert limits["retry_budget"]["budget_percent"].get("value", 0.0) == percent
    assert limits["retry_budget"]["min_retry_concurrency"] == concurrency


def test_keepalive_of_a_rule_is_set_over_that_of_the_mesh() -> None:
    mesh_config = "tcpKeepalive: {probes: 1, time: 10s}"
    keepalive = {"tcp": {"tcpKeepalive": {"time": "1.2s", "interval": "10ms"}}}
    found = cluster({"connectionPool": keepalive}, mesh_config=mesh_config)
    assert found["upstream_connection_options"]["tcp_keepalive"] == {
        "keepalive_probes": 1,
        "keepalive_time": 2,
        "keepalive_interval": 1,
    }


def test_the_mesh_says_how_long_to_wait_for_connections() -> None:
    assert cluster(mesh_config="connectTimeout: 3s")["connect_timeout"] == "3s"


HTTP1: dict[str, Any] = {}
HTTP2: dict[str, Any] = {"explicit_http_config": {"http2_protocol_options": {}}}
AS_CLIENT: dict[str, Any] = {
    "use_downstream_protocol_config": {"http_protocol_options": {}, "http2_protocol_options": {}}
}


@pytest.mark.parametrize(
    ("port", "http", "mesh_config", "expected"),
    [
        (80, {}, "", HTTP1),
        (81, {}, "", HTTP2),
        (82, {}, "", HTTP1),
        (83, {}, "", AS_CLIENT),
        (80, {"h2UpgradePolicy": "UPGRADE"}, "", HTTP2),
        (83, {"h2UpgradePolicy": "UPGRADE"}, "", HTTP2),
        (80, {"useClientProtocol": True}, "", AS_CLIENT),
        (81, {"useClientProtocol": True}, "", AS_CLIENT),
        (80, {}, "h2UpgradePolicy: UPGRADE", HTTP2),
        (82, {}, "h2UpgradePolicy: UPGRADE", HTTP1),
        (83, {}, "h2UpgradePolicy: UPGRADE", AS_CLIENT),
        (80, {"h2UpgradePolicy": "DO_NOT_UPGRADE"}, "h2UpgradePolicy: UPGRADE", HTTP1),
        (80, {"useClientProtocol": True}, "h2UpgradePolicy: UPGRADE", AS_CLIENT),
        (
            81,
            {"maxConcurrentStreams": 9},
            "",
            {"explicit_http_config": {"http2_protocol_options": {"max_concurrent_streams": 9}}},
        ),
    ],
)
def test_which_http_is_spoken(port: int, http: dict[str, Any], mesh_config: str, expected: dict[str, Any]) -> None:
    policy = {"connectionPool": {"http": http}} if http else None
    assert http_options(cluster(policy, port=port, mesh_config=mesh_config)) == expected


def test_a_gateway_does_not_speak_to_undeclared_ports_as_its_clients_do() -> None:
    mesh = Mesh(REVIEWS)
    found = message(mesh, f"outbound|83||{HOST}", role=Role.ROUTER)
    assert not found.typed_extension_protocol_options
