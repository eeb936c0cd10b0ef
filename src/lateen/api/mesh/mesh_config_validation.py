"""What is wrong with a MeshConfig beyond its types (Istio: ValidateMeshConfig)."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.mesh.access_log_format import access_log_format_faults
from lateen.api.mesh.extension_provider_validation import validate_extension_providers
from lateen.api.mesh.label_selector import LabelSelector, SelectorOperator
from lateen.api.mesh.mesh_config import CertificateData, MeshConfig
from lateen.api.mesh.not_honoured import not_honoured
from lateen.api.mesh.proxy_config_validation import validate_proxy_config, wrong_host_port
from lateen.api.networking.http_route_validation import retry_faults
from lateen.api.networking.locality_validation import locality_faults
from lateen.api.schema.duration import Duration
from lateen.api.schema.fault import Fault, error, warning
from lateen.api.schema.hostnames import is_dns_label, wrong_wildcard_host

_MILLISECOND = 1_000_000
_HOUR = 3_600_000_000_000
_CURVES = frozenset({"X25519", "P-256", "P-384", "P-521", "X25519MLKEM768"})
_COMPLIANCE_POLICIES = ("", "fips-140-2", "pqc")


def validate_mesh_config(config: MeshConfig) -> Iterator[Fault]:
    """Faults located as users write them (`defaultConfig.proxyAdminPort`); warnings too."""
    yield from _ports(config)
    yield from _durations(config)
    yield from validate_proxy_config(config.default_config, "defaultConfig")
    yield from locality_faults("localityLbSetting", config.locality_lb_setting, detects_outliers=True)
    yield from _retries(config)
    yield from _trust_domains(config)
    yield from _export_to(config)
    yield from _service_settings(config)
    yield from _selectors(config)
    yield from _tls(config)
    yield from _certificates(config)
    yield from _external(config)
    yield from validate_extension_providers(config.extension_providers, "extensionProviders")
    yield from _default_providers(config)
    yield from access_log_format_faults(config)
    yield from not_honoured(config)


def _ports(config: MeshConfig) -> Iterator[Fault]:
    for name, port in (
        ("proxyListenPort", config.proxy_listen_port),
        ("proxyInboundListenPort", config.proxy_inbound_listen_port),
    ):
        if not 1 <= port <= 65535:
            yield error(name, f"expected a port from 1 to 65535, got {port}")
    if not 0 <= config.proxy_http_port <= 65535:
        yield error("proxyHttpPort", f"expected a port from 1 to 65535, or 0 for none, got {config.proxy_http_port}")
    if config.proxy_listen_port == config.proxy_inbound_listen_port:
        yield error("proxyInboundListenPort", f"the same port as proxyListenPort: {config.proxy_listen_port}")


def _durations(config: MeshConfig) -> Iterator[Fault]:
    timeout = config.connect_timeout
    if timeout is not None and not _MILLISECOND <= timeout.nanoseconds <= _HOUR:
        yield error("connectTimeout", "expected 1ms to 1h")
    for name, duration in (
        ("connectTimeout", timeout),
        ("protocolDetectionTimeout", config.protocol_detection_timeout),
        ("dnsRefreshRate", config.dns_refresh_rate),
    ):
        if duration is not None and (duration.nanoseconds < 0 or duration.nanoseconds % _MILLISECOND):
            yield error(name, "expected whole milliseconds, not negative")
    if config.dns_refresh_rate is not None and config.dns_refresh_rate == Duration(0):
        yield error("dnsRefreshRate", "expected at least 1ms")


def _retries(config: MeshConfig) -> Iterator[Fault]:
    """Warnings, unlike those of a route: Istio takes a mesh with them, and proxies do as far as they understand it."""
    if config.default_http_retry_policy is not None:
        for fault in retry_faults("defaultHttpRetryPolicy", config.default_http_retry_policy):
            yield warning(fault.path, fault.message)


def _trust_domains(config: MeshConfig) -> Iterator[Fault]:
    yield from _trust_domain("trustDomain", config.trust_domain)
    for index, alias in enumerate(config.trust_domain_aliases):
        yield from _trust_domain(f"trustDomainAliases[{index}]", alias)


def _trust_domain(path: str, domain: str) -> Iterator[Fault]:
    labels = domain.removesuffix(".").split(".")
    if not all(is_dns_label(label) for label in labels):
        yield error(path, f"{domain!r} is not a trust domain: expected DNS labels, separated by dots")


def _export_to(config: MeshConfig) -> Iterator[Fault]:
    for name, namespaces in (
        ("defaultServiceExportTo", config.default_service_export_to),
        ("defaultVirtualServiceExportTo", config.default_virtual_service_export_to),
        ("defaultDestinationRuleExportTo", config.default_destination_rule_export_to),
    ):
        for index, namespace in enumerate(namespaces):
            if namespace not in ("*", ".", "~") and not is_dns_label(namespace):
                yield error(f"{name}[{index}]", f"{namespace!r} is neither a namespace nor one of `*`, `.`, `~`")


def _service_settings(config: MeshConfig) -> Iterator[Fault]:
    for index, settings in enumerate(config.service_settings):
        for at, host in enumerate(settings.hosts):
            wrong = wrong_wildcard_host(host)
            if wrong:
                yield error(f"serviceSettings[{index}].hosts[{at}]", wrong)


def _selectors(config: MeshConfig) -> Iterator[Fault]:
    for index, selector in enumerate(config.discovery_selectors):
        yield from _selector(selector, f"discoverySelectors[{index}]")
    for index, scope in enumerate(config.service_scope_configs):
        for name, found in (
            ("servicesSelector", scope.services_selector),
            ("namespaceSelector", scope.namespace_selector),
        ):
            if found is not None:
                yield from _selector(found, f"serviceScopeConfigs[{index}].{name}")


def _selector(selector: LabelSelector, path: str) -> Iterator[Fault]:
    for index, requirement in enumerate(selector.match_expressions):
        where = f"{path}.matchExpressions[{index}].values"
        takes_values = requirement.operator in (SelectorOperator.IN, SelectorOperator.NOT_IN)
        if takes_values and not requirement.values:
            yield error(where, f"required with operator {requirement.operator.value}")
        if not takes_values and requirement.values:
            yield error(where, f"does not go with operator {requirement.operator.value}")


def _tls(config: MeshConfig) -> Iterator[Fault]:
    if config.mesh_mtls is not None and config.mesh_mtls.ecdh_curves:
        yield error("meshMTLS.ecdhCurves", "TLS between workloads does not take curves")
    if config.tls_defaults is not None:
        seen = set()
        for index, curve in enumerate(config.tls_defaults.ecdh_curves):
            path = f"tlsDefaults.ecdhCurves[{index}]"
            if curve not in _CURVES:
                yield warning(path, f"not a curve that Envoy knows: {curve!r}")
            elif curve in seen:
                yield warning(path, f"{curve} again")
            seen.add(curve)
    if config.compliance_policy not in _COMPLIANCE_POLICIES:
        yield error("compliancePolicy", f"expected fips-140-2 or pqc, got {config.compliance_policy!r}")


def _certificates(config: MeshConfig) -> Iterator[Fault]:
    for index, certificate in enumerate(config.ca_certificates):
        yield from _certificate(certificate, f"caCertificates[{index}]")


def _certificate(certificate: CertificateData, path: str) -> Iterator[Fault]:
    if not certificate.pem and not certificate.spiffe_bundle_url:
        yield error(path, "one of pem, spiffeBundleUrl is required")
    if certificate.pem and "-----BEGIN CERTIFICATE-----" not in certificate.pem:
        yield error(f"{path}.pem", "no PEM certificate in it")


def _external(config: MeshConfig) -> Iterator[Fault]:
    if config.ca is not None and wrong_host_port(config.ca.address):
        yield error("ca.address", wrong_host_port(config.ca.address))


def _default_providers(config: MeshConfig) -> Iterator[Fault]:
    known = {provider.name for provider in config.extension_providers}
    for field, names in (
        ("tracing", config.default_providers.tracing),
        ("metrics", config.default_providers.metrics),
        ("accessLogging", config.default_providers.access_logging),
    ):
        for index, name in enumerate(names):
            if name not in known:
                yield warning(f"defaultProviders.{field}[{index}]", f"no extension provider is called {name!r}")
