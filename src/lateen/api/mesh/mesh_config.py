"""mesh/v1alpha1 MeshConfig: what holds for the whole mesh. The defaults are Istio's; users write what differs."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

import msgspec

from lateen.api.mesh.extension_provider import (
    EnvoyFileAccessLogProvider,
    ExtensionProvider,
    PrometheusMetricsProvider,
    StackdriverProvider,
)
from lateen.api.mesh.label_selector import LabelSelector
from lateen.api.mesh.proxy_config import ProxyConfig
from lateen.api.mesh.tls_config import TLSConfig
from lateen.api.networking.destination_rule import ClientTLSSettings, LocalityLoadBalancerSetting, TcpKeepalive
from lateen.api.networking.virtual_service import HTTPRetry
from lateen.api.schema.duration import Duration
from lateen.api.schema.message import Int32, Message

_SECOND = 1_000_000_000


class IngressControllerMode(Enum):
    """Which Ingress resources are taken."""

    UNSPECIFIED = "UNSPECIFIED"
    OFF = "OFF"
    """None."""
    DEFAULT = "DEFAULT"
    """Those of `ingressClass` and those without a class."""
    STRICT = "STRICT"
    """Those of `ingressClass`."""


class AccessLogEncoding(Enum):
    TEXT = "TEXT"
    JSON = "JSON"


class OutboundTrafficPolicyMode(Enum):
    """OutboundTrafficPolicy.Mode: what becomes of traffic to hosts the mesh does not know."""

    REGISTRY_ONLY = "REGISTRY_ONLY"
    """Refused."""
    ALLOW_ANY = "ALLOW_ANY"
    """Let through."""


class OutboundTrafficPolicy(Message, frozen=True, kw_only=True):
    mode: OutboundTrafficPolicyMode = OutboundTrafficPolicyMode.REGISTRY_ONLY
    """What becomes of traffic to unknown hosts."""


class InboundTrafficPolicyMode(Enum):
    """InboundTrafficPolicy.Mode: where sidecars send inbound traffic."""

    PASSTHROUGH = "PASSTHROUGH"
    """To the pod's IP, as without a mesh."""
    LOCALHOST = "LOCALHOST"
    """To 127.0.0.1."""


class InboundTrafficPolicy(Message, frozen=True, kw_only=True):
    mode: InboundTrafficPolicyMode = InboundTrafficPolicyMode.PASSTHROUGH
    """Where inbound traffic is sent."""


class CertificateData(Message, frozen=True, kw_only=True):
    """A root of workload certificates."""

    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = (("pem", "spiffe_bundle_url"),)

    pem: str = ""
    """PEM text."""
    spiffe_bundle_url: str = ""
    """Where a SPIFFE bundle is fetched."""
    cert_signers: tuple[str, ...] = ()
    """Kubernetes signers it is for; all when empty."""
    trust_domains: tuple[str, ...] = ()
    """Trust domains it is for; all when empty."""


class H2UpgradePolicy(Enum):
    """Whether HTTP/1.1 is sent on as HTTP/2."""

    DO_NOT_UPGRADE = "DO_NOT_UPGRADE"
    UPGRADE = "UPGRADE"


class Certificate(Message, frozen=True, kw_only=True):
    """Deprecated by Istio: a DNS certificate that the control plane provisions."""

    secret_name: str = ""
    """The Secret it is stored in."""
    dns_names: tuple[str, ...] = ()
    """Its names."""


class Settings(Message, frozen=True, kw_only=True):
    """ServiceSettings.Settings."""

    cluster_local: bool = False
    """Clients reach endpoints of their own cluster only."""


class ServiceSettings(Message, frozen=True, kw_only=True):
    settings: Settings | None = None
    """What holds for the hosts."""
    hosts: tuple[str, ...] = ()
    """Hosts, as DestinationRules match them (`*.ns.svc.cluster.local`)."""


class ServiceScope(Enum):
    """ServiceScopeConfigs.Scope: who sees a service."""

    LOCAL = "LOCAL"
    """Its own cluster."""
    GLOBAL = "GLOBAL"
    """Every cluster of the mesh."""


class ServiceScopeConfigs(Message, frozen=True, kw_only=True):
    """Which services other clusters see (ambient)."""

    services_selector: LabelSelector | None = None
    """Services by their labels."""
    namespace_selector: LabelSelector | None = None
    """Services by their namespace's labels."""
    scope: ServiceScope = ServiceScope.LOCAL
    """Who sees them."""


class CA(Message, frozen=True, kw_only=True):
    """An external CA."""

    address: str
    """`host:port`, speaking Istio's CA API."""
    tls_settings: ClientTLSSettings | None = None
    """How the connection is secured."""
    request_timeout: Duration | None = Duration(10 * _SECOND)
    """Limit of one signing request."""
    istiod_side: bool = True
    """The control plane asks it, rather than the agents."""


class DefaultProviders(Message, frozen=True, kw_only=True):
    """Names of extension providers used where a policy names none."""

    tracing: tuple[str, ...] = ()
    """Of traces."""
    metrics: tuple[str, ...] = ("prometheus",)
    """Of metrics: Istio's installation names `prometheus`, and so does the default here; `[]` turns them off."""
    access_logging: tuple[str, ...] = ()
    """Of access logs."""


class NormalizationType(Enum):
    """ProxyPathNormalization.NormalizationType."""

    DEFAULT = "DEFAULT"
    """As BASE."""
    NONE = "NONE"
    """Paths are left as they are."""
    BASE = "BASE"
    """RFC 3986: `/a/../b` is `/b`; backslashes become slashes."""
    MERGE_SLASHES = "MERGE_SLASHES"
    """And runs of slashes become one."""
    DECODE_AND_MERGE_SLASHES = "DECODE_AND_MERGE_SLASHES"
    """And escaped slashes are decoded first."""


class ProxyPathNormalization(Message, frozen=True, kw_only=True):
    normalization: NormalizationType = NormalizationType.DEFAULT
    """How paths of requests are normalised before anything looks at them."""


class Resource(Enum):
    """What is read from a ConfigSource."""

    SERVICE_REGISTRY = "SERVICE_REGISTRY"


class ConfigSource(Message, frozen=True, kw_only=True):
    """A store of configuration."""

    address: str = ""
    """`xds://`, `k8s://` or `fs:///` address."""
    tls_settings: ClientTLSSettings | None = None
    """How the connection is secured."""
    subscribed_resources: tuple[Resource, ...] = ()
    """What is read from it."""


BUILT_IN_PROVIDERS = (
    ExtensionProvider(name="prometheus", prometheus=PrometheusMetricsProvider()),
    ExtensionProvider(name="stackdriver", stackdriver=StackdriverProvider()),
    ExtensionProvider(name="envoy", envoy_file_access_log=EnvoyFileAccessLogProvider(path="/dev/stdout")),
)
"""Providers that exist unless a user's own has the same name."""


class MeshConfig(Message, frozen=True, kw_only=True):
    proxy_listen_port: Int32 = 15001
    """Port on which sidecars take outbound traffic."""
    proxy_inbound_listen_port: Int32 = 15006
    """Port on which sidecars take inbound traffic."""
    proxy_http_port: Int32 = 0
    """Port of an HTTP proxy listener; none when 0."""
    connect_timeout: Duration | None = Duration(10 * _SECOND)
    """How long a proxy waits for a connection; at least 1 ms."""
    protocol_detection_timeout: Duration | None = Duration(0)
    """How long a proxy waits for a client's first bytes before it takes the protocol to be TCP; 0 for ever."""
    tcp_keepalive: TcpKeepalive | None = None
    """Keepalives of upstream connections."""
    ingress_class: str = "istio"
    """Class of the Ingress resources that are taken."""
    ingress_service: str = "istio-ingressgateway"
    """Service whose address Ingress resources report."""
    ingress_controller_mode: IngressControllerMode = IngressControllerMode.STRICT
    """Which Ingress resources are taken."""
    ingress_selector: str = "ingressgateway"
    """Gateways (label `istio`) that serve Ingress resources."""
    enable_tracing: bool = True
    """Proxies generate spans and request ids."""
    access_log_file: str = ""
    """Where proxies log; not at all when empty."""
    access_log_format: str = ""
    """What an entry looks like; Istio's default when empty."""
    access_log_encoding: AccessLogEncoding = AccessLogEncoding.TEXT
    """Text or JSON."""
    enable_envoy_access_log_service: bool = False
    """Proxies log to `defaultConfig.envoyAccessLogService`."""
    disable_envoy_listener_log: bool = False
    """Listeners do not log connections that found no filter chain."""
    default_config: ProxyConfig = ProxyConfig()
    """How proxies are started, unless a pod says otherwise. What users write is merged into the default."""
    outbound_traffic_policy: OutboundTrafficPolicy = OutboundTrafficPolicy(mode=OutboundTrafficPolicyMode.ALLOW_ANY)
    """What sidecars do with traffic to unknown hosts."""
    inbound_traffic_policy: InboundTrafficPolicy = InboundTrafficPolicy()
    """Where sidecars send inbound traffic."""
    config_sources: tuple[ConfigSource, ...] = ()
    """Where configuration is read."""
    enable_auto_mtls: bool | None = True
    """Clients use mutual TLS with every endpoint that can, where no DestinationRule says otherwise."""
    trust_domain: str = "cluster.local"
    """First part of SPIFFE identities."""
    trust_domain_aliases: tuple[str, ...] = ()
    """Trust domains whose identities count as those of `trustDomain`."""
    ca_certificates: tuple[CertificateData, ...] = ()
    """Extra roots of workload certificates."""
    default_service_export_to: tuple[str, ...] = ("*",)
    """Where services without `exportTo` are visible: namespaces, `*`, `.` or `~`."""
    default_virtual_service_export_to: tuple[str, ...] = ("*",)
    """Where VirtualServices without `exportTo` are."""
    default_destination_rule_export_to: tuple[str, ...] = ("*",)
    """Where DestinationRules without `exportTo` are."""
    root_namespace: str = "istio-system"
    """The namespace whose resources apply to every namespace."""
    locality_lb_setting: LocalityLoadBalancerSetting | None = LocalityLoadBalancerSetting(enabled=True)
    """Locality load balancing, where no DestinationRule says otherwise. Takes effect with outlier detection."""
    dns_refresh_rate: Duration | None = Duration(60 * _SECOND)
    """How often proxies resolve a name anew after a failure (STRICT_DNS clusters)."""
    h2_upgrade_policy: H2UpgradePolicy = H2UpgradePolicy.DO_NOT_UPGRADE
    """Whether HTTP/1.1 is sent on as HTTP/2, where no DestinationRule says otherwise."""
    inbound_cluster_stat_name: str = ""
    """Pattern of statistics' names of inbound clusters (`%SERVICE%`, `%SERVICE_FQDN%`, `%SERVICE_PORT%`,
    `%TARGET_PORT%`, `%SERVICE_PORT_NAME%`)."""
    outbound_cluster_stat_name: str = ""
    """Pattern of statistics' names of outbound clusters (`%SERVICE%`, `%SERVICE_FQDN%`, `%SERVICE_PORT%`,
    `%SERVICE_PORT_NAME%`, `%SUBSET_NAME%`)."""
    certificates: tuple[Certificate, ...] = ()
    """Deprecated: DNS certificates."""
    service_settings: tuple[ServiceSettings, ...] = ()
    """What holds for some services."""
    service_scope_configs: tuple[ServiceScopeConfigs, ...] = ()
    """Which services other clusters see."""
    enable_prometheus_merge: bool | None = True
    """Agents merge the application's metrics with the proxy's."""
    verify_certificate_at_client: bool | None = None
    """Clients that originate TLS verify server certificates even where no roots or names are given; true by default.
    Deprecated by Istio."""
    ca: CA | None = None
    """An external CA."""
    extension_providers: tuple[ExtensionProvider, ...] = BUILT_IN_PROVIDERS
    """Services that policies refer to by name. What users write is added to the built-in ones."""
    default_providers: DefaultProviders = DefaultProviders()
    """Providers used where a policy names none."""
    discovery_selectors: tuple[LabelSelector, ...] = ()
    """Namespaces that belong to the mesh: those that any of these selects; all when empty."""
    path_normalization: ProxyPathNormalization = ProxyPathNormalization()
    """How paths of requests are normalised."""
    default_http_retry_policy: HTTPRetry | None = None
    """When failed requests are tried again, where no VirtualService says otherwise; 0 attempts: never."""
    mesh_mtls: TLSConfig | None = msgspec.field(default=None, name="meshMTLS")
    """TLS between workloads (ISTIO_MUTUAL)."""
    tls_defaults: TLSConfig | None = None
    """All other TLS: `ecdhCurves` and `cipherSuites` only."""
    compliance_policy: str = ""
    """Restricts all TLS to what a standard allows: `fips-140-2` or `pqc`; nothing when empty."""
