"""`values.gateways`: istio-ingressgateway, istio-egressgateway and what gateways have in common."""

from __future__ import annotations

import msgspec

from lateen.api.schema.message import AnyStruct, Message
from lateen.injection.values import GatewaysValues
from lateen.install.values.kubernetes import ResourceRequirements, ServicePort, Utilization


class SecretVolume(Message, frozen=True, kw_only=True):
    """A Secret that a gateway mounts."""

    name: str
    """Of the volume."""
    secret_name: str
    """Of the Secret; it need not exist."""
    mount_path: str
    """Where its keys appear as files."""


class ConfigVolume(Message, frozen=True, kw_only=True):
    """A ConfigMap that a gateway mounts."""

    name: str
    """Of the volume."""
    config_map_name: str
    """Of the ConfigMap; it need not exist."""
    mount_path: str = ""
    """Where its keys appear as files."""


class Gateway(Message, frozen=True, kw_only=True):
    """`values.gateways.istio-ingressgateway` and `istio-egressgateway`."""

    name: str = ""
    """Of the Deployment and the Service. Default: that of the component."""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    """Labels of the pods, by which Gateway resources select them; beside `app` and `istio`."""
    ports: tuple[ServicePort, ...] = ()
    """Ports of the Service, all of them. Default: docs/install.md, Gateways."""
    type: str = ""
    """Of the Service. Default: LoadBalancer for ingress, ClusterIP for egress."""
    autoscale_enabled: bool = True
    """A HorizontalPodAutoscaler decides how many replicas there are."""
    autoscale_min: int = 1
    """Replicas, at least."""
    autoscale_max: int = 5
    """Replicas, at most."""
    autoscale_behavior: AnyStruct = msgspec.field(default_factory=dict)
    """`behavior` of the autoscaler."""
    cpu: Utilization = Utilization(target_average_utilization=80)
    """CPU that the autoscaler aims at."""
    memory: Utilization = Utilization()
    """Memory that the autoscaler aims at."""
    replica_count: int = 1
    """Replicas, without an autoscaler."""
    rolling_max_surge: int | str = "100%"
    """Additional pods while a new version is rolled out."""
    rolling_max_unavailable: int | str = "25%"
    """Missing pods while a new version is rolled out."""
    resources: ResourceRequirements = ResourceRequirements(
        requests={"cpu": "100m", "memory": "128Mi"}, limits={"cpu": "2000m", "memory": "1024Mi"}
    )
    """Of the proxy."""
    env: dict[str, str] = msgspec.field(default_factory=dict)
    """Environment of the proxy: `ISTIO_META_ROUTER_MODE: sni-dnat`."""
    node_selector: dict[str, str] = msgspec.field(default_factory=dict)
    """Labels of nodes that it may run on."""
    affinity: AnyStruct = msgspec.field(default_factory=dict)
    """Of the pods."""
    tolerations: tuple[AnyStruct, ...] = ()
    """Of the pods."""
    topology_spread_constraints: tuple[AnyStruct, ...] = ()
    """Of the pods."""
    pod_annotations: dict[str, str] = msgspec.field(default_factory=dict)
    """Of the pods."""
    service_annotations: dict[str, str] = msgspec.field(default_factory=dict)
    """Of the Service."""
    service_account_annotations: dict[str, str] = msgspec.field(default_factory=dict)
    """Of the ServiceAccount."""
    secret_volumes: tuple[SecretVolume, ...] = ()
    """Secrets that are mounted. Certificates by `credentialName` need none."""
    config_volumes: tuple[ConfigVolume, ...] = ()
    """ConfigMaps that are mounted."""
    external_traffic_policy: str = ""
    """Of the Service: `Local` keeps the clients' addresses."""
    load_balancer_ip: str = msgspec.field(default="", name="loadBalancerIP")
    """Of the Service."""
    load_balancer_source_ranges: tuple[str, ...] = ()
    """Of the Service: CIDRs that may come in."""
    load_balancer_class: str = ""
    """Of the Service."""
    external_ips: tuple[str, ...] = msgspec.field(default=(), name="externalIPs")
    """Of the Service."""
    ip_family_policy: str = ""
    """Of the Service."""
    ip_families: tuple[str, ...] = ()
    """Of the Service."""


class Gateways(GatewaysValues, frozen=True, kw_only=True):
    """`values.gateways`: what injected gateways have (`securityContext`, `seccompProfile`), and those installed."""

    istio_ingressgateway: Gateway = msgspec.field(default=Gateway(), name="istio-ingressgateway")
    """Where traffic from outside comes in."""
    istio_egressgateway: Gateway = msgspec.field(default=Gateway(), name="istio-egressgateway")
    """Where traffic to the outside goes out."""
