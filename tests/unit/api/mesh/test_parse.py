"""MeshConfig and MeshNetworks from YAML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.api.mesh.mesh_config import MeshConfig, OutboundTrafficPolicyMode
from lateen.api.mesh.mesh_networks import IstioNetworkGateway, MeshNetworks, Network, NetworkEndpoints
from lateen.api.mesh.parse import parse_mesh_config, parse_mesh_networks
from lateen.api.mesh.proxy_config import TracingServiceName
from lateen.api.schema.duration import Duration
from lateen.api.schema.fault import Fault, Severity


def good(text: str) -> MeshConfig:
    config, faults = parse_mesh_config(text)
    assert config is not None, faults
    return config


def faults(text: str) -> tuple[Fault, ...]:
    config, found = parse_mesh_config(text)
    assert (config is None) is any(fault.severity is Severity.ERROR for fault in found)
    return found


def errors(text: str) -> list[tuple[str, str]]:
    return [(fault.path, fault.message) for fault in faults(text) if fault.severity is Severity.ERROR]


def warnings(text: str) -> list[str]:
    return [fault.path for fault in faults(text) if fault.severity is Severity.WARNING]


# --- defaults and overrides ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "{}", "# nothing", "---"])
def test_nothing_is_the_default_without_a_fault(text: str) -> None:
    assert parse_mesh_config(text) == (MeshConfig(), ())


def test_the_defaults_are_istios() -> None:
    config = MeshConfig()
    assert (config.trust_domain, config.root_namespace) == ("cluster.local", "istio-system")
    assert config.outbound_traffic_policy.mode is OutboundTrafficPolicyMode.ALLOW_ANY
    assert (config.connect_timeout, config.dns_refresh_rate) == (Duration(10 * 10**9), Duration(60 * 10**9))
    assert (config.proxy_listen_port, config.proxy_inbound_listen_port) == (15001, 15006)
    assert config.enable_auto_mtls is True
    assert config.default_service_export_to == ("*",)
    assert config.default_config.discovery_address == "istiod.istio-system.svc:15012"
    assert [provider.name for provider in config.extension_providers] == ["prometheus", "stackdriver", "envoy"]


def test_what_is_written_overrides() -> None:
    config = good("""
    trustDomain: example.org
    connectTimeout: 3s
    outboundTrafficPolicy: {mode: REGISTRY_ONLY}
    meshMTLS: {minProtocolVersion: TLSV1_3}
    defaultServiceExportTo: [".", ns]
    discoverySelectors:
    - matchLabels: {mesh: "on"}
    """)
    assert config.trust_domain == "example.org"
    assert config.connect_timeout == Duration(3 * 10**9)
    assert config.outbound_traffic_policy.mode is OutboundTrafficPolicyMode.REGISTRY_ONLY
    assert config.mesh_mtls is not None
    assert config.default_service_export_to == (".", "ns")
    assert config.discovery_selectors[0].matches({"mesh": "on", "x": "y"})
    assert config.root_namespace == "istio-system"


def test_snake_case_is_taken_too() -> None:
    assert good("trust_domain: example.org").trust_domain == "example.org"


def test_the_default_of_proxies_is_merged_field_by_field() -> None:
    config = good("defaultConfig: {discoveryAddress: 'istiod.x:15012', tracingServiceName: CANONICAL_NAME_ONLY}")
    assert config.default_config.discovery_address == "istiod.x:15012"
    assert config.default_config.tracing_service_name is TracingServiceName.CANONICAL_NAME_ONLY
    assert config.default_config.status_port == 15020


def test_providers_are_added_to_the_built_in_ones_or_take_their_place() -> None:
    config = good("""
    extensionProviders:
    - {name: otel, opentelemetry: {service: otel.x.svc, port: 4317}}
    - {name: envoy, envoyFileAccessLog: {path: /tmp/log}}
    """)
    found = {provider.name: provider for provider in config.extension_providers}
    assert list(found) == ["prometheus", "stackdriver", "otel", "envoy"]
    assert found["envoy"].envoy_file_access_log is not None
    assert found["envoy"].envoy_file_access_log.path == "/tmp/log"


def test_aliases_of_the_trust_domain_are_a_set() -> None:
    assert good("trustDomainAliases: [b, a, b]").trust_domain_aliases == ("a", "b")


# --- text ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not YAML: line 2, column 1"),
        ("- a", "expected an object, got list"),
        ("trustDomain: a\ntrustDomain: b", "key 'trustDomain' again"),
        ("a: *b", "found undefined alias"),
        ("a: !!python/object:os.system x", "not YAML"),
        ("a: '" + "x" * 2_000_000 + "'", "longer than 1048576 characters"),
        ("[" * 5000 + "]" * 5000, "not YAML: nested too deeply"),
        ("[" * 100_000, "not YAML: nested too deeply"),
    ],
)
def test_what_is_no_configuration_at_all(text: str, message: str) -> None:
    [(path, found)] = errors(text)
    assert path == ""
    assert message in found


def test_a_billion_laughs() -> None:
    bomb = "\n".join(
        ["a: &a [x, x]", *(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]" for i in range(20))]
    )
    [(_, message)] = errors(bomb)
    assert "aliases stand for more than" in message


def test_dates_are_text() -> None:
    assert good("trustDomain: 2020-01-01").trust_domain == "2020-01-01"


@given(st.text(max_size=60))
def test_no_text_is_too_much(text: str) -> None:
    config, found = parse_mesh_config(text)
    assert config is not None or found


# --- faults -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("trustDomain: 7", "trustDomain"),
        ("trustDomain: a..b", "trustDomain"),
        ("trustDomain: ''", "trustDomain"),
        ("trustDomainAliases: [a, b_c]", "trustDomainAliases[1]"),
        ("connectTimeout: soon", "connectTimeout"),
        ("connectTimeout: 0s", "connectTimeout"),
        ("connectTimeout: 2h", "connectTimeout"),
        ("connectTimeout: 1.0005s", "connectTimeout"),
        ("protocolDetectionTimeout: 1us", "protocolDetectionTimeout"),
        ("dnsRefreshRate: 0s", "dnsRefreshRate"),
        ("proxyListenPort: 0", "proxyListenPort"),
        ("proxyInboundListenPort: 15001", "proxyInboundListenPort"),
        ("proxyHttpPort: 70000", "proxyHttpPort"),
        ("accessLogEncoding: XML", "accessLogEncoding"),
        ("defaultServiceExportTo: [a, '**']", "defaultServiceExportTo[1]"),
        ("serviceSettings: [{hosts: ['a.*']}]", "serviceSettings[0].hosts[0]"),
        (
            "discoverySelectors: [{matchExpressions: [{key: a, operator: In}]}]",
            "discoverySelectors[0].matchExpressions[0].values",
        ),
        (
            "serviceScopeConfigs: [{namespaceSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}]",
            "serviceScopeConfigs[0].namespaceSelector.matchExpressions[0].values",
        ),
        (
            "discoverySelectors: [{matchExpressions: [{key: a, operator: Near}]}]",
            "discoverySelectors[0].matchExpressions[0].operator",
        ),
        ("meshMTLS: {ecdhCurves: [P-256]}", "meshMTLS.ecdhCurves"),
        ("compliancePolicy: fips-1", "compliancePolicy"),
        ("caCertificates: [{pem: x}]", "caCertificates[0].pem"),
        ("caCertificates: [{}]", "caCertificates[0]"),
        ("caCertificates: [{pem: x, spiffeBundleUrl: y}]", "caCertificates[0].spiffeBundleUrl"),
        ("ca: {address: nowhere}", "ca.address"),
        ("ca: {}", "ca.address"),
        ("localityLbSetting: {failover: [{from: a, to: a}]}", "localityLbSetting.failover[0].to"),
        ("defaultConfig: {proxyAdminPort: 0}", "defaultConfig.proxyAdminPort"),
        ("defaultConfig: {statusPort: 65536}", "defaultConfig.statusPort"),
        ("defaultConfig: {configPath: ''}", "defaultConfig.configPath"),
        ("defaultConfig: {serviceCluster: ''}", "defaultConfig.serviceCluster"),
        (
            "defaultConfig: {serviceCluster: a, tracingServiceName: CANONICAL_NAME_ONLY}",
            "defaultConfig.tracingServiceName",
        ),
        ("defaultConfig: {drainDuration: 1.5s}", "defaultConfig.drainDuration"),
        ("defaultConfig: {discoveryAddress: istiod}", "defaultConfig.discoveryAddress"),
        ("defaultConfig: {discoveryAddress: 'istiod:0'}", "defaultConfig.discoveryAddress"),
        ("defaultConfig: {statsdUdpAddress: 'a_b:1'}", "defaultConfig.statsdUdpAddress"),
        ("defaultConfig: {envoyAccessLogService: {address: x}}", "defaultConfig.envoyAccessLogService.address"),
        ("defaultConfig: {controlPlaneAuthPolicy: INHERIT}", "defaultConfig.controlPlaneAuthPolicy"),
        ("defaultConfig: {concurrency: -1}", "defaultConfig.concurrency"),
        ("defaultConfig: {tracing: {zipkin: {address: x}}}", "defaultConfig.tracing.zipkin.address"),
        ("defaultConfig: {tracing: {lightstep: {address: 'a:1'}}}", "defaultConfig.tracing.lightstep.accessToken"),
        ("defaultConfig: {tracing: {sampling: 101}}", "defaultConfig.tracing.sampling"),
        (
            "defaultConfig: {tracing: {tlsSettings: {mode: MUTUAL, clientCertificate: a}}}",
            "defaultConfig.tracing.tlsSettings.privateKey",
        ),
        ("defaultConfig: {privateKeyProvider: {}}", "defaultConfig.privateKeyProvider"),
        (
            "defaultConfig: {privateKeyProvider: {qat: {pollDelay: 0s}}}",
            "defaultConfig.privateKeyProvider.qat.pollDelay",
        ),
    ],
)
def test_errors_are_located(text: str, path: str) -> None:
    assert [where for where, _ in errors(text)] == [path]


@pytest.mark.parametrize(
    "text",
    [
        "defaultConfig: {tracing: {datadog: {address: '$(HOST_IP):8126'}}}",
        "defaultConfig: {discoveryAddress: '[::1]:15012'}",
        "defaultConfig: {statsdUdpAddress: '10.0.0.1:9125'}",
        "defaultServiceExportTo: ['~']",
        "compliancePolicy: pqc",
        "protocolDetectionTimeout: 0s",
        "serviceSettings: [{hosts: ['*.ns.svc.cluster.local'], settings: {clusterLocal: true}}]",
    ],
)
def test_what_is_right(text: str) -> None:
    assert errors(text) == []


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("nonsense: {a: 1}", ["nonsense"]),
        ("defaultConfig: {nonsense: 1}", ["defaultConfig.nonsense"]),
        (
            "extensionProviders: [{name: a, zipkin: {service: a.b, port: 1, x: 1}}]",
            ["extensionProviders[0].zipkin.x", "extensionProviders"],
        ),
        ("accessLogFile: /dev/stdout", []),
        ("accessLogFile: ''", []),
        ("enableTracing: false", ["enableTracing"]),
        ("defaultConfig: {concurrency: 4}", []),
        ("defaultConfig: {statNameLength: 4}", ["defaultConfig.statNameLength"]),
        ("defaultConfig: {proxyHeaders: {server: {disabled: true}}}", []),
        (
            "defaultConfig: {proxyHeaders: {metadataExchangeHeaders: {mode: IN_MESH}, xForwardedHost: {}}}",
            ["defaultConfig.proxyHeaders.metadataExchangeHeaders"],
        ),
        ("defaultConfig: {zipkinAddress: 'z:1'}", ["defaultConfig.zipkinAddress", "defaultConfig.zipkinAddress"]),
        ("defaultHttpRetryPolicy: {attempts: 3, retryOn: '5xx,503'}", []),
        ("defaultHttpRetryPolicy: {attempts: 3, retryOn: 5xx;reset}", ["defaultHttpRetryPolicy.retryOn"]),
        ("defaultHttpRetryPolicy: {perTryTimeout: 1s}", ["defaultHttpRetryPolicy.attempts"]),
        ("tlsDefaults: {ecdhCurves: [P-256, P-7, P-256]}", ["tlsDefaults.ecdhCurves[1]", "tlsDefaults.ecdhCurves[2]"]),
        ("defaultProviders: {tracing: [none]}", ["defaultProviders.tracing[0]", "defaultProviders.tracing"]),
    ],
)
def test_warnings_are_located(text: str, paths: list[str]) -> None:
    assert warnings(text) == paths
    assert errors(text) == []


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        ("{name: a}", "extensionProviders[a]"),
        ("{name: a, zipkin: {service: a/b/c, port: 1}}", "extensionProviders[a].zipkin.service"),
        ("{name: a, zipkin: {service: x/a.b, port: 0}}", "extensionProviders[a].zipkin.port"),
        ("{name: a, lightstep: {service: a.b, port: 1}}", "extensionProviders[a].lightstep"),
        (
            "{name: a, envoyExtAuthzHttp: {service: a.b, port: 1, statusOnError: x}}",
            "extensionProviders[a].envoyExtAuthzHttp.statusOnError",
        ),
        (
            "{name: a, envoyExtAuthzHttp: {service: a.b, port: 1, pathPrefix: x}}",
            "extensionProviders[a].envoyExtAuthzHttp.pathPrefix",
        ),
        (
            "{name: a, envoyExtAuthzHttp: {service: a.b, port: 1, headersToUpstreamOnAllow: [a, 'a*b']}}",
            "extensionProviders[a].envoyExtAuthzHttp.headersToUpstreamOnAllow[1]",
        ),
    ],
)
def test_wrong_providers_are_warned_about(provider: str, path: str) -> None:
    assert warnings(f"extensionProviders: [{provider}]") == [path, "extensionProviders"]


def test_two_kinds_in_one_provider() -> None:
    text = "extensionProviders: [{name: a, prometheus: {}, zipkin: {service: a.b, port: 1}}]"
    [(path, message)] = errors(text)
    assert path.startswith("extensionProviders[0].")
    assert "exclude each other" in message


# --- networks -----------------------------------------------------------------------------------------------------


def test_networks() -> None:
    found = parse_mesh_networks("""
    networks:
      north:
        endpoints: [{fromCidr: 10.0.0.0/8}, {fromRegistry: cluster-1}]
        gateways: [{address: 1.2.3.4, port: 443}, {registryServiceName: gw.x.svc.cluster.local, port: 443}]
    """)
    network = Network(
        endpoints=(NetworkEndpoints(from_cidr="10.0.0.0/8"), NetworkEndpoints(from_registry="cluster-1")),
        gateways=(
            IstioNetworkGateway(address="1.2.3.4", port=443),
            IstioNetworkGateway(registry_service_name="gw.x.svc.cluster.local", port=443),
        ),
    )
    assert found == (MeshNetworks(networks={"north": network}), ())
    assert parse_mesh_networks("") == (MeshNetworks(), ())


@pytest.mark.parametrize(
    ("network", "path"),
    [
        ("{endpoints: [{fromCidr: 10.0.0.0/33}]}", "networks[n].endpoints[0].fromCidr"),
        ("{endpoints: [{fromRegistry: a_b}]}", "networks[n].endpoints[0].fromRegistry"),
        ("{endpoints: [{}]}", "networks[n].endpoints[0]"),
        ("{gateways: [{address: a_b, port: 1}]}", "networks[n].gateways[0].address"),
        ("{gateways: [{registryServiceName: '*', port: 1}]}", "networks[n].gateways[0].registryServiceName"),
        ("{gateways: [{port: 1}]}", "networks[n].gateways[0]"),
        ("{gateways: [{address: 1.2.3.4, port: 0}]}", "networks[n].gateways[0].port"),
        ("{gateways: 7}", "networks[n].gateways"),
    ],
)
def test_faults_of_networks(network: str, path: str) -> None:
    networks, found = parse_mesh_networks(f"networks: {{n: {network}}}")
    assert networks is None
    assert [fault.path for fault in found] == [path]
