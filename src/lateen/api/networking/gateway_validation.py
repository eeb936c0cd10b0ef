"""What a Gateway must keep to beyond its types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from lateen.api.networking.cipher_suites import is_known
from lateen.api.networking.gateway import Gateway, Port, Server, ServerTLSSettings, TLSmode, TLSProtocol
from lateen.api.networking.port_protocols import HTTP_PROTOCOLS, PROTOCOLS, TLS_PROTOCOLS
from lateen.api.objects import Object
from lateen.api.schema.fault import Fault, error, warning
from lateen.api.schema.hostnames import (
    UNIX_PREFIX,
    is_dns_label,
    wrong_address,
    wrong_unix_address,
    wrong_wildcard_host,
)

_TERMINATING = frozenset({TLSmode.SIMPLE, TLSmode.MUTUAL, TLSmode.OPTIONAL_MUTUAL})
_CLIENT_CERTIFICATES = frozenset({TLSmode.MUTUAL, TLSmode.OPTIONAL_MUTUAL})
_PASSTHROUGH = frozenset({TLSmode.PASSTHROUGH, TLSmode.AUTO_PASSTHROUGH})
_OLD = frozenset({TLSProtocol.TLSV1_0, TLSProtocol.TLSV1_1})


def validate(obj: Object[Gateway]) -> Iterator[Fault]:
    """Faults of a Gateway."""
    if not is_dns_label(obj.metadata.name):
        yield error("metadata.name", f"must be a DNS label (no dots), not {obj.metadata.name!r}")
    if not obj.spec.servers:
        yield error("spec.servers", "must have at least one server")
    first: dict[str, int] = {}
    for index, server in enumerate(obj.spec.servers):
        path = f"spec.servers[{index}]"
        yield from _server(path, server)
        earlier = first.setdefault(server.port.name, index)
        if server.port.name and earlier != index:
            yield error(
                f"{path}.port.name", f"must be unique: spec.servers[{earlier}] is named {server.port.name!r} too"
            )


def _server(path: str, server: Server) -> Iterator[Fault]:
    if not server.hosts:
        yield error(f"{path}.hosts", "must contain at least one host")
    by_name = server.port.protocol.upper() in TLS_PROTOCOLS
    for index, host in enumerate(server.hosts):
        name = host.rpartition("/")[2]
        if wrong := _wrong_host(host):
            yield error(f"{path}.hosts[{index}]", wrong)
        elif by_name and name.startswith("*") and not name.startswith("*.") and name != "*":
            yield error(f"{path}.hosts[{index}]", f"must not have a wildcard in a part of a label with TLS: {host!r}")
    yield from _port(f"{path}.port", server.port, server.bind)
    yield from _bind(path, server)
    if server.tls is not None:
        yield from validate_tls(f"{path}.tls", server.tls)
    yield from _tls_for_protocol(path, server)
    if server.default_endpoint:
        yield warning(f"{path}.defaultEndpoint", "has no effect: routes come from VirtualServices")
    if server.name:
        yield warning(f"{path}.name", "has no effect: statistics are named by address and port")


def _wrong_host(host: str) -> str:
    namespace, slash, name = host.partition("/")
    if not slash:
        return wrong_wildcard_host(host)
    if "/" in name or not namespace or not name:
        return f"must be NAMESPACE/HOST or HOST, not {host!r}"
    if namespace not in ("*", ".") and not is_dns_label(namespace):
        return f"must begin with a namespace, '*' or '.', not {namespace!r}"
    return wrong_wildcard_host(name)


def _port(path: str, port: Port, bind: str) -> Iterator[Fault]:
    if port.protocol.upper() not in PROTOCOLS - {"UDP", "HTTP_PROXY", "HBONE"}:
        expected = "HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TLS, TCP, MONGO, MYSQL or REDIS"
        yield error(f"{path}.protocol", f"must be {expected}, not {port.protocol!r}")
    unix = bind.startswith(UNIX_PREFIX)
    if unix and port.number:
        yield error(f"{path}.number", "must be 0 for a unix domain socket")
    elif not unix and not 1 <= port.number <= 65535:
        yield error(f"{path}.number", f"must be 1 to 65535, not {port.number}")
    if port.target_port:
        yield error(f"{path}.targetPort", "has no effect on gateways: the gateway's Service maps ports")
    if not port.name:
        yield error(f"{path}.name", "must be set")


def _bind(path: str, server: Server) -> Iterator[Fault]:
    if server.bind.startswith(UNIX_PREFIX):
        wrong = wrong_unix_address(server.bind.removeprefix(UNIX_PREFIX))
    else:
        wrong = wrong_address(server.bind) if server.bind else ""
    if wrong:
        yield error(f"{path}.bind", wrong)


def _tls_for_protocol(path: str, server: Server) -> Iterator[Fault]:
    """Whether the protocol asks for TLS settings, or allows of them."""
    protocol, tls = server.port.protocol.upper(), server.tls
    if protocol in TLS_PROTOCOLS:
        if tls is None:
            yield error(f"{path}.tls", f"is required for {protocol}")
    elif tls is not None and protocol in HTTP_PROTOCOLS:
        if tls.mode not in _PASSTHROUGH or tls.server_certificate or tls.private_key or tls.ca_certificates:
            yield error(f"{path}.tls", f"may only set httpsRedirect on a plain text {protocol} port")
    elif tls is not None and protocol in PROTOCOLS:
        yield error(f"{path}.tls", f"is not possible for {protocol}: use TLS or HTTPS as the protocol")
    if tls is not None and tls.https_redirect and protocol not in HTTP_PROTOCOLS:
        yield warning(f"{path}.tls.httpsRedirect", "has no effect: only plain text HTTP is redirected")


def validate_tls(path: str, tls: ServerTLSSettings) -> Iterator[Fault]:
    """Faults of the TLS settings of a gateway's server or of a Sidecar's ingress listener."""
    yield from _versions(path, tls)
    yield from _ciphers(path, tls)
    sources = _certificate_sources(tls)
    if tls.mode is TLSmode.ISTIO_MUTUAL:
        authorities = [n for n, v in _authorities(tls) if v]
        for name in (*sources, *authorities):
            yield error(f"{path}.{name}", "must be empty with ISTIO_MUTUAL: the workload's own certificate is used")
        return
    if tls.mode in _PASSTHROUGH:
        unused = [n for n, v in (*_authorities(tls), ("caCrl", tls.ca_crl)) if v]
        for name in (*sources, *unused):
            yield warning(f"{path}.{name}", f"has no effect: {tls.mode.value} does not terminate TLS")
        return
    if len(sources) > 1:
        yield error(path, f"must have one source of certificates, not several: {', '.join(sources)}")
    yield from _certificates(path, tls, sources)
    yield from _client_verification(path, tls)


def _certificate_sources(tls: ServerTLSSettings) -> tuple[str, ...]:
    given = {
        "credentialName": tls.credential_name,
        "credentialNames": tls.credential_names,
        "tlsCertificates": tls.tls_certificates,
        "serverCertificate": tls.server_certificate,
        "privateKey": not tls.server_certificate and tls.private_key,
    }
    return tuple(name for name, value in given.items() if value)


def _authorities(tls: ServerTLSSettings) -> tuple[tuple[str, str], ...]:
    return (("caCertificates", tls.ca_certificates), ("caCertCredentialName", tls.ca_cert_credential_name))


def _versions(path: str, tls: ServerTLSSettings) -> Iterator[Fault]:
    if tls.min_protocol_version in _OLD and not tls.cipher_suites:
        yield warning(f"{path}.minProtocolVersion", "versions below 1.2 need cipherSuites that they know")
    order = list(TLSProtocol)
    lowest, highest = tls.min_protocol_version, tls.max_protocol_version
    if TLSProtocol.TLS_AUTO not in (lowest, highest) and order.index(lowest) > order.index(highest):
        yield error(f"{path}.minProtocolVersion", f"must not be above maxProtocolVersion ({highest.value})")


def _ciphers(path: str, tls: ServerTLSSettings) -> Iterator[Fault]:
    for suite, count in Counter(tls.cipher_suites).items():
        where = f"{path}.cipherSuites[{tls.cipher_suites.index(suite)}]"
        if not is_known(suite):
            yield warning(where, f"is ignored: {suite!r} is not a known cipher suite")
        elif count > 1:
            yield warning(where, f"is given {count} times: {suite!r}")


def _certificates(path: str, tls: ServerTLSSettings, sources: tuple[str, ...]) -> Iterator[Fault]:
    if tls.tls_certificates:
        for index, pair in enumerate(tls.tls_certificates):
            if not pair.server_certificate:
                yield error(f"{path}.tlsCertificates[{index}].serverCertificate", "is required")
            if not pair.private_key:
                yield error(f"{path}.tlsCertificates[{index}].privateKey", "is required")
    elif sources in ((), ("serverCertificate",), ("privateKey",)):
        if not tls.server_certificate:
            yield error(f"{path}.serverCertificate", f"is required by {tls.mode.value} without credentialName")
        if not tls.private_key:
            yield error(f"{path}.privateKey", f"is required by {tls.mode.value} without credentialName")


def _client_verification(path: str, tls: ServerTLSSettings) -> Iterator[Fault]:
    credential = tls.credential_name or tls.credential_names
    if tls.mode in _CLIENT_CERTIFICATES:
        given = (
            tls.ca_certificates or tls.ca_cert_credential_name or any(p.ca_certificates for p in tls.tls_certificates)
        )
        if not credential and not given:
            yield error(f"{path}.caCertificates", f"is required by {tls.mode.value} without credentialName")
        if tls.ca_certificates and tls.ca_cert_credential_name:
            yield error(f"{path}.caCertCredentialName", "must be empty when caCertificates is set")
    else:
        names = ("subjectAltNames", "verifyCertificateSpki", "verifyCertificateHash", "caCertCredentialName")
        values = (
            tls.subject_alt_names,
            tls.verify_certificate_spki,
            tls.verify_certificate_hash,
            tls.ca_cert_credential_name,
        )
        for name, value in zip(names, values, strict=True):
            if value:
                yield warning(f"{path}.{name}", "has no effect: SIMPLE asks for no client certificate")
    if tls.ca_crl and credential:
        yield error(f"{path}.caCrl", "must be empty with credentialName: the credential holds it (key `ca.crl`)")
    elif tls.ca_crl and tls.mode is TLSmode.SIMPLE:
        yield error(f"{path}.caCrl", "is not possible with SIMPLE: there are no client certificates")
