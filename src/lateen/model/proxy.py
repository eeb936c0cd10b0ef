"""A proxy as it presents itself, and the views: what is left of a proxy when all that does not matter is dropped.

A thousand sidecars that agree on their view share one computation and one copy of the bytes.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import msgspec

from lateen.api.mesh.proxy_config import ProxyHeaders, Topology
from lateen.api.objects import Key
from lateen.model.endpoint import Locality

Labels = tuple[tuple[str, str], ...]
"""Sorted pairs."""


class Role(Enum):
    SIDECAR = "sidecar"
    ROUTER = "router"
    WAYPOINT = "waypoint"


class Generator(Enum):
    """What a proxy is, by the form in which it wants its configuration."""

    ENVOY = ""
    GRPC = "grpc"
    """No proxy at all: an application whose gRPC library is its own (`xds:///` targets, xDS servers)."""


class Interception(Enum):
    REDIRECT = "REDIRECT"
    TPROXY = "TPROXY"
    NONE = "NONE"
    """Nothing is captured; the proxy listens on the services' own ports at loopback."""


SYSTEM_ROOTS = "/etc/ssl/certs/ca-certificates.crt"


class Certificates(msgspec.Struct, frozen=True, cache_hash=True):
    """Where a proxy finds certificates and trust roots: names of files."""

    workload: str = "/etc/istio/proxy/sds/default.yaml"
    """Its own certificate (file SDS: Envoy watches it)."""
    roots: str = "/etc/istio/proxy/sds/rootca.yaml"
    """The mesh's roots (file SDS)."""
    system_roots: str = SYSTEM_ROOTS
    """The roots of its operating system (PEM), which servers outside of the mesh are verified with: Envoy does not find
    them by itself."""


def system_roots(certificates: Certificates | None) -> str:
    """The file with the roots of a proxy's operating system, whether or not it has an identity in the mesh."""
    return certificates.system_roots if certificates is not None else SYSTEM_ROOTS


class ProxySettings(msgspec.Struct, frozen=True, cache_hash=True):
    """What a proxy's own ProxyConfig (annotation `proxy.istio.io/config`) says of what the control plane makes for it.
    What is None is as MeshConfig.defaultConfig has it."""

    headers: ProxyHeaders | None = None
    topology: Topology | None = None


class Traits(msgspec.Struct, frozen=True):
    """What about a proxy changes the form of its configuration, whatever the mesh is."""

    ipv4: bool = True
    ipv6: bool = False
    interception: Interception = Interception.REDIRECT
    certificates: Certificates | None = Certificates()
    """None: it has no identity in the mesh. It speaks plain text where the mesh's TLS is not demanded, and refuses
    connections, of either direction, where it is."""
    dns_capture: bool = False
    privileged_ports: bool = True
    """May bind ports below 1024."""
    settings: ProxySettings = ProxySettings()


class PatchSet(NamedTuple):
    """The patches of one EnvoyFilter that apply to a proxy."""

    filter: Key
    excluded: tuple[int, ...] = ()
    """Of `configPatches`, those whose `match.proxy` is about other proxies."""


class Proxy(msgspec.Struct, frozen=True):
    id: str
    """`name.namespace`"""
    role: Role
    namespace: str
    labels: Labels = ()
    service_account: str = ""
    addresses: tuple[str, ...] = ()
    locality: Locality = Locality()
    network: str = ""
    cluster_id: str = ""
    node: str = ""
    dns_domain: str = ""
    traits: Traits = Traits()
    metadata: Labels = ()
    """Node metadata that is text, as EnvoyFilters match it (`match.proxy`; `ISTIO_VERSION` is the proxy's version)."""
    secrets: bool = True
    """May have the Secrets of its namespace that Gateways and DestinationRules name. Nothing that it says itself."""
    generator: Generator = Generator.ENVOY

    @property
    def name(self) -> str:
        return self.id.removesuffix(f".{self.namespace}")


class OutboundView(msgspec.Struct, frozen=True):
    """What a sidecar sees of the mesh."""

    namespace: str
    labels: Labels
    """Only those that some selector of an outbound resource asks for (sourceLabels, workloadSelector)."""
    sidecar: Key | None
    """The Sidecar resource that limits it."""
    locality: Locality
    network: str
    cluster_id: str
    node: str
    """Only where some service prefers the same node; else empty."""
    traits: Traits
    patches: tuple[PatchSet, ...] = ()
    """The EnvoyFilters that apply, in order of application."""
    secrets: bool = True
    """As of the proxy."""


class InboundView(msgspec.Struct, frozen=True):
    """What a sidecar's own workload is to the mesh."""

    namespace: str
    labels: Labels
    service_account: str
    sidecar: Key | None
    cluster_id: str
    network: str
    traits: Traits
    addresses: tuple[str, ...] = ()
    """Only where they matter (interception NONE, Sidecar ingress binds, EndpointSlices written by hand); else empty."""
    named_ports: tuple[tuple[str, int], ...] = ()
    """Numbers of the pod's ports that services refer to by name, sorted by name."""
    port_overrides: tuple[tuple[str, int], ...] = ()
    """A WorkloadEntry's own ports by the names of service ports, sorted by name."""
    patches: tuple[PatchSet, ...] = ()


class GatewayView(msgspec.Struct, frozen=True):
    """What a gateway sees of the mesh, and which Gateways select it."""

    namespace: str
    labels: Labels
    service_account: str
    locality: Locality
    network: str
    cluster_id: str
    node: str
    traits: Traits
    patches: tuple[PatchSet, ...] = ()
    secrets: bool = True
    """As of the proxy."""


class GrpcClientView(msgspec.Struct, frozen=True):
    """What an application without a proxy sees of the mesh as a gRPC client."""

    sidecar: OutboundView
    """What a sidecar of its would see."""


class GrpcServerView(msgspec.Struct, frozen=True):
    """What an application without a proxy is to the mesh as a gRPC server."""

    sidecar: InboundView
    """What a sidecar of its would be to the mesh, with the addresses that it may listen at."""
    declares_mutual_tls: bool
    """Others are told that it takes the mesh's TLS (label `security.istio.io/tlsMode: istio`)."""


ClientView = OutboundView | GatewayView
EnvoyView = OutboundView | InboundView | GatewayView
View = EnvoyView | GrpcClientView | GrpcServerView
