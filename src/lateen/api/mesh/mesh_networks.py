"""mesh/v1alpha1 MeshNetworks: the networks of the mesh and the gateways between them."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from lateen.api.schema.message import Message, UInt32


class NetworkEndpoints(Message, frozen=True, kw_only=True):
    """Network.NetworkEndpoints: which endpoints are in a network."""

    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = (("from_cidr", "from_registry"),)

    from_cidr: str = ""
    """Those with an address in this range."""
    from_registry: str = ""
    """All that were read from this cluster."""


class IstioNetworkGateway(Message, frozen=True, kw_only=True):
    """Network.IstioNetworkGateway: where traffic from other networks enters. It takes mutual TLS only."""

    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = (("registry_service_name", "address"),)

    registry_service_name: str = ""
    """Fully qualified name of the gateway's Service, whose addresses are looked up in the network's clusters."""
    address: str = ""
    """IP address or DNS name that every network reaches."""
    port: UInt32 = 0
    """Port of the gateway."""
    locality: str = ""
    """Where it is, as `region/zone/subzone`."""


class Network(Message, frozen=True, kw_only=True):
    """A routable network: its endpoints reach each other directly."""

    endpoints: tuple[NetworkEndpoints, ...] = ()
    """What is in it."""
    gateways: tuple[IstioNetworkGateway, ...] = ()
    """How others get in."""


class MeshNetworks(Message, frozen=True, kw_only=True):
    """All networks of the mesh, by name."""

    networks: dict[str, Network] = msgspec.field(default_factory=dict)
    """By the name that `topology.istio.io/network` labels use."""
