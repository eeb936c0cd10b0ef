"""An endpoint: one address that answers for one port of a service."""

from __future__ import annotations

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


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    address: str
    """IP address, host name (DNS resolutions) or `unix://` path."""
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
    identity: str = ""
    """SPIFFE ID."""
    workload: str = ""
    namespace: str = ""
    hostname: str = ""
    node: str = ""
