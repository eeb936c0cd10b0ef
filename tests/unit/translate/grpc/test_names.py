"""The names that gRPC applications may ask for."""

from __future__ import annotations

from typing import Any

from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from lateen.model.proxy import Generator
from lateen.testing.mesh import Mesh
from lateen.translate.envoy_types import MESSAGES
from lateen.translate.resource import ResourceType

ECHO = """
kind: Service
metadata: {name: echo, namespace: shop}
spec: {clusterIP: 10.0.0.5, selector: {app: echo}, ports: [{name: grpc, port: 7070}, {name: tcp-x, port: 81}]}
"""
ECHO_CLUSTER = "outbound|7070||echo.shop.svc.cluster.local"


def targets(mesh: Mesh, id: str = "client.shop", port: int = 7070) -> dict[str, str]:
    """The route configuration of every target with a port."""
    found = mesh.resources(ResourceType.LDS, mesh.proxy(id, generator=Generator.GRPC))
    return {
        name.removesuffix(f":{port}"): _route(MESSAGES[ResourceType.LDS].FromString(resource.body))
        for name, resource in found.items()
        if name.endswith(f":{port}") and not name.startswith("xds.istio.io/")
    }


def _route(listener: Any) -> str:
    manager = hcm_pb2.HttpConnectionManager()
    assert listener.api_listener.api_listener.Unpack(manager)
    return str(manager.rds.route_config_name)


def test_a_service_goes_by_all_its_names() -> None:
    mesh = Mesh(ECHO)
    host = "echo.shop.svc.cluster.local"
    everywhere = {"echo.shop", "echo.shop.svc", host, f"{host}.", "10.0.0.5"}
    assert targets(mesh) == dict.fromkeys(everywhere | {"echo"}, ECHO_CLUSTER)
    assert targets(mesh, "client.other") == dict.fromkeys(everywhere, ECHO_CLUSTER)


def test_every_port_has_its_names_whatever_it_speaks() -> None:
    assert targets(Mesh(ECHO), port=81)["echo"] == "outbound|81||echo.shop.svc.cluster.local"


def test_the_short_name_is_of_the_own_namespace() -> None:
    mesh = Mesh(ECHO, ECHO.replace("shop", "other").replace("10.0.0.5", "10.0.0.6"))
    assert targets(mesh)["echo"] == ECHO_CLUSTER
    assert targets(mesh, "client.other")["echo"] == ECHO_CLUSTER.replace("shop", "other")
    assert "echo" not in targets(mesh, "client.third")


def test_a_name_that_several_go_by_is_of_the_one_whose_it_is_in_full() -> None:
    entry = """
kind: ServiceEntry
metadata: {name: taker, namespace: other}
spec:
  hosts: [echo.shop]
  resolution: STATIC
  ports: [{number: 7070, name: grpc, protocol: GRPC}]
  endpoints: [{address: 1.2.3.4}]
"""
    mesh = Mesh(ECHO, entry)
    found = targets(mesh)
    assert found["echo.shop"] == "outbound|7070||echo.shop"
    assert found["echo.shop.svc"] == ECHO_CLUSTER
    mesh.apply(entry.replace("spec:", "spec:\n  exportTo: [.]"))
    assert targets(mesh)["echo.shop"] == ECHO_CLUSTER
    assert targets(mesh, "client.other")["echo.shop"] == "outbound|7070||echo.shop"


def test_an_alias_leads_to_what_it_stands_for() -> None:
    alias = """
kind: Service
metadata: {name: say, namespace: shop}
spec: {type: ExternalName, externalName: echo.shop.svc.cluster.local}
"""
    found = targets(Mesh(ECHO, alias))
    assert found["say"] == found["say.shop.svc.cluster.local"] == ECHO_CLUSTER


def test_wildcards_and_single_pods_have_no_name_to_ask_for() -> None:
    headless = ECHO.replace("10.0.0.5", "None")
    wide = """
kind: ServiceEntry
metadata: {name: wide, namespace: shop}
spec: {hosts: ["*.example.com"], ports: [{number: 7070, name: grpc, protocol: GRPC}]}
"""
    found = targets(Mesh(headless, wide))
    assert "echo" in found
    assert not any("*" in name for name in found)


def test_a_sidecar_resource_limits_what_is_seen() -> None:
    sidecar = """
kind: Sidecar
metadata: {name: default, namespace: shop}
spec: {egress: [{hosts: ["./none"]}]}
"""
    assert targets(Mesh(ECHO, sidecar)) == {}
    assert targets(Mesh(ECHO, sidecar), "client.other") != {}
