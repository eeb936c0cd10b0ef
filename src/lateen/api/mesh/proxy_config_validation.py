"""What is wrong with the mesh's ProxyConfig beyond its types (Istio: ValidateMeshConfigProxyConfig)."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.mesh.proxy_config import (
    QAT,
    AuthenticationPolicy,
    CryptoMb,
    PrivateKeyProvider,
    ProxyConfig,
)
from lateen.api.mesh.tracing import Tracing
from lateen.api.networking.destination_rule import ClientTLSSettings, TLSmode
from lateen.api.schema.fault import Fault, error, warning
from lateen.api.schema.hostnames import wrong_address, wrong_fqdn

_SECOND = 1_000_000_000
_HOST_IP = "$(HOST_IP)"
"""Stands for the node's address in addresses of tracers."""


def validate_proxy_config(config: ProxyConfig, path: str) -> Iterator[Fault]:
    """Faults located below `path`."""
    for name, text in (("configPath", config.config_path), ("binaryPath", config.binary_path)):
        if not text:
            yield error(f"{path}.{name}", "must not be empty")
    if config.service_cluster == "":
        yield error(f"{path}.serviceCluster", "must not be empty")
    yield from _drain(config, path)
    yield from _addresses(config, path)
    for name, port in (("proxyAdminPort", config.proxy_admin_port), ("statusPort", config.status_port)):
        if not 1 <= port <= 65535:
            yield error(f"{path}.{name}", f"expected a port from 1 to 65535, got {port}")
    if config.control_plane_auth_policy is AuthenticationPolicy.INHERIT:
        yield error(f"{path}.controlPlaneAuthPolicy", "expected NONE or MUTUAL_TLS: there is nothing to inherit from")
    if config.concurrency is not None and config.concurrency < 0:
        yield error(f"{path}.concurrency", f"expected 0 or more, got {config.concurrency}")
    if config.tracing is not None:
        yield from _tracing(config.tracing, f"{path}.tracing")
    if config.private_key_provider is not None:
        yield from _private_key_provider(config.private_key_provider, f"{path}.privateKeyProvider")
    yield from _deprecated(config, path)


def _drain(config: ProxyConfig, path: str) -> Iterator[Fault]:
    drain = config.drain_duration
    if drain is None or drain.nanoseconds < _SECOND or drain.nanoseconds % _SECOND:
        yield error(f"{path}.drainDuration", "expected whole seconds, at least one")
    termination = config.termination_drain_duration
    if termination is not None and termination.nanoseconds < 0:
        yield error(f"{path}.terminationDrainDuration", "must not be negative")


def _addresses(config: ProxyConfig, path: str) -> Iterator[Fault]:
    wrong = wrong_host_port(config.discovery_address)
    if wrong:
        yield error(f"{path}.discoveryAddress", wrong)
    services = (
        ("envoyMetricsService", config.envoy_metrics_service),
        ("envoyAccessLogService", config.envoy_access_log_service),
    )
    optional = [
        ("statsdUdpAddress", config.statsd_udp_address),
        ("envoyMetricsServiceAddress", config.envoy_metrics_service_address),
        *((f"{name}.address", service.address) for name, service in services if service is not None),
    ]
    for name, address in optional:
        if address and wrong_host_port(address):
            yield error(f"{path}.{name}", wrong_host_port(address))


def _tracing(tracing: Tracing, path: str) -> Iterator[Fault]:
    if tracing.lightstep is not None:
        yield from _tracer(tracing.lightstep.address, f"{path}.lightstep.address")
        if not tracing.lightstep.access_token:
            yield error(f"{path}.lightstep.accessToken", "must not be empty")
    if tracing.zipkin is not None:
        yield from _tracer(tracing.zipkin.address.replace(_HOST_IP, "127.0.0.1", 1), f"{path}.zipkin.address")
    if tracing.datadog is not None:
        yield from _tracer(tracing.datadog.address.replace(_HOST_IP, "127.0.0.1", 1), f"{path}.datadog.address")
    if tracing.tls_settings is not None:
        yield from validate_client_tls(tracing.tls_settings, f"{path}.tlsSettings")


def _tracer(address: str, path: str) -> Iterator[Fault]:
    wrong = wrong_host_port(address)
    if wrong:
        yield error(path, wrong)


def validate_client_tls(settings: ClientTLSSettings, path: str) -> Iterator[Fault]:
    """What is wrong with how a connection of the control plane or of a tracer is secured (Istio: ValidateTLS)."""
    if settings.insecure_skip_verify and settings.mode in (TLSmode.SIMPLE, TLSmode.MUTUAL):
        excluded = [("caCertificates", settings.ca_certificates), ("subjectAltNames", settings.subject_alt_names)]
        if settings.mode is TLSmode.SIMPLE:
            excluded.append(("credentialName", settings.credential_name))
        for name, value in excluded:
            if value:
                yield error(f"{path}.{name}", "excludes insecureSkipVerify")
    if settings.credential_name and settings.mode in (TLSmode.SIMPLE, TLSmode.MUTUAL):
        for name, text in (
            ("clientCertificate", settings.client_certificate),
            ("privateKey", settings.private_key),
            ("caCertificates", settings.ca_certificates),
            ("caCrl", settings.ca_crl),
        ):
            if text:
                yield error(f"{path}.{name}", "excludes credentialName")
    elif settings.mode is TLSmode.MUTUAL:
        for name, text in (
            ("clientCertificate", settings.client_certificate),
            ("privateKey", settings.private_key),
        ):
            if not text:
                yield error(f"{path}.{name}", "required with mode MUTUAL")


def _private_key_provider(provider: PrivateKeyProvider, path: str) -> Iterator[Fault]:
    if provider.cryptomb is None and provider.qat is None:
        yield error(path, "one of cryptomb, qat is required")
    if provider.cryptomb is not None:
        yield from _poll_delay(provider.cryptomb, f"{path}.cryptomb")
    if provider.qat is not None:
        yield from _poll_delay(provider.qat, f"{path}.qat")


def _poll_delay(provider: CryptoMb | QAT, path: str) -> Iterator[Fault]:
    if provider.poll_delay is None or not provider.poll_delay.nanoseconds:
        yield error(f"{path}.pollDelay", "required, and not zero")


def _deprecated(config: ProxyConfig, path: str) -> Iterator[Fault]:
    for name, value, successor in (
        ("zipkinAddress", config.zipkin_address, "tracing.zipkin.address"),
        ("envoyMetricsServiceAddress", config.envoy_metrics_service_address, "envoyMetricsService"),
    ):
        if value:
            yield warning(f"{path}.{name}", f"deprecated: use {successor}")


def wrong_host_port(address: str) -> str:
    """What is wrong with a `host:port` address; empty when nothing is."""
    host, colon, port = address.rpartition(":")
    if not colon or not host:
        return f"expected host:port, got {address!r}"
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        return f"expected a port from 1 to 65535 after the colon, got {port[:20]!r}"
    if wrong_fqdn(host) and wrong_address(host):
        return f"{host!r} is neither a host name nor an IP address"
    return ""
