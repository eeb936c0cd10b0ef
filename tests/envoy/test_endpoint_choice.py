"""Which endpoints a real Envoy chooses by the clusters and assignments of a mesh: one Envoy, one host per case."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator
from http.client import HTTPConnection
from typing import Any, NamedTuple

import pytest
from google.protobuf import json_format

from lateen.model.endpoint import Locality
from lateen.model.proxy import Proxy
from lateen.testing.backends import http_backend
from lateen.testing.envoy import decoded
from lateen.testing.mesh import Mesh
from lateen.testing.running_envoy import RunningEnvoy
from lateen.translate.resource import ResourceType

FILTERS = "type.googleapis.com/envoy.extensions.filters"
EAST = Locality("east", "e1")
REQUESTS = 40


class Case(NamedTuple):
    name: str
    """Also of the service: `NAME.example.com`."""
    endpoints: tuple[dict[str, Any], ...]
    """`backend` names who answers; `dead` is one that refuses connections."""
    policy: dict[str, Any] | None
    """Of a DestinationRule."""
    most: str
    """The backend that gets most of the requests."""
    only: bool = True
    """No other gets any."""


DETECTION: dict[str, Any] = {
    "outlierDetection": {"consecutive5xxErrors": 1, "baseEjectionTime": "300s", "maxEjectionPercent": 100}
}
"""One failure is enough, for the rest of the test."""


def shares(**to: int) -> dict[str, Any]:
    spread = [{"from": "*", "to": {f"{region}/*": percent for region, percent in to.items()}}]
    return {"loadBalancer": {"simple": "ROUND_ROBIN", "localityLbSetting": {"distribute": spread}}}


def by_label(*priorities: str) -> dict[str, Any]:
    balancer = {"simple": "ROUND_ROBIN", "localityLbSetting": {"failoverPriority": list(priorities)}}
    return {**DETECTION, "loadBalancer": balancer}


CASES = [
    Case("weights", ({"backend": "a", "weight": 9}, {"backend": "b", "weight": 1}), None, "a", only=False),
    Case(
        "nearest",
        ({"backend": "a", "locality": "west/w1"}, {"backend": "b", "locality": "east/e1"}),
        DETECTION,
        "b",
    ),
    Case(
        "failover",
        ({"backend": "a", "locality": "west/w1"}, {"backend": "dead", "locality": "east/e1"}),
        DETECTION,
        "a",
    ),
    Case(
        "sharing",
        ({"backend": "a", "locality": "west/w1"}, {"backend": "b", "locality": "east/e1"}),
        shares(west=90, east=10),
        "a",
        only=False,
    ),
    Case(
        "all-elsewhere",
        ({"backend": "a", "locality": "west/w1"}, {"backend": "b", "locality": "east/e1"}),
        shares(west=100),
        "a",
    ),
    Case(
        "labels",
        ({"backend": "a", "labels": {"version": "v1"}}, {"backend": "b", "labels": {"version": "v2"}}),
        by_label("version=v2"),
        "b",
    ),
]


@contextlib.asynccontextmanager
async def backends() -> AsyncIterator[dict[str, int]]:
    async with http_backend("a") as a, http_backend("b") as b, closed_port() as dead:
        yield {"a": a, "b": b, "dead": dead}


@contextlib.asynccontextmanager
async def closed_port() -> AsyncIterator[int]:
    """A port that is taken, so that nobody else gets it, and where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def mesh_of(ports: dict[str, int]) -> Mesh:
    mesh = Mesh()
    for case in CASES:
        endpoints = [
            {
                "address": "127.0.0.1",
                "ports": {"http": ports[each["backend"]]},
                **{key: value for key, value in each.items() if key != "backend"},
            }
            for each in case.endpoints
        ]
        host = f"{case.name}.example.com"
        mesh.apply(
            {
                "kind": "ServiceEntry",
                "metadata": {"name": case.name},
                "spec": {
                    "hosts": [host],
                    "resolution": "STATIC",
                    "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                    "endpoints": endpoints,
                },
            }
        )
        if case.policy is not None:
            rule = {"host": host, "trafficPolicy": case.policy}
            mesh.apply({"kind": "DestinationRule", "metadata": {"name": case.name}, "spec": rule})
    return mesh


def bootstrap(mesh: Mesh, proxy: Proxy) -> dict[str, Any]:
    """The clusters of the mesh with their assignments inline, and one listener that routes hosts to them."""
    assignments = mesh.resources(ResourceType.EDS, proxy)
    clusters = []
    routes = []
    for name, resource in mesh.resources(ResourceType.CDS, proxy).items():
        if name not in assignments:
            continue
        cluster = decoded(ResourceType.CDS, resource)
        cluster.type = cluster.STATIC
        cluster.ClearField("eds_cluster_config")
        cluster.load_assignment.CopyFrom(decoded(ResourceType.EDS, assignments[name]))
        clusters.append(json_format.MessageToDict(cluster, preserving_proto_field_name=True))
        route = {"match": {"prefix": "/"}, "route": {"cluster": name}}
        routes.append({"name": name, "domains": [name.rpartition("|")[2]], "routes": [route]})
    manager = {
        "@type": f"{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "test",
        "route_config": {"virtual_hosts": routes},
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": f"{FILTERS}.http.router.v3.Router"},
            }
        ],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    return {
        "node": {"id": "test", "cluster": "test", "locality": {"region": EAST.region, "zone": EAST.zone}},
        "static_resources": {
            "clusters": clusters,
            "listeners": [{"name": "in", "address": address, "filter_chains": [chain]}],
        },
    }


def answer(port: int, host: str) -> str:
    """Who answers a request; the status of one that fails."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", "/", headers={"Host": host})
        response = connection.getresponse()
        body = response.read()
    return str(json.loads(body)["name"]) if response.status == 200 else str(response.status)


@pytest.fixture(scope="module")
def counted() -> dict[str, Counter[str]]:
    """Who answered, by case."""

    async def run() -> dict[str, Counter[str]]:
        async with backends() as ports:
            mesh = mesh_of(ports)
            proxy = mesh.proxy(locality=EAST)
            return await asyncio.to_thread(ask, bootstrap(mesh, proxy))

    return asyncio.run(run())


def ask(configuration: dict[str, Any]) -> dict[str, Counter[str]]:
    with RunningEnvoy(configuration, log_level="warning") as envoy:
        _, port = envoy.until(lambda: envoy.addresses().get("in"), "Envoy listens")
        counted = {}
        for case in CASES:
            host = f"{case.name}.example.com"
            # Until a request succeeds: the first may find out that an endpoint is dead.
            envoy.until(lambda host=host: not answer(port, host).isdigit(), f"{host} answers")
            counted[case.name] = Counter(answer(port, host) for _ in range(REQUESTS))
        return counted


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_requests_go_to_the_endpoints_that_are_meant(case: Case, counted: dict[str, Counter[str]]) -> None:
    found = counted[case.name]
    assert found[case.most] > REQUESTS / 2, found
    if case.only:
        assert found[case.most] == REQUESTS, found
    else:
        assert set(found) == {"a", "b"}, found
