from __future__ import annotations

from lateen.model.endpoint import Locality
from lateen.model.localities import labelled_locality, parse_locality
from lateen.model.networks import NetworkGateway, cluster_networks, gateway_names, network_gateways
from lateen.model.resolved_names import RESOLVED_NAMES
from lateen.testing.mesh import Mesh


def test_the_narrowest_range_decides() -> None:
    mesh = Mesh()
    mesh.mesh_networks(
        """
        networks:
          wide: {endpoints: [{fromCidr: 10.0.0.0/8}, {fromCidr: "2001:db8::/32"}]}
          narrow: {endpoints: [{fromCidr: 10.1.0.0/16}]}
        """
    )
    assert mesh.get(cluster_networks, "").of("10.1.2.3", {}) == "narrow"
    assert mesh.get(cluster_networks, "").of("10.2.2.3", {}) == "wide"
    assert mesh.get(cluster_networks, "").of("2001:db8::1", {}) == "wide"
    assert mesh.get(cluster_networks, "").of("192.0.2.1", {}) == ""
    assert mesh.get(cluster_networks, "").of("not-an-address", {}) == ""
    assert mesh.get(cluster_networks, "").of("10.1.2.3", {"topology.istio.io/network": "own"}) == "own"


def test_clusters_have_networks() -> None:
    mesh = Mesh()
    mesh.mesh_networks(
        "networks: {a: {endpoints: [{fromRegistry: east}]}, b: {endpoints: [{fromRegistry: Kubernetes}]}}"
    )
    assert mesh.get(cluster_networks, "east").of("10.0.0.1", {}) == "a"
    assert mesh.get(cluster_networks, "").of("10.0.0.1", {}) == "b"
    assert mesh.get(cluster_networks, "Kubernetes").of("10.0.0.1", {}) == "b"
    mesh.apply(
        "{kind: Namespace, metadata: {name: istio-system, labels: {topology.istio.io/network: said}}}", cluster="east"
    )
    assert mesh.get(cluster_networks, "east").of("10.0.0.1", {}) == "said"
    assert mesh.get(cluster_networks, "").of("10.0.0.1", {}) == "b"


def test_gateways_between_networks() -> None:
    mesh = Mesh(
        """
        kind: Service
        metadata: {name: named, namespace: istio-system}
        spec: {clusterIP: 10.0.0.1, externalIPs: [192.0.2.9], ports: [{port: 15443}]}
        ---
        kind: Service
        metadata: {name: labelled, labels: {topology.istio.io/network: b}}
        spec: {clusterIP: 10.0.0.2, ports: [{port: 15443}]}
        status: {loadBalancer: {ingress: [{ip: 192.0.2.2}, {hostname: gateway.example.com}]}}
        """
    )
    mesh.mesh_networks(
        """
        networks:
          a:
            gateways:
            - {address: 192.0.2.1, port: 443, locality: r/z}
            - {registryServiceName: named.istio-system.svc.cluster.local, port: 444}
            - {registryServiceName: missing.istio-system.svc.cluster.local, port: 445}
            - {address: gateway.example.com, port: 446}
        """
    )
    assert mesh.get(network_gateways) == (
        NetworkGateway("a", "", "192.0.2.1", 443, Locality("r", "z")),
        NetworkGateway("a", "Kubernetes", "192.0.2.9", 444),
        NetworkGateway("b", "Kubernetes", "192.0.2.2", 15443),
    )
    assert mesh.get(gateway_names) == ("gateway.example.com",)
    with mesh.engine.change() as tx:
        tx.set(RESOLVED_NAMES, "gateway.example.com", ("192.0.2.7", "2001:db8::7"))
    assert mesh.get(network_gateways) == (
        NetworkGateway("a", "", "192.0.2.1", 443, Locality("r", "z")),
        NetworkGateway("a", "", "192.0.2.7", 446),
        NetworkGateway("a", "", "2001:db8::7", 446),
        NetworkGateway("a", "Kubernetes", "192.0.2.9", 444),
        NetworkGateway("b", "Kubernetes", "192.0.2.2", 15443),
        NetworkGateway("b", "Kubernetes", "192.0.2.7", 15443),
        NetworkGateway("b", "Kubernetes", "2001:db8::7", 15443),
    )


def test_localities_as_text() -> None:
    assert parse_locality("") == Locality()
    assert parse_locality("r") == Locality("r")
    assert parse_locality("r/z/s/t") == Locality("r", "z", "s/t")
    assert str(Locality("r", "z")) == "r/z"
    assert labelled_locality({"istio-locality": "r.z.s"}) == Locality("r", "z", "s")
    assert labelled_locality({"topology.istio.io/locality": "a", "istio-locality": "b"}) == Locality("a")
    assert labelled_locality({}) is None
