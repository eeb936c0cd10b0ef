"""The installation's values that injection reads, by Istio's names (key `values` of the ConfigMap
`istio-sidecar-injector`)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from lateen import __version__
from lateen.api.mesh.label_selector import LabelSelector
from lateen.api.schema.message import AnyStruct, Message, PortNumber, UInt32

_RESOURCES: Final[Mapping[str, Any]] = {
    "requests": {"cpu": "100m", "memory": "128Mi"},
    "limits": {"cpu": "2000m", "memory": "1024Mi"},
}
"""Istio's of the proxy."""


class AutoInject(Enum):
    """What holds for pods that say nothing."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class Platform(Enum):
    """What a cluster runs on, as far as pods have to differ."""

    NONE = ""
    OPENSHIFT = "openshift"
    GKE = "gke"
    K3D = "k3d"
    K3S = "k3s"
    MICROK8S = "microk8s"
    MINIKUBE = "minikube"


class StartupProbe(Message, frozen=True):
    enabled: bool = True
    """Whether the proxy has one."""
    failure_threshold: UInt32 = 600
    """Seconds until the kubelet gives up: it asks every second."""


class ProxyValues(Message, frozen=True):
    """`global.proxy`."""

    auto_inject: AutoInject = AutoInject.ENABLED
    """What holds for pods that say nothing; the ConfigMap's `policy` counts over it."""
    cluster_domain: str = "cluster.local"
    """DNS domain of the cluster."""
    component_log_level: str = "misc:error"
    """Envoy's log levels by component."""
    log_level: str = "warning"
    """Envoy's log level."""
    enable_core_dump: bool = False
    """Envoy may write core files."""
    exclude_ip_ranges: str = msgspec.field(default="", name="excludeIPRanges")
    """CIDRs whose outbound traffic is left alone."""
    include_ip_ranges: str = msgspec.field(default="*", name="includeIPRanges")
    """CIDRs whose outbound traffic is captured; `*` for all."""
    exclude_inbound_ports: str = ""
    """Inbound ports that are left alone."""
    include_inbound_ports: str = "*"
    """Inbound ports that are captured; `*` for all."""
    exclude_outbound_ports: str = ""
    """Destination ports that are left alone."""
    include_outbound_ports: str = ""
    """Destination ports that are captured whatever the address is."""
    hold_application_until_proxy_starts: bool = False
    """With a classic sidecar, the application's containers start after the proxy is ready."""
    image: str = "proxyv2"
    """Name of the image, or a whole reference if it has a slash."""
    lifecycle: AnyStruct = {}
    """Kubernetes' lifecycle of the proxy's container, in place of ours."""
    outlier_log_path: str = ""
    """Where Envoy logs ejected hosts."""
    privileged: bool = False
    """The proxy's container is privileged."""
    readiness_failure_threshold: UInt32 = 4
    """Failed probes in a row that make a proxy unready."""
    readiness_initial_delay_seconds: UInt32 = 0
    """Seconds before the first readiness probe."""
    readiness_period_seconds: UInt32 = 15
    """Seconds between readiness probes."""
    resources: AnyStruct = msgspec.field(default_factory=lambda: dict(_RESOURCES))
    """Resources of the proxy's container."""
    seccomp_profile: AnyStruct = {}
    """Kubernetes' seccompProfile of the proxy's containers."""
    startup_probe: StartupProbe = StartupProbe()
    """Of the proxy's container."""
    status_port: PortNumber = 15020
    """The agent's own port; 0: no readiness probe."""
    cap_net_bind_service: bool = False
    """The proxy may listen on ports below 1024."""
    tracer: str = ""
    """Istio's old way to name a tracer: only `none` and `zipkin` are taken, which say nothing about pods."""


class ProxyInitValues(Message, frozen=True):
    """`global.proxy_init`."""

    image: str = "proxyv2"
    """Name of the image, or a whole reference if it has a slash."""
    force_apply_iptables: bool = False
    """Rules are written whatever is there; always so."""
    resources: AnyStruct = {}
    """Resources of the init container; those of the proxy when empty, as in Istio."""


class MultiClusterValues(Message, frozen=True):
    """`global.multiCluster`."""

    cluster_name: str = ""
    """Names the cluster; `Kubernetes` when empty."""
    enabled: bool = False
    """Of the installation."""
    global_domain_suffix: str = ""
    """Of the installation."""
    include_envoy_filter: bool = True
    """Of the installation."""


class LoggingValues(Message, frozen=True):
    level: str = "default:info"
    """Levels of the agent's log by scope."""


class StsValues(Message, frozen=True):
    service_port: UInt32 = 0
    """Of a token exchange server in the agent; not supported yet."""


class TokenValues(Message, frozen=True):
    aud: str = "istio-ca"
    """The audience of workloads' tokens."""


class SdsValues(Message, frozen=True):
    token: TokenValues = TokenValues()


class GlobalValues(Message, frozen=True):
    """`global`."""

    hub: str = "lateen.dev"
    """Where images come from."""
    tag: str = __version__
    """Their tag."""
    variant: str = ""
    """A suffix of the tag: `debug` or `distroless`."""
    image_pull_policy: str = ""
    """Kubernetes' default when empty."""
    image_pull_secrets: tuple[str, ...] = ()
    """Secrets with which images are pulled."""
    proxy: ProxyValues = ProxyValues()
    proxy_init: ProxyInitValues = msgspec.field(default=ProxyInitValues(), name="proxy_init")
    log_as_json: bool = False
    """Agents log in JSON."""
    logging: LoggingValues = LoggingValues()
    istio_namespace: str = "istio-system"
    """Where the control plane is."""
    mesh_id: str = msgspec.field(default="", name="meshID")
    """Names the mesh in telemetry; the trust domain when empty."""
    network: str = ""
    """The network that pods are in."""
    multi_cluster: MultiClusterValues = MultiClusterValues()
    ca_address: str = ""
    """`host:port` of the certificate authority; that of the control plane when empty."""
    ca_name: str = ""
    """A platform's own authority; not supported."""
    jwt_policy: str = "third-party-jwt"
    """Tokens are always bound to an audience."""
    mount_mtls_certs: bool = False
    """Certificates from Secrets; not supported."""
    pilot_cert_provider: str = "istiod"
    """Who signs the control plane's own certificate."""
    pod_dns_search_namespaces: tuple[str, ...] = msgspec.field(default=(), name="podDNSSearchNamespaces")
    """Further DNS search domains of pods; `{{ ... }}` is a template."""
    sts: StsValues = StsValues()
    sds: SdsValues = SdsValues()
    native_nftables: bool = False
    """Capture by nftables only; otherwise by what the image has."""
    platform: Platform = Platform.NONE
    """What the cluster runs on."""
    trust_bundle_name: str = "istio-ca-root-cert"
    """The ConfigMap that holds the roots."""


class WebhookValues(Message, frozen=True):
    """`sidecarInjectorWebhook`."""

    never_inject_selector: tuple[LabelSelector, ...] = ()
    """Pods that are never injected."""
    always_inject_selector: tuple[LabelSelector, ...] = ()
    """Pods that are always injected, whatever the policy."""
    injected_annotations: dict[str, str] = {}
    """Annotations that injected pods get."""
    enable_namespaces_by_default: bool = False
    """Namespaces without a label are injected."""
    reinvocation_policy: str = "Never"
    """Of the webhook's configuration."""
    rewrite_app_http_probe: bool = msgspec.field(default=True, name="rewriteAppHTTPProbe")
    """Probes of applications go by the agent."""
    templates: dict[str, str] = {}
    """Users' own templates, by name."""
    default_templates: tuple[str, ...] = ()
    """Of pods that name none; `sidecar` when empty."""


class CniProvider(Enum):
    """How a CNI plugin gets to pods."""

    DEFAULT = "default"
    MULTUS = "multus"


class CniValues(Message, frozen=True):
    """`pilot.cni`, and by its old name `istio_cni`."""

    enabled: bool = False
    """A CNI plugin captures traffic: pods need no capabilities."""
    provider: CniProvider = CniProvider.DEFAULT
    """`multus`: pods name the plugin's network themselves."""
    chained: bool = True
    """With the old name: false means `multus`."""


class PilotValues(Message, frozen=True):
    cni: CniValues = CniValues()
    env: dict[str, str] = {}
    """Of the control plane; `ENABLE_NATIVE_SIDECARS` and `ENABLE_LEGACY_FSGROUP_INJECTION` concern injection."""


class GatewaysValues(Message, frozen=True):
    """`gateways`."""

    security_context: AnyStruct = {}
    """Kubernetes' securityContext of injected gateways' pods, in place of ours."""
    seccomp_profile: AnyStruct = {}
    """Kubernetes' seccompProfile of their containers."""


class Values(Message, frozen=True):
    global_: GlobalValues = msgspec.field(default=GlobalValues(), name="global")
    sidecar_injector_webhook: WebhookValues = WebhookValues()
    revision: Annotated[str, Meta(max_length=63)] = ""
    """Names the control plane; empty: the default one."""
    pilot: PilotValues = PilotValues()
    istio_cni: CniValues | None = msgspec.field(default=None, name="istio_cni")
    gateways: GatewaysValues = GatewaysValues()

    @property
    def cni(self) -> CniValues:
        """By whichever name it is enabled."""
        return self.istio_cni if self.istio_cni is not None and self.istio_cni.enabled else self.pilot.cni
