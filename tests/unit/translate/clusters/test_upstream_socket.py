from __future__ import annotations

import pytest
from google.protobuf import json_format

from lateen.model.proxy import Certificates, Role
from lateen.testing.mesh import Mesh
from lateen.testing.outbound_clusters import HOST, REVIEWS, cluster, http_options, message, rule, tls_context


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
        (81, ["istio-h2", "istio", "h2"]),
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
