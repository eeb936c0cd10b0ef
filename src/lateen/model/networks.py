"""Networks: which one an address is in, and the gateways by which others reach it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

import msgspec

from lateen.api.kubernetes.service import NETWORK_LABEL, Service
from lateen.api.mesh.mesh_networks import IstioNetworkGateway
from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.endpoint import Locality
from lateen.model.inputs import CLUSTER_ID, DOMAIN, MESH_NETWORKS, NAMESPACES, SERVICES
from lateen.model.localities import parse_locality
from lateen.model.mesh import root_namespace
from lateen.model.resolved_names import addresses_of

GATEWAY_PORT_LABEL = "networking.istio.io/gatewayPort"
"""On a gateway's Service: the port for traffic from other networks."""
DEFAULT_GATEWAY_PORT = 15443

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class ClusterNetworks(msgspec.Struct, frozen=True):
    """What decides on the networks of a cluster's workloads."""

    default: str
    """Of those that say nothing and are in no range."""
    ranges: tuple[tuple[IPNetwork, str], ...]
    """CIDRs and their networks, the narrowest first."""

    def of(self, address: str, labels: Mapping[str, str]) -> str:
        """The network of a workload: its own label, then the cluster's, then that of the range it is in."""
        declared = labels.get(NETWORK_LABEL, "")
        if declared or self.default or not self.ranges or not address:
            return declared or self.default
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return ""
        return next((network for cidr, network in self.ranges if ip in cidr), "")


class NetworkGateway(msgspec.Struct, frozen=True):
    """One address by which other networks reach a network."""

    network: str
    cluster: str
    """Empty: it serves endpoints of all clusters of the network."""
    address: str
    port: int
    locality: Locality = Locality()


@query
def cluster_networks(db: Reader, cluster: str) -> ClusterNetworks:
    """What decides on networks in a cluster (by its name; empty for the control plane's own)."""
    own = CLUSTER_ID.get(db)
    name = cluster or own
    namespace = NAMESPACES.get(db, Key("", root_namespace(db), "" if name == own else name))
    default = namespace.metadata.labels.get(NETWORK_LABEL, "") if namespace is not None else ""
    ranges: list[tuple[IPNetwork, str]] = []
    networks = MESH_NETWORKS.get(db).networks
    for network in sorted(networks):
        for declared in networks[network].endpoints:
            if declared.from_registry == name:
                default = default or network
            elif declared.from_cidr:
                ranges.append((ipaddress.ip_network(declared.from_cidr, strict=False), network))
    ranges.sort(key=lambda pair: (-pair[0].prefixlen, str(pair[0]), pair[1]))
    return ClusterNetworks(default, tuple(ranges))


def network_of(db: Reader, cluster: str, address: str, labels: Mapping[str, str]) -> str:
    """The network of one workload."""
    return cluster_networks(db, cluster).of(address, labels)


@query
def network_gateways(db: Reader) -> tuple[NetworkGateway, ...]:
    """All gateways between networks, sorted: those of MeshNetworks, and the Services that are labelled as such.

    A gateway that goes by a name has the addresses of the name: a load assignment takes addresses only.
    """
    found: list[NetworkGateway] = []
    for each in _declared_gateways(db):
        if _is_address(each.address):
            found.append(each)
        else:
            found += [msgspec.structs.replace(each, address=one) for one in addresses_of(db, each.address)]
    return tuple(sorted(dict.fromkeys(found), key=msgspec.structs.astuple))


@query
def gateway_names(db: Reader) -> tuple[str, ...]:
    """The names by which gateways between networks go, sorted."""
    return tuple(sorted({each.address for each in _declared_gateways(db) if not _is_address(each.address)}))


@query
def _declared_gateways(db: Reader) -> tuple[NetworkGateway, ...]:
    """By address or name, as they are declared."""
    declared = [
        gateway
        for network, value in sorted(MESH_NETWORKS.get(db).networks.items())
        for each in value.gateways
        for gateway in _declared(db, network, each)
    ]
    own = CLUSTER_ID.get(db)
    for key in SERVICES.where(db, "network", True):
        declared.extend(_labelled(db, key, own))
    return tuple(declared)


def _labelled(db: Reader, key: Key, own: str) -> tuple[NetworkGateway, ...]:
    found = SERVICES.get(db, key)
    if found is None:
        return ()
    labels = found.metadata.labels
    text = labels.get(GATEWAY_PORT_LABEL, "")
    port = int(text) if text.isdigit() else DEFAULT_GATEWAY_PORT
    return tuple(
        NetworkGateway(labels[NETWORK_LABEL], key.cluster or own, address, port)
        for address in external_addresses(found)
    )


def _declared(db: Reader, network: str, gateway: IstioNetworkGateway) -> tuple[NetworkGateway, ...]:
    locality = parse_locality(gateway.locality)
    if gateway.address:
        return (NetworkGateway(network, "", gateway.address, gateway.port, locality),)
    name = hosts.kubernetes_name(gateway.registry_service_name, DOMAIN.get(db))
    if name is None:
        return ()
    own = CLUSTER_ID.get(db)
    return tuple(
        NetworkGateway(network, key.cluster or own, address, gateway.port, locality)
        for key in SERVICES.where(db, "name", (name[1], name[0]))
        if (found := SERVICES.get(db, key)) is not None
        for address in external_addresses(found)
    )


def external_addresses(value: Service) -> tuple[str, ...]:
    """The addresses by which a Service is reached from outside of its cluster."""
    ingress = tuple(each.ip or each.hostname for each in value.status.load_balancer.ingress)
    return tuple(dict.fromkeys((*(each for each in ingress if each), *value.spec.external_ips)))


def _is_address(text: str) -> bool:
    """Whether it is an IP address: otherwise it is a name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
