"""EnvoyFilters on what is really generated: one mesh, one sidecar, one gateway, judged by Envoy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lateen.model.proxy import Certificates, Proxy, Traits
from lateen.testing.envoy import accepts, decoded
from lateen.testing.envoy_filters import patch, typed
from lateen.testing.mesh import Mesh
from lateen.translate.resource import Resource, ResourceType

CDS, LDS, RDS = ResourceType.CDS, ResourceType.LDS, ResourceType.RDS

MESH = """
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80, targetPort: 8080}], selector: {app: web}}
---
kind: Service
metadata: {name: db}
spec: {clusterIP: 10.0.0.2, ports: [{name: tcp, port: 5432}], selector: {app: db}}
---
kind: Pod
metadata: {name: web-1, labels: {app: web}}
status: {podIP: 10.99.0.1, phase: Running}
---
kind: Gateway
metadata: {name: edge, namespace: istio-system}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
kind: VirtualService
metadata: {name: web}
spec: {hosts: [web.example], gateways: [istio-system/edge], http: [{name: all, route: [{destination: {host: web}}]}]}
"""
LUA = typed("lua", "filters.http.lua.v3.Lua", default_source_code={"inline_string": "function envoy_on_request(h) end"})
ROUTER = {
    "filterChain": {
        "filter": {
            "name": "envoy.filters.network.http_connection_manager",
            "subFilter": {"name": "envoy.filters.http.router"},
        }
    }
}


def everywhere(context: str) -> dict[str, Any]:
    """Patches of everything there is, in one context."""
    routes = {"vhost": {"route": {"action": "ROUTE"}}}
    return {
        "kind": "EnvoyFilter",
        "metadata": {"name": "everything", "namespace": "istio-system"},
        "spec": {
            "configPatches": [
                patch("CLUSTER", "MERGE", {"connect_timeout": "7s"}, context=context),
                patch("LISTENER", "MERGE", {"stat_prefix": "patched"}, context=context),
                patch("HTTP_FILTER", "INSERT_BEFORE", LUA, context=context, listener=ROUTER),
                patch(
                    "HTTP_ROUTE",
                    "MERGE",
                    {"request_headers_to_remove": ["patched"]},
                    context=context,
                    routeConfiguration=routes,
                ),
            ]
        },
    }


@pytest.fixture
def traits(tmp_path: Path) -> Traits:
    """Envoy asks that the files with certificates exist."""
    files = Certificates(workload=str(tmp_path / "default.yaml"), roots=str(tmp_path / "rootca.yaml"))
    for file in (files.workload, files.roots):
        Path(file).touch()
    return Traits(certificates=files)


def held(mesh: Mesh, proxy: Proxy) -> dict[tuple[ResourceType, str], Resource]:
    return {(type_, name): each for type_ in (CDS, LDS, RDS) for name, each in mesh.resources(type_, proxy).items()}


def judge(found: dict[tuple[ResourceType, str], Resource]) -> None:
    accepts({type_: [each for (of, _), each in found.items() if of is type_] for type_ in (CDS, LDS, RDS)})


def changed(before: dict[Any, Resource], after: dict[Any, Resource]) -> set[Any]:
    assert before.keys() == after.keys()
    return {key for key in before if before[key] != after[key]}


def test_outbound_patches_touch_what_is_outbound(traits: Traits) -> None:
    mesh = Mesh(MESH)
    proxy = mesh.proxy("web-1.default", {"app": "web"}, traits=traits)
    before = held(mesh, proxy)
    mesh.apply(everywhere("SIDECAR_OUTBOUND"))
    after = held(mesh, proxy)
    inbound = {(type_, name) for type_, name in before if name == "virtualInbound" or name.startswith("inbound|")}
    inbound |= {(CDS, name) for _, name in before if name == "InboundPassthroughCluster"}
    touched = changed(before, after)
    assert not touched & inbound
    assert {key for key in before if key[0] in (CDS, LDS)} - inbound <= touched
    route = decoded(RDS, after[RDS, "80"])
    assert "patched" in str(route)
    judge(after)


def test_inbound_patches_touch_what_is_inbound(traits: Traits) -> None:
    mesh = Mesh(MESH)
    proxy = mesh.proxy("web-1.default", {"app": "web"}, traits=traits)
    before = held(mesh, proxy)
    mesh.apply(everywhere("SIDECAR_INBOUND"))
    after = held(mesh, proxy)
    touched = changed(before, after)
    assert {(LDS, "virtualInbound"), (CDS, "inbound|8080||")} <= touched
    assert all(name == "virtualInbound" or name.lower().startswith("inbound") for _, name in touched)
    body = after[LDS, "virtualInbound"].body
    assert b"envoy_on_request" in body
    assert b"patched" in body
    judge(after)


def test_gateway_patches_touch_gateways_alone(traits: Traits) -> None:
    mesh = Mesh(MESH, everywhere("GATEWAY"))
    gateway, sidecar = mesh.gateway(traits=traits), mesh.proxy("web-1.default", {"app": "web"}, traits=traits)
    patched, plain = held(mesh, gateway), held(mesh, sidecar)
    mesh.delete("EnvoyFilter", "istio-system", "everything")
    assert held(mesh, sidecar) == plain
    touched = changed(held(mesh, gateway), patched)
    assert {type_ for type_, _ in touched} == {CDS, LDS, RDS}
    assert b"patched" in patched[RDS, "http.80"].body
    judge(patched)


def test_proxies_that_agree_share_patched_resources(traits: Traits) -> None:
    mesh = Mesh(MESH, everywhere("SIDECAR_OUTBOUND"))
    one = mesh.recipes(CDS, mesh.proxy("a.default", traits=traits))
    other = mesh.recipes(CDS, mesh.proxy("b.other", traits=traits))
    name = "outbound|80||web.default.svc.cluster.local"
    assert one[name] == other[name]
