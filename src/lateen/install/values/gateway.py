"""`values.gateways`: istio-ingressgateway, istio-egressgateway and what gateways have in common."""

from __future__ import annotations

import msgspec

from lateen.api.schema.message import Message
from lateen.injection.values import GatewaysValues
from lateen.install.values.deployment import Deployment
from lateen.install.values.kubernetes import ResourceRequirements, ServicePort


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


class Gateway(Deployment, frozen=True, kw_only=True):
    """`values.gateways.istio-ingressgateway` and `istio-egressgateway`."""

    name: str = ""
    """Of the Deployment and the Service. Default: that of the component."""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    """Labels of the pods, by which Gateway resources select them; beside `app` and `istio`."""
    ports: tuple[ServicePort, ...] = ()
    """Ports of the Service, all of them. Default: docs/install.md, Gateways."""
    type: str = ""
    """Of the Service. Default: LoadBalancer for ingress, ClusterIP for egress."""
    resources: ResourceRequirements = ResourceRequirements(
        requests={"cpu": "100m", "memory": "128Mi"}, limits={"cpu": "2000m", "memory": "1024Mi"}
    )
    """Of the proxy."""
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


class Gateways(GatewaysValues, frozen=True, kw_only=True):
    """`values.gateways`: what injected gateways have (`securityContext`, `seccompProfile`), and those installed."""

    istio_ingressgateway: Gateway = msgspec.field(default=Gateway(), name="istio-ingressgateway")
    """Where traffic from outside comes in."""
    istio_egressgateway: Gateway = msgspec.field(default=Gateway(), name="istio-egressgateway")
    """Where traffic to the outside goes out."""
