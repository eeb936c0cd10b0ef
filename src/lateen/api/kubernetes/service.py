"""Services (core/v1)."""

from __future__ import annotations

import msgspec

from lateen.api.objects import Metadata
from lateen.api.schema.message import Lenient

NETWORK_LABEL = "topology.istio.io/network"
"""On a Service: it is a gateway into this network. On a workload, or the system namespace: the network it is in."""


class ServicePort(Lenient, frozen=True):
    name: str = ""
    protocol: str = "TCP"
    """TCP, UDP or SCTP."""
    app_protocol: str | None = None
    """What the port speaks, over what its name says."""
    port: int = 0
    target_port: int | str | None = None
    """Of the pod, by number or name; absent or 0: the same as `port`."""
    node_port: int = 0


class ServiceSpec(Lenient, frozen=True):
    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] | None = None
    """Empty: endpoints are written by someone else."""
    type: str = "ClusterIP"
    """ClusterIP, NodePort, LoadBalancer or ExternalName."""
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    """`None` (the text) for a headless Service."""
    cluster_ips: tuple[str, ...] = msgspec.field(default=(), name="clusterIPs")
    """Of every address family; the first is `clusterIP`."""
    ip_families: tuple[str, ...] = ()
    external_ips: tuple[str, ...] = msgspec.field(default=(), name="externalIPs")
    load_balancer_ip: str = msgspec.field(default="", name="loadBalancerIP")
    external_name: str = ""
    internal_traffic_policy: str | None = None
    """Cluster or Local."""
    external_traffic_policy: str = ""
    traffic_distribution: str | None = None
    """PreferClose, PreferSameZone or PreferSameNode."""
    publish_not_ready_addresses: bool = False


class IngressPort(Lenient, frozen=True):
    port: int = 0
    protocol: str = "TCP"
    error: str | None = None


class LoadBalancerIngress(Lenient, frozen=True):
    """One address of a load balancer, as IP or as name."""

    ip: str = ""
    hostname: str = ""
    ip_mode: str | None = None
    """VIP (the cluster itself delivers to it) or Proxy."""
    ports: tuple[IngressPort, ...] = ()


class LoadBalancerStatus(Lenient, frozen=True):
    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(Lenient, frozen=True):
    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class Service(Lenient, frozen=True):
    """A name for a set of pods, or for something outside."""

    metadata: Metadata
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()

    @property
    def headless(self) -> bool:
        return self.spec.cluster_ip == "None"

    @property
    def virtual_addresses(self) -> tuple[str, ...]:
        """ClusterIPs of every family; none of a headless Service or one that has not been given any yet."""
        declared = self.spec.cluster_ips or ((self.spec.cluster_ip,) if self.spec.cluster_ip else ())
        return tuple(address for address in declared if address and address != "None")
