from __future__ import annotations

from typing import Any

import msgspec
import pytest
from envoy.extensions.transport_sockets.tls.v3 import common_pb2

from lateen.api.networking.gateway import ServerTLSSettings
from lateen.model.proxy import Certificates
from lateen.testing.mesh import Mesh
from lateen.translate.tls.downstream import ServerDemands, mesh_context, server_context, server_demands

FILES = {"serverCertificate": "/c", "privateKey": "/k"}


def demands(config: str = "{}") -> ServerDemands:
    mesh = Mesh()
    mesh.mesh_config(config)
    return mesh.engine.get(server_demands)


def context(config: str = "{}", **settings: Any) -> Any:
    return server_context(msgspec.convert(settings, ServerTLSSettings), Certificates(), demands(config), ("h2",))


def test_certificates_of_the_mesh() -> None:
    found = mesh_context(Certificates("/w.yaml", "/r.yaml"), demands(), ("h2",))
    common = found.common_tls_context
    assert common.tls_certificate_sds_secret_configs[0].sds_config.path_config_source.path == "/w.yaml"
    roots = common.combined_validation_context.validation_context_sds_secret_config
    assert (roots.name, roots.sds_config.path_config_source.path) == ("ROOTCA", "/r.yaml")
    assert common.tls_params.tls_minimum_protocol_version == common_pb2.TlsParameters.TLSv1_2
    assert common.tls_params.tls_maximum_protocol_version == common_pb2.TlsParameters.TLSv1_3
    assert "AES256-GCM-SHA384" in common.tls_params.cipher_suites


@pytest.mark.parametrize(
    ("mode", "required", "verified"),
    [("SIMPLE", False, False), ("MUTUAL", True, True), ("OPTIONAL_MUTUAL", False, True), ("ISTIO_MUTUAL", True, True)],
)
def test_whether_clients_show_certificates(mode: str, required: bool, verified: bool) -> None:
    found = context(mode=mode, **({} if mode == "ISTIO_MUTUAL" else {"credentialName": "c"}))
    assert found.require_client_certificate.value is required
    assert found.common_tls_context.HasField("combined_validation_context") is verified


def test_files_and_what_is_checked() -> None:
    found = context(mode="MUTUAL", **FILES, caCertificates="/ca", caCrl="/crl", subjectAltNames=["a"])
    common = found.common_tls_context
    assert [each.name for each in common.tls_certificate_sds_secret_configs] == ["file-cert:///c~/k"]
    combined = common.combined_validation_context
    assert combined.validation_context_sds_secret_config.name == "file-root:///ca~/crl"
    checks = combined.default_validation_context
    assert {each.san_type for each in checks.match_typed_subject_alt_names} == {
        common_pb2.SubjectAltNameMatcher.DNS,
        common_pb2.SubjectAltNameMatcher.URI,
        common_pb2.SubjectAltNameMatcher.EMAIL,
        common_pb2.SubjectAltNameMatcher.IP_ADDRESS,
    }


def test_several_certificates() -> None:
    pairs = [FILES, {"serverCertificate": "/c2", "privateKey": "/k2", "caCertificates": "/ca"}]
    common = context(mode="MUTUAL", tlsCertificates=pairs).common_tls_context
    names = [each.name for each in common.tls_certificate_sds_secret_configs]
    assert names == ["file-cert:///c~/k", "file-cert:///c2~/k2"]
    assert common.combined_validation_context.validation_context_sds_secret_config.name == "file-root:///ca"
    named = context(mode="SIMPLE", credentialNames=["rsa", "ecdsa"]).common_tls_context
    names = [each.name for each in named.tls_certificate_sds_secret_configs]
    assert names == ["kubernetes://rsa", "kubernetes://ecdsa"]


def test_compliance_comes_before_all_else() -> None:
    config = "compliancePolicy: fips-140-2"
    for found in (context(config, mode="SIMPLE", **FILES), mesh_context(Certificates(), demands(config), ())):
        parameters = found.common_tls_context.tls_params
        assert parameters.tls_maximum_protocol_version == common_pb2.TlsParameters.TLSv1_2
        assert list(parameters.ecdh_curves) == ["P-256"]
