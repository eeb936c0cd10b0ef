"""TLS that a proxy terminates: of the mesh (workload certificates), and of gateways and Sidecar ingress listeners."""

from __future__ import annotations

from typing import Any

import msgspec
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2

from lateen.api.mesh.tls_config import TLSConfig
from lateen.api.mesh.tls_config import TLSProtocol as MeshProtocol
from lateen.api.networking.cipher_suites import usable
from lateen.api.networking.gateway import ServerTLSSettings, TLSmode, TLSProtocol
from lateen.engine import Reader, query
from lateen.model.gateways import authorities_resource, certificate_resources
from lateen.model.inputs import MESH_CONFIG
from lateen.model.proxy import Certificates
from lateen.translate.tls.parameters import TlsDemands, comply, tls_demands
from lateen.translate.tls.secret_references import credential, mesh_roots, workload_certificate

HTTP_ALPN = ("h2", "http/1.1")
_MESH_CIPHERS = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
)
_VERSIONS = {
    TLSProtocol.TLSV1_0: common_pb2.TlsParameters.TLSv1_0,
    TLSProtocol.TLSV1_1: common_pb2.TlsParameters.TLSv1_1,
    TLSProtocol.TLSV1_2: common_pb2.TlsParameters.TLSv1_2,
    TLSProtocol.TLSV1_3: common_pb2.TlsParameters.TLSv1_3,
}
_MESH_VERSIONS = {
    MeshProtocol.TLSV1_2: common_pb2.TlsParameters.TLSv1_2,
    MeshProtocol.TLSV1_3: common_pb2.TlsParameters.TLSv1_3,
}
_CLIENT_CERTIFICATE = frozenset({TLSmode.MUTUAL, TLSmode.ISTIO_MUTUAL, TLSmode.OPTIONAL_MUTUAL})


class ServerDemands(msgspec.Struct, frozen=True):
    """What the mesh demands of TLS that proxies terminate."""

    general: TlsDemands
    minimum: MeshProtocol
    """Of TLS that is not the mesh's own."""
    mesh: TLSConfig
    """Of the mesh's own."""
    trust_domains: tuple[str, ...]
    """Whose workloads the mesh's own connections are taken from."""


@query
def server_demands(db: Reader) -> ServerDemands:
    """MeshConfig.tlsDefaults, meshMTLS, compliancePolicy, trustDomain and its aliases."""
    mesh = MESH_CONFIG.get(db)
    return ServerDemands(
        tls_demands(db),
        (mesh.tls_defaults or TLSConfig()).min_protocol_version,
        mesh.mesh_mtls or TLSConfig(),
        tuple(dict.fromkeys((mesh.trust_domain or "cluster.local", *mesh.trust_domain_aliases))),
    )


def mesh_context(certificates: Certificates, demands: ServerDemands, alpn: tuple[str, ...]) -> Any:
    """`DownstreamTlsContext` of mutual TLS between workloads of the mesh."""
    context = tls_pb2.DownstreamTlsContext()
    context.require_client_certificate.value = True
    common = context.common_tls_context
    common.alpn_protocols.extend(alpn)
    common.tls_certificate_sds_secret_configs.append(workload_certificate(certificates))
    combined = common.combined_validation_context
    combined.validation_context_sds_secret_config.CopyFrom(mesh_roots(certificates))
    for domain in demands.trust_domains:
        _add_name(
            combined.default_validation_context, common_pb2.SubjectAltNameMatcher.URI, prefix=f"spiffe://{domain}/"
        )
    parameters = common.tls_params
    parameters.tls_minimum_protocol_version = _MESH_VERSIONS.get(
        demands.mesh.min_protocol_version, common_pb2.TlsParameters.TLSv1_2
    )
    parameters.tls_maximum_protocol_version = common_pb2.TlsParameters.TLSv1_3
    parameters.cipher_suites.extend(demands.mesh.cipher_suites or _MESH_CIPHERS)
    comply(parameters, demands.general.compliance)
    return context


def can_terminate(tls: ServerTLSSettings, certificates: Certificates | None) -> bool:
    """Whether a proxy has what the settings of a server need: for ISTIO_MUTUAL an identity in the mesh."""
    return certificates is not None or tls.mode is not TLSmode.ISTIO_MUTUAL


def server_context(
    tls: ServerTLSSettings, certificates: Certificates | None, demands: ServerDemands, alpn: tuple[str, ...]
) -> Any:
    """`DownstreamTlsContext` of a server that terminates TLS as its settings say, where the proxy `can_terminate`."""
    context = tls_pb2.DownstreamTlsContext()
    context.require_client_certificate.value = tls.mode in (TLSmode.MUTUAL, TLSmode.ISTIO_MUTUAL)
    common = context.common_tls_context
    common.alpn_protocols.extend(alpn)
    _certificates(common, tls, certificates)
    if tls.mode in _CLIENT_CERTIFICATE:
        _client_verification(common, tls, certificates)
    if tls.mode is not TLSmode.ISTIO_MUTUAL:
        _parameters(common.tls_params, tls, demands)
    comply(common.tls_params, demands.general.compliance)
    return context


def transport_socket(chain: Any, context: Any) -> None:
    """Gives a `FilterChain` its TLS."""
    chain.transport_socket.name = "envoy.transport_sockets.tls"
    chain.transport_socket.typed_config.Pack(context)


def _certificates(common: Any, tls: ServerTLSSettings, certificates: Certificates | None) -> None:
    if tls.mode is TLSmode.ISTIO_MUTUAL:
        assert certificates is not None, "see can_terminate"
        common.tls_certificate_sds_secret_configs.append(workload_certificate(certificates))
    else:
        common.tls_certificate_sds_secret_configs.extend(credential(name) for name in certificate_resources(tls))


def _client_verification(common: Any, tls: ServerTLSSettings, certificates: Certificates | None) -> None:
    combined = common.combined_validation_context
    checks = combined.default_validation_context
    checks.SetInParent()
    if tls.mode is TLSmode.ISTIO_MUTUAL:
        assert certificates is not None, "see can_terminate"
        combined.validation_context_sds_secret_config.CopyFrom(mesh_roots(certificates))
        if tls.ca_crl:
            checks.crl.filename = tls.ca_crl
    else:
        combined.validation_context_sds_secret_config.CopyFrom(credential(authorities_resource(tls)))
    checks.verify_certificate_spki.extend(tls.verify_certificate_spki)
    checks.verify_certificate_hash.extend(tls.verify_certificate_hash)
    kinds = common_pb2.SubjectAltNameMatcher
    for name in tls.subject_alt_names:
        for kind in (kinds.URI, kinds.DNS, kinds.EMAIL, kinds.IP_ADDRESS):
            _add_name(checks, kind, exact=name)


def _add_name(checks: Any, kind: Any, **match: str) -> None:
    added = checks.match_typed_subject_alt_names.add(san_type=kind)
    for form, text in match.items():
        setattr(added.matcher, form, text)


def _parameters(parameters: Any, tls: ServerTLSSettings, demands: ServerDemands) -> None:
    """What the server says comes before what the mesh says; the rest is Envoy's default."""
    minimum = _VERSIONS.get(tls.min_protocol_version, _MESH_VERSIONS.get(demands.minimum))
    if minimum is not None:
        parameters.tls_minimum_protocol_version = minimum
    maximum = _VERSIONS.get(tls.max_protocol_version)
    if maximum is not None:
        parameters.tls_maximum_protocol_version = maximum
    parameters.cipher_suites.extend(usable(tls.cipher_suites) or demands.general.cipher_suites)
    parameters.ecdh_curves.extend(demands.general.curves)
