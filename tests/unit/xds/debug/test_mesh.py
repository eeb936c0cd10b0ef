"""/debug/registryz, endpointz and configz: the shapes that people's scripts read."""

from __future__ import annotations

from typing import Any

from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.xds.debug.mesh import configz, endpointz, registryz

SERVICE = """
kind: Service
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  clusterIP: 10.0.0.1
  clusterIPs: [10.0.0.1]
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
"""
ENTRY = """
kind: ServiceEntry
metadata: {name: outside, namespace: shop}
spec:
  hosts: [api.example.com]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: DNS
"""
RULE = """
kind: DestinationRule
metadata: {name: web, namespace: shop, labels: {team: a}}
spec: {host: web, trafficPolicy: {connectionPool: {tcp: {maxConnections: 3}}}}
"""


def services(mesh: Mesh) -> dict[str, dict[str, Any]]:
    return {found["hostname"]: found for found in registryz(mesh.engine)}


def test_services() -> None:
    found = services(Mesh(SERVICE, ENTRY))
    web = found["web.shop.svc.cluster.local"]
    assert (
        web["Attributes"] | {"ServiceRegistry": "Kubernetes", "Name": "web", "Namespace": "shop"} == web["Attributes"]
    )
    assert web["Attributes"]["LabelSelectors"] == {"app": "web"}
    assert web["ports"] == [{"name": "http", "port": 80, "protocol": "HTTP"}]
    assert web["clusterVIPs"] == {"Addresses": {"Kubernetes": ["10.0.0.1"]}}
    assert web["defaultAddress"] == "10.0.0.1"
    assert (web["Resolution"], web["MeshExternal"]) == (0, False)
    outside = found["api.example.com"]
    assert outside["Attributes"]["ServiceRegistry"] == "External"
    assert outside["clusterVIPs"] == {"Addresses": {}}
    assert outside["defaultAddress"] == "0.0.0.0"
    assert outside["autoAllocatedIPv4Address"].startswith("240.240.")
    assert outside["autoAllocatedIPv6Address"].startswith("2001:2:")
    assert (outside["Resolution"], outside["MeshExternal"]) == (1, True)


def test_endpoints_of_every_port() -> None:
    mesh = Mesh(SERVICE, endpoint_slice("web", "shop", ports={"http": 8080}, addresses=("10.1.0.1", "10.1.0.2")))
    (found,) = endpointz(mesh.engine)
    assert found["svc"] == "web.shop.svc.cluster.local:http"
    assert [(e["endpoint"]["Addresses"], e["endpoint"]["EndpointPort"]) for e in found["ep"]] == [
        (["10.1.0.1"], 8080),
        (["10.1.0.2"], 8080),
    ]
    assert found["ep"][0]["service"]["hostname"] == "web.shop.svc.cluster.local"
    assert found["ep"][0]["servicePort"]["port"] == 80
    assert found["ep"][0]["endpoint"]["TLSMode"] == "disabled"


def test_resources_are_shown_as_objects_of_kubernetes() -> None:
    (found,) = configz(Mesh(SERVICE, RULE).engine)
    assert (found["apiVersion"], found["kind"]) == ("networking.istio.io/v1", "DestinationRule")
    assert found["metadata"]["name"] == "web"
    assert found["metadata"]["labels"] == {"team": "a"}
    assert found["spec"] == {"host": "web", "trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 3}}}}
