from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lateen.model.proxy import Certificates, GatewayView, OutboundView, Proxy, Role, Traits
from lateen.testing.certificates import Authority
from lateen.testing.envoy import accepts, decoded
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.translate.clusters.connection_pool import HTTP_OPTIONS
from lateen.translate.clusters.outbound import service_recipes
from lateen.translate.resource import Resource, ResourceType

HOST = "reviews.shop.svc.cluster.local"
REVIEWS = f"""
kind: Service
metadata: {{name: reviews, namespace: shop}}
spec:
  clusterIP: 10.0.0.1
  selector: {{app: reviews}}
  ports:
  - {{name: http, port: 80, targetPort: 8080}}
  - {{name: grpc, port: 81, targetPort: 8080}}
  - {{name: tcp, port: 82, targetPort: 8080}}
  - {{name: unnamed, port: 83, targetPort: 8080}}
---
kind: Pod
metadata: {{name: reviews-1, namespace: shop, labels: {{app: reviews, security.istio.io/tlsMode: istio}}}}
spec: {{serviceAccountName: runner, nodeName: n, containers: [{{name: c}}]}}
status: {{podIP: 10.1.0.1, podIPs: [{{ip: 10.1.0.1}}]}}
---
{yaml.safe_dump(endpoint_slice("reviews", "shop", ports={"http": 8080, "grpc": 8080}, pods={"reviews-1": "10.1.0.1"}))}
"""


def rule(policy: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "kind": "DestinationRule",
        "metadata": {"name": "reviews", "namespace": "shop"},
        "spec": {"host": HOST, **({"trafficPolicy": policy} if policy else {}), **spec},
    }


@pytest.fixture(scope="module")
def traits(tmp_path_factory: pytest.TempPathFactory) -> Traits:
    """Envoy refuses to watch files that are not there."""
    directory = tmp_path_factory.mktemp("certificates")
    own = Authority().workload(directory, "spiffe://cluster.local/ns/default/sa/client")
    return Traits(certificates=own)


def made(mesh: Mesh, proxy: Proxy) -> list[Resource]:
    view = next(each for each in mesh.views(proxy) if isinstance(each, OutboundView | GatewayView))
    return [mesh.make(recipe) for recipe in mesh.get(service_recipes, view)]


def message(mesh: Mesh, name: str = f"outbound|80||{HOST}", *, role: Role = Role.SIDECAR, **rest: Any) -> Any:
    found = {each.name: each for each in made(mesh, mesh.proxy(role=role, **rest))}
    return decoded(ResourceType.CDS, found[name])


def cluster(
    policy: dict[str, Any] | None = None, *, port: int = 80, subset: str = "", mesh_config: str = "", **spec: Any
) -> dict[str, Any]:
    """A cluster of reviews under a policy, as JSON data."""
    mesh = Mesh(REVIEWS, *([rule(policy, **spec)] if policy or spec else []))
    if mesh_config:
        mesh.mesh_config(mesh_config)
    found = json_format.MessageToDict(
        message(mesh, f"outbound|{port}|{subset}|{HOST}"), preserving_proto_field_name=True
    )
    return dict(found)


def http_options(found: dict[str, Any]) -> dict[str, Any]:
    options = dict(found.get("typed_extension_protocol_options", {}).get(HTTP_OPTIONS, {}))
    options.pop("@type", None)
    return options


def tls_context(socket: dict[str, Any]) -> dict[str, Any]:
    return dict(socket["typed_config"])


# --- without rules ------------------------------------------------------------------------------------------------


def test_a_cluster_without_rules() -> None:
    found = cluster()
    assert found["type"] == "EDS"
    assert found["eds_cluster_config"] == {
        "eds_config": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"},
        "service_name": f"outbound|80||{HOST}",
    }
    assert found["connect_timeout"] == "10s"
    assert found["lb_policy"] == "LEAST_REQUEST"
    assert found["alt_stat_name"] == f"outbound|80||{HOST};"
    most = 4294967295
    assert found["circuit_breakers"]["thresholds"] == [
        {
            "max_connections": most,
            "max_pending_requests": most,
            "max_requests": most,
            "max_retries": most,
            "track_remaining": True,
        }
    ]
    assert found["metadata"]["filter_metadata"]["istio"] == {
        "service": {"host": HOST, "name": "reviews", "namespace": "shop"},
        "services": [{"host": HOST, "name": "reviews", "namespace": "shop"}],
        "default_original_port": 80.0,
    }
    assert http_options(found) == {}
    assert "upstream_connection_options" not in found


def test_the_metadata_names_rule_and_subset() -> None:
    found = cluster({"loadBalancer": {"simple": "RANDOM"}}, subset="v1", subsets=[{"name": "v1"}])
    istio = found["metadata"]["filter_metadata"]["istio"]
    assert istio["config"] == "/apis/networking.istio.io/v1/namespaces/shop/destination-rule/reviews"
    assert istio["subset"] == "v1"


# --- connection pools ---------------------------------------------------------------------------------------------


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


# --- load balancing -----------------------------------------------------------------------------------------------


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


OUTLIERS = {"consecutive5xxErrors": 3}
FAILOVER = {"localityLbSetting": {"failover": [{"from": "a", "to": "b"}]}}
DISTRIBUTE = {"localityLbSetting": {"distribute": [{"from": "a/*", "to": {"a": 100}}]}}


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


# --- outlier detection --------------------------------------------------------------------------------------------


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


# --- TLS ----------------------------------------------------------------------------------------------------------


def test_endpoints_are_spoken_to_as_they_can_be() -> None:
    mutual, plain = cluster()["transport_socket_matches"]
    assert (mutual["name"], mutual["match"]) == ("tlsMode-istio", {"tlsMode": "istio"})
    assert (plain["name"], plain["match"]) == ("tlsMode-disabled", {})
    assert plain["transport_socket"]["name"] == "envoy.transport_sockets.raw_buffer"
    context = tls_context(mutual["transport_socket"])
    assert context["sni"] == f"outbound_.80_._.{HOST}"
    common = context["common_tls_context"]
    assert common["tls_params"] == {
        "tls_minimum_protocol_version": "TLSv1_2",
        "tls_maximum_protocol_version": "TLSv1_3",
    }
    assert common["tls_certificate_sds_secret_configs"][0]["name"] == "default"
    validation = common["combined_validation_context"]
    assert validation["validation_context_sds_secret_config"]["name"] == "ROOTCA"
    assert validation["default_validation_context"]["match_typed_subject_alt_names"] == [
        {"san_type": "URI", "matcher": {"exact": "spiffe://cluster.local/ns/shop/sa/runner"}}
    ]


def test_the_mesh_s_tls_knows_the_aliases_of_its_trust_domain() -> None:
    found = cluster(mesh_config="trustDomainAliases: [old]")["transport_socket_matches"][0]
    common = tls_context(found["transport_socket"])["common_tls_context"]
    names = common["combined_validation_context"]["default_validation_context"]["match_typed_subject_alt_names"]
    assert [each["matcher"]["exact"] for each in names] == [
        "spiffe://cluster.local/ns/shop/sa/runner",
        "spiffe://old/ns/shop/sa/runner",
    ]


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        (80, ["istio-http/1.1", "istio"]),
        (81, ["istio-h2", "istio"]),
        (82, ["istio"]),
        (83, ["istio"]),
    ],
)
def test_the_server_is_told_what_it_is_sent(port: int, expected: list[str]) -> None:
    mutual = cluster(port=port)["transport_socket_matches"][0]
    assert tls_context(mutual["transport_socket"])["common_tls_context"]["alpn_protocols"] == expected


def test_a_namespace_that_wants_no_tls_gets_none() -> None:
    policy = """
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec: {mtls: {mode: DISABLE}}
"""
    found = message(Mesh(REVIEWS, policy))
    assert not found.transport_socket_matches
    assert not found.HasField("transport_socket")


def test_without_auto_mtls_only_rules_ask_for_tls() -> None:
    assert "transport_socket_matches" not in cluster(mesh_config="enableAutoMtls: false")
    found = cluster({"tls": {"mode": "ISTIO_MUTUAL"}}, mesh_config="enableAutoMtls: false")
    assert tls_context(found["transport_socket"])["sni"] == f"outbound_.80_._.{HOST}"


@pytest.mark.parametrize("mode", ["DISABLE", "ISTIO_MUTUAL", "SIMPLE", "MUTUAL"])
def test_a_rule_decides_for_all_endpoints(mode: str) -> None:
    files = {"clientCertificate": "/c", "privateKey": "/k"} if mode == "MUTUAL" else {}
    found = cluster({"tls": {"mode": mode, **files}})
    assert "transport_socket_matches" not in found
    assert ("transport_socket" in found) is (mode != "DISABLE")


def test_istio_mutual_takes_server_name_and_names_from_the_rule() -> None:
    tls = {"mode": "ISTIO_MUTUAL", "sni": "a.com", "subjectAltNames": ["spiffe://x/y"]}
    context = tls_context(cluster({"tls": tls})["transport_socket"])
    assert context["sni"] == "a.com"
    combined = context["common_tls_context"]["combined_validation_context"]
    assert combined["default_validation_context"]["match_typed_subject_alt_names"] == [
        {"san_type": "URI", "matcher": {"exact": "spiffe://x/y"}}
    ]


def test_simple_tls_verifies_what_the_request_asked_for() -> None:
    found = cluster({"tls": {"mode": "SIMPLE"}})
    assert http_options(found)["upstream_http_protocol_options"] == {"auto_sni": True, "auto_san_validation": True}
    context = tls_context(found["transport_socket"])
    assert "sni" not in context
    validation = context["common_tls_context"]["combined_validation_context"]
    assert validation["default_validation_context"] == {}
    assert validation["validation_context_sds_secret_config"]["name"] == f"file-root://{Certificates().system_roots}"
    assert "alpn_protocols" not in context["common_tls_context"]


def test_simple_tls_as_the_rule_says() -> None:
    tls = {
        "mode": "SIMPLE",
        "sni": "a.com",
        "caCertificates": "/ca",
        "caCrl": "/crl",
        "subjectAltNames": ["a.com", "10.0.0.1", "me@a.com"],
    }
    found = cluster({"tls": tls}, port=81)
    assert "upstream_http_protocol_options" not in http_options(found)
    context = tls_context(found["transport_socket"])
    assert context["sni"] == "a.com"
    assert context["common_tls_context"]["alpn_protocols"] == ["h2"]
    validation = context["common_tls_context"]["combined_validation_context"]
    assert validation["validation_context_sds_secret_config"]["name"] == "file-root:///ca~/crl"
    assert validation["default_validation_context"] == {
        "match_typed_subject_alt_names": [
            {"san_type": "DNS", "matcher": {"exact": "a.com"}},
            {"san_type": "IP_ADDRESS", "matcher": {"exact": "10.0.0.1"}},
            {"san_type": "EMAIL", "matcher": {"exact": "me@a.com"}},
        ],
    }


def test_nothing_is_verified_when_asked_not_to() -> None:
    found = cluster({"tls": {"mode": "SIMPLE", "insecureSkipVerify": True}})
    assert tls_context(found["transport_socket"])["common_tls_context"]["validation_context"] == {}
    assert http_options(found)["upstream_http_protocol_options"] == {"auto_sni": True}


def test_mutual_tls_with_files() -> None:
    tls = {"mode": "MUTUAL", "clientCertificate": "/c", "privateKey": "/k"}
    common = tls_context(cluster({"tls": tls})["transport_socket"])["common_tls_context"]
    assert [each["name"] for each in common["tls_certificate_sds_secret_configs"]] == ["file-cert:///c~/k"]


CREDENTIAL = {"tls": {"mode": "MUTUAL", "credentialName": "client"}}


def test_credentials_are_for_gateways() -> None:
    mesh = Mesh(REVIEWS, rule(CREDENTIAL))
    assert not message(mesh).HasField("transport_socket")
    found = json_format.MessageToDict(message(mesh, role=Role.ROUTER), preserving_proto_field_name=True)
    common = tls_context(found["transport_socket"])["common_tls_context"]
    (reference,) = common["tls_certificate_sds_secret_configs"]
    assert reference == {"name": "kubernetes://client", "sds_config": {"ads": {}, "resource_api_version": "V3"}}
    combined = common["combined_validation_context"]
    assert combined["validation_context_sds_secret_config"]["name"] == "kubernetes://client-cacert"


def test_credentials_are_for_sidecars_that_the_rule_selects() -> None:
    found = rule(CREDENTIAL, workloadSelector={"matchLabels": {"app": "client"}})
    mesh = Mesh(REVIEWS, found)
    own = {"id": "a.shop", "labels": {"app": "client"}}
    assert message(mesh, **own).HasField("transport_socket")
    assert not message(mesh, id="a.shop", labels={"app": "other"}).HasField("transport_socket")


def test_tls_defaults_are_for_tls_of_the_rules() -> None:
    mesh_config = "tlsDefaults: {cipherSuites: [ECDHE-RSA-AES256-GCM-SHA384], ecdhCurves: [P-256]}"
    found = cluster({"tls": {"mode": "SIMPLE"}}, mesh_config=mesh_config)
    parameters = tls_context(found["transport_socket"])["common_tls_context"]["tls_params"]
    assert parameters["cipher_suites"] == ["ECDHE-RSA-AES256-GCM-SHA384"]
    assert parameters["ecdh_curves"] == ["P-256"]
    mutual = cluster(mesh_config=mesh_config)["transport_socket_matches"][0]
    own = tls_context(mutual["transport_socket"])["common_tls_context"]["tls_params"]
    assert "cipher_suites" not in own


@pytest.mark.parametrize(
    ("policy", "versions"), [("fips-140-2", ("TLSv1_2", "TLSv1_2")), ("pqc", ("TLSv1_3", "TLSv1_3"))]
)
def test_a_compliance_policy_is_for_all_tls(policy: str, versions: tuple[str, str]) -> None:
    mutual = cluster(mesh_config=f"compliancePolicy: {policy}")["transport_socket_matches"][0]
    own = tls_context(mutual["transport_socket"])["common_tls_context"]["tls_params"]
    assert (own["tls_minimum_protocol_version"], own["tls_maximum_protocol_version"]) == versions


def test_the_proxy_protocol_comes_before_tls() -> None:
    found = cluster({"proxyProtocol": {"version": "V2"}, "tls": {"mode": "SIMPLE"}})
    outer = found["transport_socket"]
    assert outer["name"] == "envoy.transport_sockets.upstream_proxy_protocol"
    assert outer["typed_config"]["config"] == {"version": "V2"}
    assert outer["typed_config"]["transport_socket"]["name"] == "envoy.transport_sockets.tls"


def test_the_proxy_protocol_is_sent_to_every_endpoint() -> None:
    sockets = cluster({"proxyProtocol": {}})["transport_socket_matches"]
    inner = [each["transport_socket"]["typed_config"]["transport_socket"]["name"] for each in sockets]
    assert inner == ["envoy.transport_sockets.tls", "envoy.transport_sockets.raw_buffer"]


# --- names of statistics --------------------------------------------------------------------------------------------


def test_the_mesh_says_what_statistics_are_called() -> None:
    pattern = "outboundClusterStatName: '%SERVICE%_%SERVICE_FQDN%_%SERVICE_PORT%_%SERVICE_PORT_NAME%_%SUBSET_NAME%'"
    found = cluster({"tls": {"mode": "DISABLE"}}, subset="v1", subsets=[{"name": "v1"}], mesh_config=pattern)
    assert found["alt_stat_name"] == f"reviews.shop_{HOST}_80_http_v1;"


# --- services that are not in the cluster -----------------------------------------------------------------------------


def entry(resolution: str, **spec: Any) -> dict[str, Any]:
    return {
        "kind": "ServiceEntry",
        "metadata": {"name": "entry", "namespace": "shop"},
        "spec": {
            "hosts": ["a.example.com"],
            "location": "MESH_EXTERNAL",
            "resolution": resolution,
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            **spec,
        },
    }


def external(found: dict[str, Any], **rest: Any) -> dict[str, Any]:
    data = json_format.MessageToDict(message(Mesh(found), **rest), preserving_proto_field_name=True)
    return dict(data)


def hosts(found: dict[str, Any]) -> list[str]:
    return [
        each["endpoint"]["address"]["socket_address"]["address"]
        for group in found["load_assignment"].get("endpoints", [])
        for each in group["lb_endpoints"]
    ]


def test_names_are_resolved_by_the_proxy() -> None:
    endpoints = [{"address": "b.example.com"}, {"address": "c.example.com"}]
    found = external(entry("DNS", endpoints=endpoints), name="outbound|80||a.example.com")
    assert found["type"] == "STRICT_DNS"
    assert hosts(found) == ["b.example.com", "c.example.com"]
    assert found["dns_lookup_family"] == "V4_ONLY"
    assert found["respect_dns_ttl"] is True
    assert found["dns_refresh_rate"] == "60s"
    assert found["metadata"]["filter_metadata"]["istio"]["external"] is True
    assert "transport_socket_matches" not in found


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "families"), [(True, False, "V4_ONLY"), (False, True, "V6_ONLY"), (True, True, "ALL")]
)
def test_only_addresses_of_the_clients_families_are_looked_up(ipv4: bool, ipv6: bool, families: str) -> None:
    mesh = Mesh(entry("DNS"))
    found = message(mesh, "outbound|80||a.example.com", traits=Traits(ipv4=ipv4, ipv6=ipv6))
    data = json_format.MessageToDict(found, preserving_proto_field_name=True)
    assert data["dns_lookup_family"] == families


def test_one_name_is_a_logical_dns_cluster() -> None:
    found = external(entry("DNS_ROUND_ROBIN"), name="outbound|80||a.example.com")
    assert found["type"] == "LOGICAL_DNS"
    assert hosts(found) == ["a.example.com"]


def test_a_subset_of_one_name_that_is_empty_is_no_logical_dns_cluster() -> None:
    subset = {
        "kind": "DestinationRule",
        "metadata": {"name": "r", "namespace": "shop"},
        "spec": {"host": "a.example.com", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]},
    }
    found = message(Mesh(entry("DNS_ROUND_ROBIN"), subset), "outbound|80|v1|a.example.com")
    assert found.type == found.STRICT_DNS


def test_names_of_a_service_entry_are_those_of_its_certificates() -> None:
    policy = {
        "kind": "DestinationRule",
        "metadata": {"name": "r", "namespace": "shop"},
        "spec": {"host": "a.example.com", "trafficPolicy": {"tls": {"mode": "SIMPLE"}}},
    }
    mesh = Mesh(entry("STATIC", subjectAltNames=["other.example.com"]), policy)
    found = json_format.MessageToDict(message(mesh, "outbound|80||a.example.com"), preserving_proto_field_name=True)
    combined = tls_context(found["transport_socket"])["common_tls_context"]["combined_validation_context"]
    validation = combined["default_validation_context"]
    assert [each["matcher"]["exact"] for each in validation["match_typed_subject_alt_names"]] == ["other.example.com"]


def test_whoever_is_asked_for_is_resolved_on_demand() -> None:
    found = external(entry("DYNAMIC_DNS", hosts=["*.example.com"]), name="outbound|80||*.example.com")
    assert found["cluster_type"]["name"] == "envoy.clusters.dynamic_forward_proxy"
    assert found["lb_policy"] == "CLUSTER_PROVIDED"


@pytest.mark.parametrize("udp_first", [True, False])
def test_a_udp_port_of_the_same_number_changes_nothing(udp_first: bool) -> None:
    tcp = {"name": "http", "port": 80, "targetPort": 8080}
    udp = {"name": "quic", "port": 80, "targetPort": 8080, "protocol": "UDP"}
    both = [udp, tcp] if udp_first else [tcp, udp]

    def made_of(*ports: dict[str, Any]) -> Any:
        spec = {"clusterIP": "10.0.0.1", "selector": {"app": "reviews"}, "ports": list(ports)}
        return message(Mesh({"kind": "Service", "metadata": {"name": "reviews", "namespace": "shop"}, "spec": spec}))

    assert made_of(*both) == made_of(tcp)


# --- sharing and sizes ------------------------------------------------------------------------------------------------


def test_endpoints_that_come_leave_a_cluster_alone() -> None:
    mesh = Mesh(REVIEWS)
    view = next(each for each in mesh.views(mesh.proxy()) if isinstance(each, OutboundView))
    recipe = mesh.get(service_recipes, view)[0]
    before = mesh.make(recipe)
    computed = mesh.engine.statistics().queries["outbound.cluster"].computed
    pods = {"reviews-1": "10.1.0.1", "reviews-2": "10.1.0.2"}
    mesh.apply(
        """
kind: Pod
metadata: {name: reviews-2, namespace: shop, labels: {app: reviews}}
spec: {serviceAccountName: runner, nodeName: n, containers: [{name: c}]}
status: {podIP: 10.1.0.2, podIPs: [{ip: 10.1.0.2}]}
""",
        endpoint_slice("reviews", "shop", ports={"http": 8080, "grpc": 8080}, pods=pods),
    )
    assert mesh.make(recipe) is before
    assert mesh.engine.statistics().queries["outbound.cluster"].computed == computed


def test_a_policy_recomputes_the_clusters_of_its_rule_alone() -> None:
    ratings = REVIEWS.replace("reviews", "ratings").replace("10.1.0.1", "10.1.0.9")
    mesh = Mesh(REVIEWS, ratings, rule({"loadBalancer": {"simple": "RANDOM"}}))
    proxy = mesh.proxy()
    made(mesh, proxy)
    before = {name: each.computed for name, each in mesh.engine.statistics().queries.items()}
    mesh.apply(rule({"loadBalancer": {"simple": "ROUND_ROBIN"}}))
    made(mesh, proxy)
    after = mesh.engine.statistics().queries
    assert after["outbound.cluster"].computed - before["outbound.cluster"] == 4
    assert after["outbound.recipes_in_scope"].computed == before["outbound.recipes_in_scope"]


# --- Envoy's judgement ------------------------------------------------------------------------------------------------

WHOLE: list[dict[str, Any]] = [
    {"loadBalancer": {"simple": "ROUND_ROBIN", "warmup": {"duration": "5s", "aggression": 2, "minimumPercent": 0}}},
    {"loadBalancer": {"simple": "PASSTHROUGH"}, "proxyProtocol": {"version": "V1"}},
    {"loadBalancer": {"consistentHash": {"httpHeaderName": "a", "maglev": {"tableSize": 65537}}}},
    {"loadBalancer": {"consistentHash": {"useSourceIp": True, "ringHash": {"minimumRingSize": 8388608}}}},
    {"loadBalancer": {**DISTRIBUTE, "simple": "RANDOM"}, "outlierDetection": {"minHealthPercent": 10, **OUTLIERS}},
    {"outlierDetection": {"splitExternalLocalOriginErrors": True, "consecutiveLocalOriginFailures": 1}},
    {"connectionPool": {"http": {"useClientProtocol": True, "maxConcurrentStreams": 2147483647, "idleTimeout": "1ms"}}},
    {"connectionPool": {"tcp": {"idleTimeout": "0s", "tcpKeepalive": {}}}, "retryBudget": {}},
    {"tls": {"mode": "SIMPLE"}},
    {"tls": {"mode": "SIMPLE", "insecureSkipVerify": True}, "proxyProtocol": {}},
    {"tls": {"mode": "ISTIO_MUTUAL", "subjectAltNames": ["a.com", "spiffe://a/b"]}},
    {"tls": {"mode": "MUTUAL", "credentialName": "c"}},
    {"tls": {"mode": "MUTUAL", "clientCertificate": "/c", "privateKey": "/k", "caCertificates": "/r", "caCrl": "/l"}},
]


def wildcard(policy: dict[str, Any]) -> dict[str, Any]:
    return {"host": "*.example.com", "trafficPolicy": policy}


def test_envoy_accepts_them_all(traits: Traits) -> None:
    found: list[Resource] = []
    for policy in (None, *WHOLE):
        mesh = Mesh(REVIEWS, rule(policy, subsets=[{"name": "v1", "labels": {"version": "v1"}}]))
        found += made(mesh, mesh.proxy(traits=traits)) + made(mesh, mesh.gateway(traits=traits))
    for resolution in ("NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"):
        for families in ((True, False), (False, True), (True, True)):
            own = Traits(ipv4=families[0], ipv6=families[1], certificates=traits.certificates)
            names = ["*.example.com"] if resolution == "DYNAMIC_DNS" else ["a.example.com"]
            mesh = Mesh(entry(resolution, hosts=names))
            found += made(mesh, mesh.proxy(traits=own)) + made(mesh, mesh.gateway(traits=own))
    for tls in ({}, {"sni": "a.com"}, {"subjectAltNames": ["a.com"]}, {"insecureSkipVerify": True}):
        policy = {"tls": {"mode": "SIMPLE", **tls}}
        mesh = Mesh(entry("DYNAMIC_DNS", hosts=["*.example.com"]), rule(policy) | {"spec": wildcard(policy)})
        found += made(mesh, mesh.proxy(traits=traits))
    for compliance in ("fips-140-2", "pqc"):
        mesh = Mesh(REVIEWS)
        mesh.mesh_config(f"compliancePolicy: {compliance}")
        found += made(mesh, mesh.proxy(traits=traits))
    accepts({ResourceType.CDS: found})


MILLISECONDS = st.integers(1, 10**7).map(lambda count: f"{count}ms")
COUNTS = st.integers(0, 2**31 - 1)
UNSIGNED = st.integers(0, 2**32 - 1)
PERCENT = st.integers(0, 100)


def some(fields: dict[str, st.SearchStrategy[Any]], **needed: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with any of the fields, and all that are needed."""
    return st.fixed_dictionaries(needed, optional=fields)


PRIMES = st.sampled_from([2, 3, 7, 1021, 65537, 4999999])
POOLS = st.fixed_dictionaries(
    {},
    optional={
        "http": some(
            {
                "http1MaxPendingRequests": COUNTS,
                "http2MaxRequests": COUNTS,
                "maxRequestsPerConnection": COUNTS,
                "maxRetries": COUNTS,
                "idleTimeout": MILLISECONDS,
                "h2UpgradePolicy": st.sampled_from(["DEFAULT", "DO_NOT_UPGRADE"]),
                "useClientProtocol": st.booleans(),
                "maxConcurrentStreams": COUNTS,
            }
        ),
        "tcp": some(
            {
                "maxConnections": COUNTS,
                "connectTimeout": MILLISECONDS,
                "maxConnectionDuration": MILLISECONDS,
                "idleTimeout": MILLISECONDS | st.just("0s"),
                "tcpKeepalive": some({"probes": UNSIGNED, "time": MILLISECONDS, "interval": MILLISECONDS}),
            }
        ),
    },
).filter(bool)
WARMUP = some(
    {"minimumPercent": st.floats(0, 100), "aggression": st.floats(0.01, 10)},
    duration=MILLISECONDS,
)
BALANCERS = st.one_of(
    some(
        {"warmup": WARMUP, "warmupDurationSecs": MILLISECONDS},
        simple=st.sampled_from(["UNSPECIFIED", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN"]),
    ),
    some(
        {},
        consistentHash=st.one_of(
            some({"ringHash": some({"minimumRingSize": st.integers(0, 8388608)})}, httpHeaderName=st.just("a")),
            some({}, useSourceIp=st.just(True), maglev=some({}, tableSize=PRIMES)),
            some({"minimumRingSize": st.integers(1, 8388608)}, httpQueryParameterName=st.just("a")),
        ),
    ),
    some({}, localityLbSetting=st.sampled_from([DISTRIBUTE["localityLbSetting"], FAILOVER["localityLbSetting"]])),
)
OUTLIER_SETTINGS = st.one_of(
    some(
        {
            "consecutiveGatewayErrors": UNSIGNED,
            "consecutive5xxErrors": UNSIGNED,
            "interval": MILLISECONDS,
            "baseEjectionTime": MILLISECONDS,
            "maxEjectionPercent": PERCENT,
            "minHealthPercent": PERCENT,
        }
    ),
    some({"consecutiveLocalOriginFailures": UNSIGNED}, splitExternalLocalOriginErrors=st.just(True)),
)
TLS = st.sampled_from(
    [
        {"mode": "DISABLE"},
        {"mode": "ISTIO_MUTUAL"},
        {"mode": "ISTIO_MUTUAL", "sni": "a.com", "subjectAltNames": ["a.com"]},
        {"mode": "SIMPLE"},
        {"mode": "SIMPLE", "sni": "a.com"},
        {"mode": "SIMPLE", "subjectAltNames": ["*.a.com", "10.0.0.1", "::1"]},
        {"mode": "SIMPLE", "insecureSkipVerify": True},
        {"mode": "MUTUAL", "credentialName": "c"},
    ]
)
PER_PORT = {"loadBalancer": BALANCERS, "connectionPool": POOLS, "outlierDetection": OUTLIER_SETTINGS, "tls": TLS}
POLICIES = some(
    {
        **PER_PORT,
        "proxyProtocol": st.sampled_from([{}, {"version": "V2"}]),
        "retryBudget": some({"percent": st.floats(0, 100), "minRetryConcurrency": UNSIGNED}),
        "portLevelSettings": st.lists(
            some(PER_PORT, port=st.integers(80, 83).map(lambda number: {"number": number})).filter(
                lambda each: len(each) > 1
            ),
            min_size=1,
            max_size=2,
        ),
    }
).filter(bool)


def batch(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Runs a function with so many generated arguments."""
    return settings(max_examples=count, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


def test_envoy_accepts_whatever_rules_say(traits: Traits) -> None:
    found: list[Resource] = []

    @batch(50)
    @given(POLICIES, POLICIES)
    def of_the_mesh(policy: dict[str, Any], special: dict[str, Any]) -> None:
        mesh = Mesh(REVIEWS, rule(policy, subsets=[{"name": "v1", "trafficPolicy": special}]))
        found.extend(made(mesh, mesh.proxy(traits=traits)) + made(mesh, mesh.gateway(traits=traits)))

    @batch(50)
    @given(POLICIES, st.sampled_from(["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]))
    def beyond_the_mesh(policy: dict[str, Any], resolution: str) -> None:
        host = "*.example.com" if resolution == "DYNAMIC_DNS" else "a.example.com"
        declared = rule(policy)
        declared["spec"]["host"] = host
        mesh = Mesh(entry(resolution, hosts=[host]), declared)
        found.extend(made(mesh, mesh.proxy(traits=traits)) + made(mesh, mesh.gateway(traits=traits)))

    of_the_mesh()
    beyond_the_mesh()
    assert len(found) == 50 * 2 * 8 + 50 * 2
    accepts({ResourceType.CDS: found})
