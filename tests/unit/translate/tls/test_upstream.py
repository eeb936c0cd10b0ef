from __future__ import annotations

from typing import Any

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import base_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2

from lateen.api.networking.destination_rule import ClientTLSSettings, ProxyProtocolVersion, TLSmode
from lateen.model.proxy import Certificates
from lateen.testing.mesh import Mesh
from lateen.translate.tls.alpn import H2, MESH_ALPN, MESH_HTTP, MESH_HTTP1, MESH_HTTP2, MESH_TCP
from lateen.translate.tls.parameters import TlsDemands, client_parameters
from lateen.translate.tls.secret_references import credential_resource, mesh_roots, workload_certificate
from lateen.translate.tls.upstream import (
    PLAIN,
    by_endpoint,
    expected_names,
    mesh_context,
    mesh_tls,
    verifies_authority,
    with_proxy_protocol,
)

CERTIFICATES = Certificates("/a/workload.yaml", "/b/roots.yaml")


def context_of(socket: bytes) -> Any:
    return tls_pb2.UpstreamTlsContext.FromString(base_pb2.TransportSocket.FromString(socket).typed_config.value)


def test_server_name_and_identities_are_added_to_what_all_services_share() -> None:
    shared = Mesh().get(mesh_context, CERTIFICATES, MESH_TCP)
    context = context_of(mesh_tls(shared, "a.b", expected_names(("spiffe://x/y", "z.com"))))
    common = context.common_tls_context
    assert context.sni == "a.b"
    assert list(common.alpn_protocols) == ["istio"]
    validation = common.combined_validation_context
    assert validation.validation_context_sds_secret_config.name == "ROOTCA"
    names = validation.default_validation_context.match_typed_subject_alt_names
    kinds = common_pb2.SubjectAltNameMatcher
    assert [(each.san_type, each.matcher.exact) for each in names] == [
        (kinds.URI, "spiffe://x/y"),
        (kinds.DNS, "z.com"),
    ]


def test_without_identities_any_of_the_mesh_will_do() -> None:
    shared = Mesh().get(mesh_context, CERTIFICATES, MESH_HTTP1)
    common = context_of(mesh_tls(shared, "a.b", expected_names(()))).common_tls_context
    assert common.combined_validation_context.HasField("default_validation_context")
    assert not common.combined_validation_context.default_validation_context.match_typed_subject_alt_names


def test_the_proxy_s_own_files_are_watched_with_their_directories() -> None:
    for reference, path, directory in (
        (workload_certificate(CERTIFICATES), "/a/workload.yaml", "/a"),
        (mesh_roots(CERTIFICATES), "/b/roots.yaml", "/b"),
    ):
        source = reference.sds_config.path_config_source
        assert (source.path, source.watched_directory.path) == (path, directory)


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("c", "kubernetes://c"),
        ("kubernetes-gateway://ns/c", "kubernetes-gateway://ns/c"),
        ("file-root:///ca", "file-root:///ca"),
    ],
)
def test_a_credential_is_of_the_proxy_s_namespace_unless_it_says_where(name: str, resource: str) -> None:
    assert credential_resource(name) == resource


def test_endpoints_of_the_mesh_are_matched_before_all_others() -> None:
    cluster = cluster_pb2.Cluster.FromString(by_endpoint(b"", PLAIN))
    first, second = cluster.transport_socket_matches
    assert dict(first.match) == {"tlsMode": "istio"}
    assert dict(second.match) == {}


@pytest.mark.parametrize("version", ProxyProtocolVersion)
def test_the_proxy_protocol_is_put_around_a_socket(version: ProxyProtocolVersion) -> None:
    socket = base_pb2.TransportSocket.FromString(with_proxy_protocol(PLAIN, version))
    assert socket.name == "envoy.transport_sockets.upstream_proxy_protocol"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (ClientTLSSettings(mode=TLSmode.SIMPLE), True),
        (ClientTLSSettings(mode=TLSmode.SIMPLE, sni="a"), False),
        (ClientTLSSettings(mode=TLSmode.SIMPLE, subject_alt_names=("a",)), False),
        (ClientTLSSettings(mode=TLSmode.SIMPLE, insecure_skip_verify=True), False),
    ],
)
def test_the_request_s_host_is_verified_where_nothing_else_is_said(settings: ClientTLSSettings, expected: bool) -> None:
    assert verifies_authority(settings) is expected


def test_compliance_comes_before_defaults() -> None:
    found = client_parameters(TlsDemands(("ECDHE-RSA-AES128-GCM-SHA256",), ("X25519",), "fips-140-2"))
    assert list(found.ecdh_curves) == ["P-256"]
    assert found.tls_maximum_protocol_version == common_pb2.TlsParameters.TLSv1_2


def test_all_that_a_client_says_is_known_to_the_server_as_the_mesh_s() -> None:
    for said in (MESH_TCP, MESH_HTTP1, MESH_HTTP2):
        # What is common to all HTTP/2 comes last: a server goes by the first that it knows.
        assert set(said) <= {*MESH_ALPN, *H2}
        assert not set(H2) & set(said[:-1])
    assert not set(MESH_TCP) & set(MESH_HTTP)
    assert MESH_HTTP1[0] in MESH_HTTP
    assert MESH_HTTP2[0] in MESH_HTTP
