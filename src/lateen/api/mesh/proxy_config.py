"""mesh/v1alpha1 ProxyConfig: how a proxy is started; mesh-wide in MeshConfig.defaultConfig, or by pod annotation.

Defaults are Istio's. What a proxy reads at start takes effect when its workload restarts.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

import msgspec

from lateen.api.mesh.tracing import Tracing
from lateen.api.networking.destination_rule import ClientTLSSettings, TcpKeepalive
from lateen.api.networking.proxy_config import ProxyImage
from lateen.api.networking.workload_group import ReadinessProbe
from lateen.api.schema.duration import Duration
from lateen.api.schema.message import Int32, Message, UInt32

_SECOND = 1_000_000_000


class AuthenticationPolicy(Enum):
    """How a proxy and its control plane know each other."""

    NONE = "NONE"
    """Plaintext."""
    MUTUAL_TLS = "MUTUAL_TLS"
    """Mutual TLS."""
    INHERIT = "INHERIT"
    """Not allowed in MeshConfig."""

    __numbers__ = {"INHERIT": 1000}


class SDS(Message, frozen=True, kw_only=True):
    """Deprecated: SDS is always on."""

    enabled: bool = False
    """Without effect in Istio."""
    k8s_sa_jwt_path: str = msgspec.field(default="", name="k8sSaJwtPath")
    """Without effect in Istio."""


class ForwardClientCertDetails(Enum):
    """What becomes of the header `x-forwarded-client-cert`."""

    UNDEFINED = "UNDEFINED"
    SANITIZE = "SANITIZE"
    """Removed."""
    FORWARD_ONLY = "FORWARD_ONLY"
    """Forwarded where the client showed a certificate."""
    APPEND_FORWARD = "APPEND_FORWARD"
    """The client's certificate is added to it."""
    SANITIZE_SET = "SANITIZE_SET"
    """Replaced by the client's certificate."""
    ALWAYS_FORWARD_ONLY = "ALWAYS_FORWARD_ONLY"
    """Forwarded, whatever the client showed."""


class ProxyProtocolConfiguration(Message, frozen=True, kw_only=True):
    """Topology.ProxyProtocolConfiguration: gateways read the PROXY protocol."""


class Topology(Message, frozen=True, kw_only=True):
    """What is in front of gateways."""

    num_trusted_proxies: UInt32 = 0
    """How many proxies in front are trusted: the client is that many entries from the end of X-Forwarded-For."""
    forward_client_cert_details: ForwardClientCertDetails = ForwardClientCertDetails.UNDEFINED
    """What gateways do with `x-forwarded-client-cert`; SANITIZE_SET when UNDEFINED."""
    proxy_protocol: ProxyProtocolConfiguration | None = None
    """Listeners of gateways expect the PROXY protocol."""


class CryptoMb(Message, frozen=True, kw_only=True):
    poll_delay: Duration | None = None
    """How long operations are gathered into a batch; not zero."""
    fallback: bool | None = None
    """Go on without the accelerator where there is none."""


class QAT(Message, frozen=True, kw_only=True):
    poll_delay: Duration | None = None
    """How long operations are gathered into a batch; not zero."""
    fallback: bool | None = None
    """Go on without the accelerator where there is none."""


class PrivateKeyProvider(Message, frozen=True, kw_only=True):
    """What carries out private key operations."""

    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = (("cryptomb", "qat"),)

    cryptomb: CryptoMb | None = None
    """Instructions of the CPU that work on several keys at once."""
    qat: QAT | None = None
    """QuickAssist accelerators."""


class TracingServiceName(Enum):
    """ProxyConfig.TracingServiceName: what a proxy calls itself in spans."""

    APP_LABEL_AND_NAMESPACE = "APP_LABEL_AND_NAMESPACE"
    """`app.namespace`; `istio-proxy` without the label."""
    CANONICAL_NAME_ONLY = "CANONICAL_NAME_ONLY"
    CANONICAL_NAME_AND_NAMESPACE = "CANONICAL_NAME_AND_NAMESPACE"


class InboundInterceptionMode(Enum):
    """ProxyConfig.InboundInterceptionMode: how inbound traffic gets to the proxy."""

    REDIRECT = "REDIRECT"
    TPROXY = "TPROXY"
    """Keeps source addresses; needs NET_ADMIN."""
    NONE = "NONE"
    """Nothing is captured."""


class RemoteService(Message, frozen=True, kw_only=True):
    address: str = ""
    """`host:port`."""
    tls_settings: ClientTLSSettings | None = None
    """How the connection is secured."""
    tcp_keepalive: TcpKeepalive | None = None
    """Keepalives of the connection."""


class ProxyStatsMatcher(Message, frozen=True, kw_only=True):
    """ProxyConfig.ProxyStatsMatcher: statistics kept in addition to the least set."""

    inclusion_prefixes: tuple[str, ...] = ()
    """Names that start with one of these."""
    inclusion_suffixes: tuple[str, ...] = ()
    """Names that end with one of these."""
    inclusion_regexps: tuple[str, ...] = ()
    """Names that match one of these (RE2)."""


class ServerHeader(Message, frozen=True, kw_only=True):
    """ProxyConfig.ProxyHeaders.Server."""

    disabled: bool | None = None
    """The header `server` is left alone."""
    value: str = ""
    """Its value; `istio-envoy` when empty."""


class DisabledHeader(Message, frozen=True, kw_only=True):
    """ProxyConfig.ProxyHeaders.RequestId, AttemptCount and EnvoyDebugHeaders."""

    disabled: bool | None = None
    """The header is not generated."""


class EnabledHeader(Message, frozen=True, kw_only=True):
    """ProxyConfig.ProxyHeaders.XForwardedHost and XForwardedPort."""

    enabled: bool | None = None
    """The header is generated."""


class MetadataExchangeMode(Enum):
    """ProxyConfig.ProxyHeaders.MetadataExchangeMode: when proxies tell each other who they are by headers."""

    UNDEFINED = "UNDEFINED"
    """Always."""
    IN_MESH = "IN_MESH"
    """Towards services of the mesh only."""


class MetadataExchangeHeaders(Message, frozen=True, kw_only=True):
    mode: MetadataExchangeMode = MetadataExchangeMode.UNDEFINED
    """When the headers are sent."""


class SetCurrentClientCertDetails(Message, frozen=True, kw_only=True):
    """ProxyConfig.ProxyHeaders.SetCurrentClientCertDetails: what of a client's certificate is told upstream."""

    subject: bool | None = None
    """Its subject; true when absent."""
    cert: bool | None = None
    """All of it, as PEM."""
    chain: bool | None = None
    """All of its chain, as PEM."""
    dns: bool | None = None
    """Its DNS names; true when absent."""
    uri: bool | None = None
    """Its URI names; true when absent."""


class ProxyHeaders(Message, frozen=True, kw_only=True):
    """ProxyConfig.ProxyHeaders: headers that proxies add by themselves."""

    forwarded_client_cert: ForwardClientCertDetails = ForwardClientCertDetails.UNDEFINED
    """What sidecars do with `x-forwarded-client-cert`; APPEND_FORWARD when UNDEFINED."""
    set_current_client_cert_details: SetCurrentClientCertDetails | None = None
    """What is put into it."""
    request_id: DisabledHeader | None = None
    """`x-request-id`."""
    server: ServerHeader | None = None
    """`server`."""
    attempt_count: DisabledHeader | None = None
    """`x-envoy-attempt-count`."""
    envoy_debug_headers: DisabledHeader | None = None
    """Envoy's own `x-envoy-*` headers."""
    metadata_exchange_headers: MetadataExchangeHeaders | None = None
    """`x-envoy-peer-metadata` and its id."""
    x_forwarded_host: EnabledHeader | None = None
    """`x-forwarded-host`."""
    x_forwarded_port: EnabledHeader | None = None
    """`x-forwarded-port`."""
    preserve_http1_header_case: bool | None = msgspec.field(default=None, name="preserveHttp1HeaderCase")
    """HTTP/1 header names keep the case they came with."""


class ProxyConfig(Message, frozen=True, kw_only=True):
    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = (("service_cluster", "tracing_service_name"),)

    config_path: str = "./etc/istio/proxy"
    """Directory of the generated bootstrap."""
    binary_path: str = "/usr/local/bin/envoy"
    """Envoy's binary."""
    service_cluster: str | None = None
    """What Envoy calls its cluster; `istio-proxy` when neither this nor `tracingServiceName` is set."""
    tracing_service_name: TracingServiceName | None = None
    """How a proxy's name in spans is made, in place of `serviceCluster`."""
    drain_duration: Duration | None = Duration(45 * _SECOND)
    """How long Envoy drains connections of a listener that changes; whole seconds."""
    parent_shutdown_duration: Duration | None = Duration(60 * _SECOND)
    """How long the old process lives after a hot restart."""
    discovery_address: str = "istiod.istio-system.svc:15012"
    """`host:port` of the control plane (xDS over mutual TLS)."""
    discovery_refresh_delay: Duration | None = None
    """Deprecated."""
    zipkin_address: str = ""
    """Deprecated: use `tracing`."""
    statsd_udp_address: str = ""
    """`host:port` of a statsd listener."""
    envoy_metrics_service_address: str = ""
    """Deprecated: use `envoyMetricsService`."""
    proxy_admin_port: Int32 = 15000
    """Envoy's admin port, at loopback."""
    availability_zone: str = ""
    """Deprecated."""
    control_plane_auth_policy: AuthenticationPolicy = AuthenticationPolicy.MUTUAL_TLS
    """How the proxy authenticates to the control plane."""
    custom_config_file: str = ""
    """A bootstrap in place of the generated one."""
    stat_name_length: Int32 = 189
    """Longest name of a statistic."""
    concurrency: Int32 | None = None
    """Worker threads; 0 for one per core; absent: by the CPU limit."""
    proxy_bootstrap_template_path: str = ""
    """A template in place of the built-in bootstrap."""
    interception_mode: InboundInterceptionMode = InboundInterceptionMode.REDIRECT
    """How inbound traffic is captured."""
    tracing: Tracing | None = None
    """How requests are traced."""
    sds: SDS | None = None
    """Deprecated."""
    envoy_access_log_service: RemoteService | None = None
    """Where access logs are sent (Envoy's gRPC access log service)."""
    envoy_metrics_service: RemoteService | None = None
    """Where metrics are sent (Envoy's metrics service)."""
    proxy_metadata: dict[str, str] = msgspec.field(default_factory=dict)
    """Environment variables of the proxy; `ISTIO_META_*` become node metadata."""
    runtime_values: dict[str, str] = msgspec.field(default_factory=dict)
    """Envoy's runtime settings at start."""
    status_port: Int32 = 15020
    """The agent's own port (readiness, merged metrics)."""
    extra_stat_tags: tuple[str, ...] = ()
    """Tags extracted from metrics in addition to the standard ones."""
    gateway_topology: Topology | None = None
    """What is in front of gateways."""
    termination_drain_duration: Duration | None = Duration(5 * _SECOND)
    """How long connections may finish once the proxy is told to end."""
    mesh_id: str = ""
    """Names the mesh in telemetry; the trust domain when empty."""
    readiness_probe: ReadinessProbe | None = None
    """Health check of the workload, on machines outside Kubernetes."""
    proxy_stats_matcher: ProxyStatsMatcher | None = None
    """Statistics kept in addition to the least set."""
    hold_application_until_proxy_starts: bool | None = None
    """The application's containers start after the proxy is ready."""
    ca_certificates_pem: tuple[str, ...] = ()
    """Extra roots of workload certificates."""
    image: ProxyImage | None = None
    """Which image proxies run."""
    private_key_provider: PrivateKeyProvider | None = None
    """What carries out private key operations."""
    proxy_headers: ProxyHeaders | None = None
    """Headers that proxies add by themselves."""
    file_flush_interval: Duration | None = None
    """How often access logs in files are flushed; 1 s when absent."""
    file_flush_min_size_kb: UInt32 | None = None
    """Kilobytes after which they are flushed earlier; 64 when absent."""
    stats_compression: bool | None = None
    """Whether the metrics endpoint compresses; true when absent."""
