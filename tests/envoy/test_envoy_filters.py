"""EnvoyFilters seen working: a real Envoy as a gateway, with a patch of each kind. One Envoy for all cases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
import pytest_asyncio

from lateen.model.proxy import Traits
from lateen.testing.backends import http_backend
from lateen.testing.certificates import Authority
from lateen.testing.envoy_filters import patch, typed
from lateen.testing.free_port import free_port
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.testing.running_envoy import RunningEnvoy
from lateen.testing.static_bootstrap import static_bootstrap

pytestmark = pytest.mark.asyncio(loop_scope="module")

HCM = "envoy.filters.network.http_connection_manager"
MANAGER = "filters.network.http_connection_manager.v3.HttpConnectionManager"


def lua(name: str, code: str) -> dict[str, Any]:
    return typed(name, "filters.http.lua.v3.Lua", default_source_code={"inline_string": code})


def appends(letter: str) -> str:
    return f"""
    function envoy_on_request(handle)
      local seen = handle:headers():get("x-seen") or ""
      handle:headers():replace("x-seen", seen .. "{letter}")
    end
    """


def in_manager(sub_filter: str = "") -> dict[str, Any]:
    inner = {"subFilter": {"name": sub_filter}} if sub_filter else {}
    return {"filterChain": {"filter": {"name": HCM, **inner}}}


def patches(other: int) -> list[dict[str, Any]]:
    """`other` is the port that the added cluster sends requests to."""
    only_a = {"vhost": {"domainName": "a.com"}}
    return [
        patch("HTTP_FILTER", "INSERT_BEFORE", lua("b", appends("b")), listener=in_manager("envoy.filters.http.router")),
        patch("HTTP_FILTER", "INSERT_FIRST", lua("a", appends("a")), listener=in_manager()),
        patch("HTTP_FILTER", "ADD", lua("c", appends("c")), listener=in_manager()),
        patch("HTTP_FILTER", "INSERT_AFTER", lua("d", appends("d")), listener=in_manager("a")),
        patch("NETWORK_FILTER", "MERGE", typed(HCM, MANAGER, server_name="patched"), listener=in_manager()),
        patch(
            "HTTP_ROUTE",
            "INSERT_FIRST",
            {"name": "own", "match": {"prefix": "/own"}, "direct_response": {"status": 418}},
            routeConfiguration=only_a,
        ),
        patch(
            "HTTP_ROUTE",
            "MERGE",
            {"request_headers_to_add": [{"header": {"key": "x-route", "value": "merged"}}]},
            routeConfiguration={"vhost": {"route": {"name": "named"}}},
        ),
        patch(
            "VIRTUAL_HOST",
            "ADD",
            {
                "name": "added",
                "domains": ["added.com"],
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "added"}}],
            },
        ),
        patch(
            "VIRTUAL_HOST",
            "MERGE",
            {"response_headers_to_add": [{"header": {"key": "x-host", "value": "merged"}}]},
            routeConfiguration=only_a,
        ),
        patch("VIRTUAL_HOST", "REMOVE", routeConfiguration={"vhost": {"domainName": "removed.com"}}),
        patch(
            "CLUSTER",
            "ADD",
            {
                "name": "added",
                "type": "STATIC",
                "connect_timeout": "5s",
                "load_assignment": {"cluster_name": "added", "endpoints": [{"lb_endpoints": [endpoint(other)]}]},
            },
        ),
        patch("CLUSTER", "MERGE", {"alt_stat_name": "renamed"}, cluster={"service": "a.default.svc.cluster.local"}),
        patch("HTTP_FILTER", "INSERT_FIRST", {"name": "z", "typed_config": {"@type": "x/stats.PluginConfig"}}),
    ]


def endpoint(port: int) -> dict[str, Any]:
    return {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    told: dict[str, Any]
    """What the backend says it got; empty if none was asked."""


class Edge:
    def __init__(self, port: int, envoy: RunningEnvoy) -> None:
        self.envoy = envoy
        self._port = port

    async def get(self, host: str, path: str = "/") -> Answer:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self._port}{path}", headers={"host": host}) as answer,
        ):
            text = await answer.text()
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, headers, json.loads(text) if text.startswith("{") else {})


def service(name: str, port: int) -> tuple[dict[str, Any], dict[str, Any]]:
    spec = {"clusterIP": "10.0.0.1", "ports": [{"name": "http", "port": 80}]}
    return (
        {"kind": "Service", "metadata": {"name": name}, "spec": spec},
        endpoint_slice(name, ports={"http": port}, addresses=("127.0.0.1",)),
    )


def virtual_service(host: str, name: str) -> dict[str, Any]:
    route = {"name": "named", "route": [{"destination": {"host": "a", "port": {"number": 80}}}]}
    spec = {"hosts": [host], "gateways": ["istio-system/gw"], "http": [route]}
    return {"kind": "VirtualService", "metadata": {"name": name}, "spec": spec}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    directory, port = tmp_path_factory.mktemp("edge"), free_port()
    async with http_backend("a") as a, http_backend("other") as other:
        mesh = Mesh(*service("a", a), virtual_service("a.com", "a"), virtual_service("removed.com", "removed"))
        server = {"port": {"number": port, "name": "http", "protocol": "HTTP"}, "bind": "127.0.0.1", "hosts": ["*"]}
        metadata = {"name": "gw", "namespace": "istio-system"}
        spec = {"selector": {"istio": "ingressgateway"}, "servers": [server]}
        mesh.apply({"kind": "Gateway", "metadata": metadata, "spec": spec})
        metadata = {"name": "all", "namespace": "istio-system"}
        mesh.apply({"kind": "EnvoyFilter", "metadata": metadata, "spec": {"configPatches": patches(other)}})
        certificates = Authority().workload(Path(directory), "spiffe://cluster.local/ns/istio-system/sa/default")
        async with RunningEnvoy(
            static_bootstrap((mesh, mesh.gateway(traits=Traits(certificates=certificates))))
        ) as envoy:
            await asyncio.to_thread(envoy.until, lambda: len(envoy.addresses()) == 1, "the port is listened on")
            yield Edge(port, envoy)


async def test_filters_see_requests_in_the_order_that_patches_put_them(edge: Edge) -> None:
    answer = await edge.get("a.com")
    assert answer.told["name"] == "a"
    assert answer.told["headers"]["x-seen"] == "adbc"


async def test_a_merged_connection_manager_answers_in_its_new_name(edge: Edge) -> None:
    assert (await edge.get("a.com")).headers["server"] == "patched"


async def test_an_inserted_route_answers_first(edge: Edge) -> None:
    assert (await edge.get("a.com", "/own")).status == 418
    assert (await edge.get("a.com", "/other")).status == 200


async def test_merged_routes_and_virtual_hosts_change_headers(edge: Edge) -> None:
    answer = await edge.get("a.com")
    assert answer.told["headers"]["x-route"] == "merged"
    assert answer.headers["x-host"] == "merged"


async def test_an_added_host_leads_to_an_added_cluster(edge: Edge) -> None:
    answer = await edge.get("added.com")
    assert answer.told["name"] == "other"
    assert "x-host" not in answer.headers


async def test_a_removed_host_is_unknown(edge: Edge) -> None:
    assert (await edge.get("removed.com")).status == 404


async def test_a_merged_cluster_counts_under_its_new_name(edge: Edge) -> None:
    await edge.get("a.com")
    stats = await asyncio.to_thread(edge.envoy.stats, "cluster.renamed.upstream_rq_total")
    assert stats["cluster.renamed.upstream_rq_total"] > 0
