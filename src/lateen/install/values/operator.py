"""`IstioOperator` (install.istio.io/v1alpha1): how an installation is described in one file."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lateen.api.schema.message import AnyStruct, Message, PortNumber
from lateen.install.values.kubernetes import ResourceRequirements, ServicePort
from lateen.install.values.values import Values

API_VERSION: Final = "install.istio.io/v1alpha1"
KIND: Final = "IstioOperator"


class Patch(Message, frozen=True, kw_only=True):
    """A change at one place of an object."""

    path: str
    """Where: `spec.template.spec.containers.[name:discovery].args.[1]`; a last step `[-1]` appends to a list."""
    value: Any = None
    """What is put there; without it, what is there is removed."""


class Overlay(Message, frozen=True, kw_only=True):
    """Changes of one object of a component, after everything else."""

    api_version: str = ""
    """Of the object; any if empty."""
    kind: str
    """Of the object."""
    name: str
    """Of the object."""
    patches: tuple[Patch, ...] = ()
    """One after the other."""


class ServiceSettings(Message, frozen=True, kw_only=True):
    """`spec` of a Service, as Kubernetes has it: what is said goes over what is there."""

    ports: tuple[ServicePort, ...] | None = None
    """All ports: they replace those that are there."""
    type: str = ""
    """ClusterIP, NodePort or LoadBalancer."""
    selector: dict[str, str] = msgspec.field(default_factory=dict)
    """Further labels of the pods."""
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    """Its address in the cluster."""
    external_ips: tuple[str, ...] = msgspec.field(default=(), name="externalIPs")
    """Further addresses."""
    external_traffic_policy: str = ""
    """`Local` keeps the clients' addresses."""
    internal_traffic_policy: str = ""
    """`Local`: within a node."""
    health_check_node_port: PortNumber | None = None
    """With `externalTrafficPolicy: Local`."""
    ip_families: tuple[str, ...] = ()
    """IPv4, IPv6."""
    ip_family_policy: str = ""
    """SingleStack, PreferDualStack or RequireDualStack."""
    load_balancer_class: str = ""
    """Which load balancer."""
    load_balancer_ip: str = msgspec.field(default="", name="loadBalancerIP")
    """Its address."""
    load_balancer_source_ranges: tuple[str, ...] = ()
    """CIDRs that may come in."""
    allocate_load_balancer_node_ports: bool | None = None
    """False: none."""
    publish_not_ready_addresses: bool = False
    """Pods that are not ready count too."""
    session_affinity: str = ""
    """ClientIP or None."""

    def render(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(self)
        if self.ports is not None:
            found["ports"] = [port.render() for port in self.ports]
        return found


class KubernetesSettings(Message, frozen=True, kw_only=True):
    """`components.X.k8s`: fields of the component's Deployment, Service, autoscaler and budget."""

    affinity: AnyStruct | None = None
    """Of the pods."""
    env: tuple[AnyStruct, ...] = ()
    """Environment of the component's container, by name over what is there."""
    hpa_spec: AnyStruct | None = None
    """`spec` of the HorizontalPodAutoscaler, field by field over what is there."""
    image_pull_policy: str = ""
    """Of the component's container."""
    node_selector: dict[str, str] | None = None
    """Of the pods."""
    overlays: tuple[Overlay, ...] = ()
    """Changes of any object of the component."""
    pod_annotations: dict[str, str] = msgspec.field(default_factory=dict)
    """Of the pods."""
    pod_disruption_budget: AnyStruct | None = None
    """`spec` of the PodDisruptionBudget, field by field over what is there."""
    priority_class_name: str = ""
    """Of the pods."""
    readiness_probe: AnyStruct | None = None
    """Of the component's container."""
    replica_count: int | None = None
    """Replicas. With an autoscaler, the least that it goes down to."""
    resources: ResourceRequirements | None = None
    """Of the component's container; each of requests and limits, by resource, over what is there."""
    security_context: AnyStruct | None = None
    """Of the pods."""
    service: ServiceSettings | None = None
    """`spec` of the Service, field by field over what is there."""
    service_annotations: dict[str, str] = msgspec.field(default_factory=dict)
    """Of the Service."""
    strategy: AnyStruct | None = None
    """Of the Deployment."""
    tolerations: tuple[AnyStruct, ...] | None = None
    """Of the pods."""
    volumes: tuple[AnyStruct, ...] = ()
    """Further volumes of the pods."""
    volume_mounts: tuple[AnyStruct, ...] = ()
    """Further mounts of the component's container."""


class BaseSettings(Message, frozen=True, kw_only=True):
    """`components.base.k8s`: of definitions there is nothing else to set."""

    overlays: tuple[Overlay, ...] = ()
    """Changes of any of them."""


class BaseComponent(Message, frozen=True, kw_only=True):
    """The definitions of the mesh's kinds."""

    enabled: bool = False
    """Whether they are installed."""
    k8s: BaseSettings = msgspec.field(default=BaseSettings(), name="k8s")
    """Kubernetes' own settings."""


class LaterComponent(Message, frozen=True, kw_only=True):
    """A component that this version does not have: to enable it is an error."""

    enabled: bool = False
    """Whether it would be installed."""
    namespace: str = ""
    """Where it would be."""
    hub: str = ""
    """Of its image."""
    tag: str = ""
    """Of its image."""
    k8s: AnyStruct = msgspec.field(default_factory=dict, name="k8s")
    """Kubernetes' own settings."""


class Component(Message, frozen=True, kw_only=True):
    """A component with pods."""

    enabled: bool = False
    """Whether it is installed."""
    hub: str = ""
    """Where its image is, if not where all are."""
    tag: str = ""
    """The tag of its image, if not that of all."""
    k8s: KubernetesSettings = msgspec.field(default=KubernetesSettings(), name="k8s")
    """Kubernetes' own settings."""


class GatewayComponent(Component, frozen=True, kw_only=True):
    """A gateway."""

    namespace: str = ""
    """Where, if not in the namespace of the control plane."""
    name: str = ""
    """Of its Deployment and Service; gateways of one list are told apart by it and by their namespace."""
    label: dict[str, str] = msgspec.field(default_factory=dict)
    """Labels of its pods, by which Gateway resources select them."""


class Components(Message, frozen=True, kw_only=True):
    """`spec.components`."""

    base: BaseComponent = BaseComponent()
    """Definitions of kinds, and what a cluster has once."""
    pilot: Component = Component()
    """The control plane."""
    cni: LaterComponent = LaterComponent()
    """The CNI plugin on nodes."""
    ztunnel: LaterComponent = LaterComponent()
    """The proxy on nodes."""
    istiod_remote: LaterComponent = LaterComponent()
    """What a cluster needs whose control plane is elsewhere."""
    ingress_gateways: tuple[GatewayComponent, ...] = ()
    """Gateways for traffic from outside."""
    egress_gateways: tuple[GatewayComponent, ...] = ()
    """Gateways for traffic to the outside."""


class Operator(Message, frozen=True, kw_only=True):
    """`spec` of an IstioOperator."""

    profile: str = "default"
    """Of which this is a change."""
    hub: str = ""
    """Where images are."""
    tag: str = ""
    """The images' tag."""
    revision: str = ""
    """Name of this control plane among others."""
    namespace: str = ""
    """Of the control plane; `values.global.istioNamespace` is the same."""
    mesh_config: AnyStruct = msgspec.field(default_factory=dict)
    """MeshConfig, field by field over the default."""
    components: Components = Components()
    """What is installed."""
    values: Values = Values()
    """Everything else."""
