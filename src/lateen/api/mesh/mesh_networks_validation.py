"""What is wrong with MeshNetworks beyond their types (Istio: ValidateMeshNetworks)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from lateen.api.mesh.mesh_networks import IstioNetworkGateway, MeshNetworks, NetworkEndpoints
from lateen.api.schema.fault import Fault, error
from lateen.api.schema.hostnames import is_dns_label, wrong_address, wrong_fqdn


def validate_mesh_networks(networks: MeshNetworks) -> Iterator[Fault]:
    """Faults of every network, located (`networks[north].gateways[0].port`)."""
    for name, network in sorted(networks.networks.items()):
        path = f"networks[{name}]"
        for index, endpoints in enumerate(network.endpoints):
            yield from _endpoints(endpoints, f"{path}.endpoints[{index}]")
        for index, gateway in enumerate(network.gateways):
            yield from _gateway(gateway, f"{path}.gateways[{index}]")


def _endpoints(endpoints: NetworkEndpoints, path: str) -> Iterator[Fault]:
    if endpoints.from_cidr:
        try:
            ipaddress.ip_network(endpoints.from_cidr, strict=False)
        except ValueError:
            yield error(f"{path}.fromCidr", f"{endpoints.from_cidr!r} is neither an IP address nor a range of them")
    elif endpoints.from_registry:
        if not is_dns_label(endpoints.from_registry):
            yield error(f"{path}.fromRegistry", f"{endpoints.from_registry!r} is not a DNS label")
    else:
        yield error(path, "one of fromCidr, fromRegistry is required")


def _gateway(gateway: IstioNetworkGateway, path: str) -> Iterator[Fault]:
    if gateway.registry_service_name:
        wrong = wrong_fqdn(gateway.registry_service_name)
        if wrong:
            yield error(f"{path}.registryServiceName", wrong)
    elif gateway.address:
        if wrong_address(gateway.address) and wrong_fqdn(gateway.address):
            yield error(f"{path}.address", f"{gateway.address!r} is neither an IP address nor a host name")
    else:
        yield error(path, "one of registryServiceName, address is required")
    if not 1 <= gateway.port <= 65535:
        yield error(f"{path}.port", f"expected a port from 1 to 65535, got {gateway.port}")
