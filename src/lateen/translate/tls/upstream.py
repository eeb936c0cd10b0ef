"""TLS of connections to services: the mesh's own (ISTIO_MUTUAL), and what DestinationRules originate (SIMPLE, MUTUAL).

Everything here is made of serialised messages (`translate/wire.py`): a mesh has one of these per cluster.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any, Final

from envoy.config.core.v3 import base_pb2, proxy_protocol_pb2
from envoy.extensions.transport_sockets.proxy_protocol.v3 import upstream_proxy_protocol_pb2
from envoy.extensions.transport_sockets.raw_buffer.v3 import raw_buffer_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2

from lateen.api.networking.destination_rule import ClientTLSSettings, ProxyProtocolVersion
from lateen.engine import Reader, query
from lateen.model.client_secrets import certificate_secret, roots_secret
from lateen.model.proxy import Certificates
from lateen.translate.tls import alpn
from lateen.translate.tls.parameters import TlsDemands, client_parameters, tls_demands
from lateen.translate.tls.secret_references import credential, mesh_roots, workload_certificate
from lateen.translate.wire import any_type, embedded, sized, tag, text, unsigned

_TLS_SOCKET: Final = text(1, "envoy.transport_sockets.tls") + tag(3)
_TLS_CONTEXT: Final = any_type("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext") + tag(2)
_SERVER_NAME: Final = tag(2)
_SanType = common_pb2.SubjectAltNameMatcher


@query
def mesh_context(db: Reader, certificates: Certificates, protocols: tuple[str, ...]) -> bytes:
    """An `UpstreamTlsContext` of the mesh's TLS without server name and identities: the same for all services."""
    context = tls_pb2.UpstreamTlsContext()
    common = context.common_tls_context
    # tlsDefaults are not for the mesh's own TLS.
    common.tls_params.CopyFrom(client_parameters(TlsDemands(compliance=tls_demands(db).compliance)))
    common.tls_certificate_sds_secret_configs.append(workload_certificate(certificates))
    validation = common.combined_validation_context
    validation.default_validation_context.SetInParent()
    validation.validation_context_sds_secret_config.CopyFrom(mesh_roots(certificates))
    common.alpn_protocols.extend(protocols)
    return _serialised(context)


def expected_names(identities: Iterable[str]) -> bytes:
    """The part of an `UpstreamTlsContext` by which the server must show one of the identities; any of the mesh's will
    do when there are none."""
    names = b"".join([embedded(15, _san_matcher(identity)) for identity in identities])
    # common_tls_context.combined_validation_context.default_validation_context
    return embedded(1, embedded(8, embedded(1, names))) if names else b""


def mesh_tls(context: bytes, sni: str, expected: bytes) -> bytes:
    """A `TransportSocket` of the mesh's mutual TLS to one service (see `mesh_context`, `expected_names`)."""
    return tls_socket(b"".join((context, _SERVER_NAME, sized(sni.encode()), expected)))


def originated_tls(
    settings: ClientTLSSettings,
    names: tuple[str, ...],
    roots: str,
    demands: TlsDemands,
    *,
    is_http2: bool,
) -> bytes:
    """A `TransportSocket` for SIMPLE and MUTUAL. `names` stand in for `subjectAltNames` where there are none,
    `roots` (the system's, a file) for `caCertificates`."""
    context = tls_pb2.UpstreamTlsContext(sni=settings.sni)
    common = context.common_tls_context
    common.tls_params.CopyFrom(client_parameters(demands))
    if certificate := certificate_secret(settings):
        common.tls_certificate_sds_secret_configs.append(credential(certificate))
    _add_validation(common, roots_secret(settings, roots), settings.subject_alt_names or names)
    if is_http2:
        common.alpn_protocols.extend(alpn.H2)
    return tls_socket(_serialised(context))


def tls_socket(context: bytes) -> bytes:
    """A `TransportSocket` of a serialised `UpstreamTlsContext`."""
    return _TLS_SOCKET + sized(_TLS_CONTEXT + sized(context))


def _raw_buffer() -> Any:
    socket = base_pb2.TransportSocket(name="envoy.transport_sockets.raw_buffer")
    socket.typed_config.Pack(raw_buffer_pb2.RawBuffer())
    return socket


PLAIN: Final[bytes] = _raw_buffer().SerializeToString(deterministic=True)
"""A `TransportSocket` without TLS."""


def with_proxy_protocol(socket: bytes, version: ProxyProtocolVersion) -> bytes:
    """A `TransportSocket` that sends the PROXY protocol's header before anything else."""
    outer = upstream_proxy_protocol_pb2.ProxyProtocolUpstreamTransport()
    outer.config.version = getattr(proxy_protocol_pb2.ProxyProtocolConfig, version.value)
    outer.transport_socket.MergeFromString(socket)
    wrapped = base_pb2.TransportSocket(name="envoy.transport_sockets.upstream_proxy_protocol")
    wrapped.typed_config.Pack(outer, deterministic=True)
    return _serialised(wrapped)


# Of a TransportSocketMatch name and match. Endpoints carry the Struct {"tlsMode": "istio"} whose proxy takes the mesh's
# TLS; the empty one is for all others.
_MUTUAL_MATCH: Final = (
    text(1, "tlsMode-istio") + embedded(2, embedded(1, text(1, "tlsMode") + embedded(2, text(3, "istio")))) + tag(3)
)
_PLAIN_MATCH: Final = text(1, "tlsMode-disabled") + embedded(2, b"") + tag(3)
_MATCH: Final = tag(43)


def by_endpoint(mutual: bytes, plain: bytes) -> bytes:
    """A cluster's `transport_socket_matches`: each endpoint is spoken to as it says it can be (auto mTLS)."""
    return _MATCH + sized(_MUTUAL_MATCH + sized(mutual)) + _MATCH + sized(_PLAIN_MATCH + sized(plain))


def for_all(socket: bytes) -> bytes:
    """A cluster's `transport_socket`."""
    return embedded(24, socket)


def verifies_authority(settings: ClientTLSSettings) -> bool:
    """Whether the server's certificate is to be for the host that the request names: nothing else was said of it."""
    return not settings.sni and not settings.subject_alt_names and not settings.insecure_skip_verify


def _add_validation(common: Any, roots: str, names: Iterable[str]) -> None:
    if not roots:
        common.validation_context.SetInParent()
        return
    combined = common.combined_validation_context
    combined.validation_context_sds_secret_config.CopyFrom(credential(roots))
    combined.default_validation_context.SetInParent()
    for name in names:
        matcher = combined.default_validation_context.match_typed_subject_alt_names.add()
        matcher.MergeFromString(_san_matcher(name))


def _san_matcher(name: str) -> bytes:
    """A `SubjectAltNameMatcher` of exactly this name, of the type that it looks to be of."""
    return unsigned(1, _san_type(name)) + embedded(2, embedded(1, name.encode()))


def _san_type(name: str) -> int:
    if "://" in name:
        return int(_SanType.URI)
    if "@" in name:
        return int(_SanType.EMAIL)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return int(_SanType.DNS)
    return int(_SanType.IP_ADDRESS)


def _serialised(message: Any) -> bytes:
    return bytes(message.SerializeToString(deterministic=True))
