from __future__ import annotations

from lateen.model.proxy import GatewayView
from lateen.testing.envoy import accepts, decoded
from lateen.testing.mesh import Mesh
from lateen.translate.clusters import gateway
from lateen.translate.resource import Resource, ResourceType

SERVICES = """
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {clusterIP: 10.0.0.1, selector: {app: reviews}, ports: [{name: http, port: 80}, {name: tcp, port: 81}]}
---
kind: ServiceEntry
metadata: {name: entry, namespace: shop}
spec:
  hosts: [a.example.com]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
---
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec:
  host: reviews
  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1}, tls: {mode: ISTIO_MUTUAL}}
  subsets: [{name: v1, labels: {version: v1}}]
"""
AUTO_PASSTHROUGH = """
kind: Gateway
metadata: {name: east-west, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 15443, name: tls, protocol: TLS}, hosts: ["*.local"], tls: {mode: AUTO_PASSTHROUGH}}]
"""
HOST = "reviews.shop.svc.cluster.local"


def made(mesh: Mesh) -> dict[str, Resource]:
    (view,) = mesh.views(mesh.gateway())
    assert isinstance(view, GatewayView)
    return {recipe.name: mesh.make(recipe) for recipe in mesh.get(gateway.listing, view)}


def test_a_gateway_has_the_clusters_of_services_and_none_to_pass_through() -> None:
    assert made(Mesh(SERVICES)).keys() == {
        "BlackHoleCluster",
        "outbound|80||a.example.com",
        f"outbound|80||{HOST}",
        f"outbound|80|v1|{HOST}",
        f"outbound|81||{HOST}",
        f"outbound|81|v1|{HOST}",
    }


def test_server_names_choose_among_the_services_of_the_mesh() -> None:
    found = made(Mesh(SERVICES, AUTO_PASSTHROUGH))
    assert {name for name in found if name.startswith("outbound_.")} == {
        f"outbound_.80_._.{HOST}",
        f"outbound_.80_.v1_.{HOST}",
        f"outbound_.81_._.{HOST}",
        f"outbound_.81_.v1_.{HOST}",
    }


def test_bytes_for_a_server_name_go_on_as_they_come() -> None:
    cluster = decoded(ResourceType.CDS, made(Mesh(SERVICES, AUTO_PASSTHROUGH))[f"outbound_.80_.v1_.{HOST}"])
    assert cluster.eds_cluster_config.service_name == f"outbound_.80_.v1_.{HOST}"
    assert not cluster.HasField("transport_socket")
    assert not cluster.transport_socket_matches
    assert cluster.outlier_detection.consecutive_5xx.value == 1


def test_envoy_accepts_them() -> None:
    mesh = Mesh(SERVICES.replace("tls: {mode: ISTIO_MUTUAL}", "tls: {mode: DISABLE}"), AUTO_PASSTHROUGH)
    mesh.mesh_config("enableAutoMtls: false")
    accepts({ResourceType.CDS: made(mesh).values()})
