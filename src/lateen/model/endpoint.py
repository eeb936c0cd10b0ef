"""An endpoint: one address that answers for one port of a service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple

import msgspec


class Locality(NamedTuple):
    region: str = ""
    zone: str = ""
    subzone: str = ""

    def __str__(self) -> str:
        return "/".join(self).rstrip("/")


class Health(Enum):
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"
    DRAINING = "DRAINING"

    __hash__ = object.__hash__


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    address: str
    """IP address, host name (DNS resolutions) or `unix://` path; empty where only the network's gateway is known."""
    port: int
    """Of the workload; 0 for unix sockets."""
    port_name: str
    """Name of the service port it answers for."""
    labels: tuple[tuple[str, str], ...] = ()
    """Of the workload, sorted."""
    locality: Locality = Locality()
    network: str = ""
    cluster_id: str = ""
    weight: int = 0
    """As declared; 0 when not."""
    health: Health = Health.HEALTHY
    mutual_tls: bool = False
    """Its proxy accepts the mesh's mutual TLS (label security.istio.io/tlsMode and PeerAuthentication)."""
    is_own_proxy: bool = False
    """A gRPC application that needs no proxy: where it takes the mesh's TLS, it takes nothing else."""
    identity: str = ""
    """SPIFFE ID."""
    workload: str = ""
    namespace: str = ""
    hostname: str = ""
    """What a pod of a headless Service is called under the Service's name."""
    node: str = ""
    additional_addresses: tuple[str, ...] = ()
    """Of the other address family, of workloads that have both."""

    def label(self, name: str) -> str | None:
        """A label of the workload; those about its place are what the mesh knows of the place."""
        place = _PLACE.get(name)
        if place is not None and (found := place(self)):
            return found
        return next((value for key, value in self.labels if key == name), None)


_PLACE: Mapping[str, Callable[[Endpoint], str]] = {
    "topology.kubernetes.io/region": lambda endpoint: endpoint.locality.region,
    "topology.kubernetes.io/zone": lambda endpoint: endpoint.locality.zone,
    "topology.istio.io/subzone": lambda endpoint: endpoint.locality.subzone,
    "topology.istio.io/network": lambda endpoint: endpoint.network,
    "topology.istio.io/cluster": lambda endpoint: endpoint.cluster_id,
    "kubernetes.io/hostname": lambda endpoint: endpoint.node,
}
