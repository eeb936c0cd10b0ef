"""A service: what a host name stands for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

import msgspec

from lateen.api.objects import ObjectRef
from lateen.model.protocol import Protocol


class ServiceKey(NamedTuple):
    """Names a service: several namespaces may define the same host."""

    hostname: str
    namespace: str


class Resolution(Enum):
    """Where the addresses of a service come from."""

    EDS = "ClientSideLB"
    """Endpoints known to the control plane."""
    DNS = "DNSLB"
    """The proxy resolves names and balances over all answers (STRICT_DNS)."""
    DNS_ROUND_ROBIN = "DNSRoundRobinLB"
    """The proxy resolves a name and uses the first answer of the moment (LOGICAL_DNS)."""
    PASSTHROUGH = "Passthrough"
    """The address the application dialled (ORIGINAL_DST)."""
    DYNAMIC_DNS = "DynamicDNS"
    """The proxy resolves the host the request names (dynamic forward proxy)."""
    ALIAS = "Alias"
    """Another service answers (ExternalName)."""

    __hash__ = object.__hash__


class ServicePort(msgspec.Struct, frozen=True):
    name: str
    port: int
    protocol: Protocol
    target_port: int = 0
    """Of the workload, where the service says it by number; 0 otherwise."""
    target_port_name: str = ""
    """Of the workload's port, where the service says it by name."""

    def number_at(self, listed: Mapping[str, int]) -> int:
        """Where a workload with these ports, each under a name, answers for this one; 0: nowhere, as the service has a
        name that the workload has not."""
        named = listed.get(self.target_port_name) or listed.get(self.name)
        return named or self.target_port or (0 if self.target_port_name else self.port)


class Service(msgspec.Struct, frozen=True):
    key: ServiceKey
    name: str
    """Short name (`reviews`); of a ServiceEntry the host itself."""
    source: ObjectRef
    """The resource it was made from."""
    ports: tuple[ServicePort, ...]
    resolution: Resolution
    addresses: tuple[str, ...] = ()
    """VIPs or CIDRs as declared (ClusterIPs, ServiceEntry.addresses)."""
    cluster_addresses: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """By cluster, for a Service that is in several: each has VIPs of its own."""
    auto_addresses: tuple[str, ...] = ()
    """VIPs given automatically (240.240.0.0/16, 2001:2::/48)."""
    headless: bool = False
    mesh_external: bool = False
    export_to: tuple[str, ...] = ("*",)
    """Namespaces, `*`, `.` or `~`."""
    labels: tuple[tuple[str, str], ...] = ()
    selects: bool = False
    """Its endpoints are the workloads of its namespace that `selector` picks; otherwise they are listed one by one."""
    selector: tuple[tuple[str, str], ...] = ()
    subject_alt_names: tuple[str, ...] = ()
    external_name: str = ""
    """The host an alias stands for."""
    node_local: bool = False
    """internalTrafficPolicy: Local."""
    traffic_distribution: str = ""
    """PreferClose, PreferSameZone, PreferSameNode or empty."""
    publish_not_ready: bool = False
    created: str = ""

    @property
    def hostname(self) -> str:
        return self.key.hostname

    @property
    def namespace(self) -> str:
        return self.key.namespace

    @property
    def is_kubernetes(self) -> bool:
        return self.source.kind == "Service"

    def virtual_addresses(self, cluster: str) -> tuple[str, ...]:
        """The declared VIPs as seen from a cluster."""
        return dict(self.cluster_addresses).get(cluster, self.addresses) if self.cluster_addresses else self.addresses

    def port(self, number: int) -> ServicePort | None:
        """The port of this number; of two (QUIC beside TLS, say) the one that is not UDP, which the mesh lets be."""
        found: ServicePort | None = None
        for port in self.ports:
            if port.port == number:
                if port.protocol is not Protocol.UDP:
                    return port
                found = port
        return found
