"""Istio's standard metrics as two real sidecars and a gateway tell them, with mutual TLS between them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from lateen.identity.facts import WorkloadFacts
from lateen.testing.backends import grpc_backend, grpc_say, http_backend, tcp_backend, tcp_say
from lateen.testing.prometheus import Sample, samples
from lateen.testing.running_envoy import RunningEnvoy
from lateen.testing.task_mesh import TaskMesh, pod

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVER = "127.0.0.2"
CALLER = WorkloadFacts("sleep-v1", "default", "sleep", "v1", "Kubernetes", "sleep", "v1")
CALLEE = WorkloadFacts("shop-v2", "default", "shop", "v2", "Kubernetes", "shop", "v2")
ENTRANCE = WorkloadFacts("ingress", "default", "ingress", "", "Kubernetes", "ingress", "latest")

MANIFESTS = """
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  selector: {app: shop}
  ports:
  - {name: http, port: $port_http, targetPort: $port_in_http}
  - {name: grpc, port: $port_grpc, targetPort: $port_in_grpc}
  - {name: tcp, port: $port_tcp, targetPort: $port_in_tcp}
  - {name: closed, port: $port_closed, targetPort: $port_in_closed}
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec: {ports: [{name: http, port: $port_http}]}
---
apiVersion: v1
kind: Service
metadata: {name: silent}
spec: {ports: [{name: tcp, port: $port_silent}]}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}, selector: {matchLabels: {app: shop}}, portLevelMtls: {$port_in_plain: {mode: DISABLE}}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: closed}
spec:
  selector: {matchLabels: {app: shop}}
  action: DENY
  rules: [{to: [{operation: {ports: ["$port_in_closed"]}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-secrets}
spec:
  selector: {matchLabels: {app: shop}}
  action: DENY
  rules: [{to: [{operation: {paths: [/secret], ports: ["$port_in_http"]}}]}]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: shop}
spec:
  workloadSelector: {labels: {app: shop}}
  ingress:
  - {port: {number: $port_in_http, name: http, protocol: HTTP}, bind: 127.0.0.2, defaultEndpoint: "127.0.0.1:$http"}
  - {port: {number: $port_in_grpc, name: grpc, protocol: GRPC}, bind: 127.0.0.2, defaultEndpoint: "127.0.0.1:$grpc"}
  - {port: {number: $port_in_tcp, name: tcp, protocol: TCP}, bind: 127.0.0.2, defaultEndpoint: "127.0.0.1:$tcp"}
  - {port: {number: $port_in_closed, name: closed, protocol: TCP}, bind: 127.0.0.2, defaultEndpoint: "127.0.0.1:$tcp"}
  - {port: {number: $port_in_plain, name: plain, protocol: HTTP}, bind: 127.0.0.2, defaultEndpoint: "127.0.0.1:$http"}
  egress: [{hosts: ["./nothing.invalid"]}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: entrance}
spec:
  selector: {app: ingress}
  servers: [{port: {number: $port_entrance, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: entrance}
spec:
  hosts: [shop.example.com]
  gateways: [entrance]
  http: [{route: [{destination: {host: shop, port: {number: $port_http}}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: rewrites}
spec:
  hosts: [shop]
  http: [{route: [{destination: {host: shop}}]}]
"""


class World:
    def __init__(self, mesh: TaskMesh, client: RunningEnvoy, server: RunningEnvoy, gateway: RunningEnvoy) -> None:
        self.mesh = mesh
        self.client = client
        self.server = server
        self.gateway = gateway

    async def told(self, envoy: RunningEnvoy, name: str, value: float = 1, **labels: str) -> Mapping[str, str]:
        """The labels of the one metric of this name that has these labels, once it has this value."""

        def found() -> Mapping[str, str] | None:
            matching = _matching(envoy, name, labels)
            assert len(matching) <= 1, matching
            return matching[0].labels if matching and matching[0].value == value else None

        told: Mapping[str, str] = await asyncio.to_thread(envoy.until, found, f"{name} {labels} is {value}")
        return told


def _matching(envoy: RunningEnvoy, name: str, labels: Mapping[str, str]) -> list[Sample]:
    listed = samples(envoy.admin("/stats/prometheus"), f"envoy_{name}")
    return [each for each in listed if each.name == f"envoy_{name}" and labels.items() <= each.labels.items()]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    mesh = TaskMesh(tmp_path_factory.mktemp("metrics"))
    async with AsyncExitStack() as stack:
        mesh.values["http"] = await stack.enter_async_context(http_backend("shop"))
        mesh.values["grpc"] = await stack.enter_async_context(grpc_backend("shop"))
        mesh.values["tcp"] = await stack.enter_async_context(tcp_backend("shop"))
        ports = {f"in-{name}": mesh.port(f"in_{name}") for name in ("http", "grpc", "tcp", "closed", "plain")}
        shop = pod("shop-v2-abcde", SERVER, ports, app="shop", version="v2")
        shop["metadata"]["labels"]["security.istio.io/tlsMode"] = "istio"
        shop["metadata"]["labels"]["pod-template-hash"] = "5d8f9"
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "shop-v2-5d8f9", "uid": "1", "controller": True}
        shop["metadata"]["ownerReferences"] = [owner]
        shop["spec"]["serviceAccountName"] = "shop"
        mesh.apply("mesh", MANIFESTS, shop)
        await stack.enter_async_context(mesh)
        client = await mesh.proxy("sleep", 5, labels={"app": "sleep"}, facts=CALLER)
        server = await mesh.proxy("shop", 5, labels={"app": "shop"}, address=SERVER, facts=CALLEE)
        gateway = await mesh.proxy("ingress", 1, role="router", labels={"app": "ingress"}, facts=ENTRANCE)
        yield World(mesh, client, server, gateway)


SHOP = "shop.default.svc.cluster.local"
SOURCE = {
    "source_workload": "sleep-v1",
    "source_workload_namespace": "default",
    "source_principal": "spiffe://cluster.local/ns/default/sa/sleep",
    "source_app": "sleep",
    "source_version": "v1",
    "source_cluster": "Kubernetes",
    "source_canonical_service": "sleep",
    "source_canonical_revision": "v1",
}
NO_SOURCE = dict.fromkeys(SOURCE, "unknown") | {"source_canonical_revision": "latest"}
DESTINATION = {
    "destination_workload": "shop-v2",
    "destination_workload_namespace": "default",
    "destination_principal": "spiffe://cluster.local/ns/default/sa/shop",
    "destination_app": "shop",
    "destination_version": "v2",
    "destination_cluster": "Kubernetes",
    "destination_canonical_service": "shop",
    "destination_canonical_revision": "v2",
}
NO_DESTINATION = dict.fromkeys(DESTINATION, "unknown") | {"destination_canonical_revision": "latest"}
SERVICE = {
    "destination_service": SHOP,
    "destination_service_name": "shop",
    "destination_service_namespace": "default",
}
INGRESS = {
    # A Sidecar's port is its own service, as in Istio.
    "destination_service": "shop.default",
    "destination_service_name": "shop",
    "destination_service_namespace": "default",
}
AT_CLIENT = {"reporter": "source", "connection_security_policy": "unknown"}
AT_SERVER = {"reporter": "destination", "connection_security_policy": "mutual_tls"}


def http(code: str = "200", flags: str = "-", **changed: str) -> dict[str, str]:
    return {
        "request_protocol": "http",
        "response_code": code,
        "response_flags": flags,
        "grpc_response_status": "",
    } | changed


TCP = {"request_protocol": "tcp", "response_flags": "-"}


async def test_requests(world: World) -> None:
    for _ in range(3):
        assert (await world.mesh.call(world.mesh.port("http"), "shop")).status == 200
    asked = {"response_code": "200", "request_protocol": "http"}
    told = await world.told(world.client, "istio_requests_total", 3, destination_service_name="shop", **asked)
    assert told == AT_CLIENT | SOURCE | DESTINATION | SERVICE | http()
    told = await world.told(world.server, "istio_requests_total", 3, source_workload="sleep-v1", **asked)
    assert told == AT_SERVER | SOURCE | DESTINATION | INGRESS | http()
    for envoy in (world.client, world.server):
        for name in ("request_duration_milliseconds", "request_bytes", "response_bytes"):
            labels = {"source_workload": "sleep-v1", **asked}
            told = await world.told(envoy, f"istio_{name}_count", 3, **labels)
            assert len(told) == 25
            assert _matching(envoy, f"istio_{name}_sum", labels)[0].value > (0 if name.endswith("bytes") else -1)


async def test_grpc(world: World) -> None:
    target = f"127.0.0.1:{world.mesh.port('grpc')}"
    assert await grpc_say(target, "hello", authority="shop") == "shop: hello"
    told = await world.told(world.client, "istio_requests_total", request_protocol="grpc")
    assert told == AT_CLIENT | SOURCE | DESTINATION | SERVICE | http(request_protocol="grpc", grpc_response_status="0")
    told = await world.told(world.server, "istio_requests_total", request_protocol="grpc")
    assert told == AT_SERVER | SOURCE | DESTINATION | INGRESS | http(request_protocol="grpc", grpc_response_status="0")


async def test_denied_requests(world: World) -> None:
    """The server counts what it denies; the client what it is answered."""
    assert (await world.mesh.call(world.mesh.port("http"), "shop", "/secret")).status == 403
    told = await world.told(world.client, "istio_requests_total", response_code="403")
    assert told == AT_CLIENT | SOURCE | DESTINATION | SERVICE | http("403")
    told = await world.told(world.server, "istio_requests_total", response_code="403")
    assert told == AT_SERVER | SOURCE | DESTINATION | INGRESS | http("403")


async def test_plain_text(world: World) -> None:
    """Nobody has said who calls."""
    answer = await world.mesh.call(world.mesh.port("in_plain"), "shop", address=SERVER)
    assert answer.status == 200
    told = await world.told(world.server, "istio_requests_total", connection_security_policy="none")
    destination = DESTINATION | {"destination_principal": "unknown"}
    expected = {"reporter": "destination", "connection_security_policy": "none"}
    assert told == expected | NO_SOURCE | destination | INGRESS | http()


async def test_services_without_endpoints(world: World) -> None:
    assert (await world.mesh.call(world.mesh.port("http"), "nobody")).status == 503
    told = await world.told(world.client, "istio_requests_total", response_code="503")
    service = {
        "destination_service": "nobody.default.svc.cluster.local",
        "destination_service_name": "nobody",
        "destination_service_namespace": "default",
    }
    source = SOURCE | {"source_principal": "unknown"}
    assert told == AT_CLIENT | source | NO_DESTINATION | service | http("503", "UH")


async def test_unknown_hosts(world: World) -> None:
    """They are told by what they were called: by sidecars, whose own workload calls."""
    await world.mesh.call(world.mesh.port("http"), "elsewhere.example")
    told = await world.told(world.client, "istio_requests_total", destination_service="elsewhere.example")
    service = {
        "destination_service": "elsewhere.example",
        "destination_service_name": "PassthroughCluster",
        "destination_service_namespace": "unknown",
    }
    unauthenticated = SOURCE | {"source_principal": "unknown"}
    expected = AT_CLIENT | unauthenticated | NO_DESTINATION | service
    assert {name: told[name] for name in expected} == expected


async def test_connections(world: World) -> None:
    port = world.mesh.port("tcp")
    assert await tcp_say("127.0.0.1", port, "hello") == "shop: hello"
    counts = {"connections_opened_total": 1, "connections_closed_total": 1, "received_bytes_total": 6}
    counts["sent_bytes_total"] = len("shop: hello\n")
    for name, count in counts.items():
        told = await world.told(world.client, f"istio_tcp_{name}", count, destination_service_name="shop")
        assert told == AT_CLIENT | SOURCE | DESTINATION | SERVICE | TCP
    for name in ("connections_opened_total", "connections_closed_total"):
        told = await world.told(world.server, f"istio_tcp_{name}")
        assert told == AT_SERVER | SOURCE | DESTINATION | INGRESS | TCP


async def test_connections_are_counted_when_they_are_opened(world: World) -> None:
    opened = [each.value for each in _matching(world.server, "istio_tcp_connections_opened_total", {})]
    before = _matching(world.server, "istio_tcp_connections_closed_total", {})
    _, writer = await asyncio.open_connection("127.0.0.1", world.mesh.port("tcp"))
    writer.write(b"hello\n")
    await world.told(world.server, "istio_tcp_connections_opened_total", sum(opened) + 1)
    assert _matching(world.server, "istio_tcp_connections_closed_total", {}) == before
    writer.close()
    await world.told(world.server, "istio_tcp_connections_closed_total", sum(each.value for each in before) + 1)


async def test_denied_connections(world: World) -> None:
    """They are opened and closed, as far as those who called can tell."""
    labels = {"source_workload": "sleep-v1"}

    def counted(name: str) -> float:
        return sum(each.value for each in _matching(world.server, f"istio_tcp_connections_{name}_total", labels))

    before = counted("opened"), counted("closed")
    with contextlib.suppress(ConnectionError):
        assert await tcp_say("127.0.0.1", world.mesh.port("closed"), "hello") == ""
    expected = before[0] + 1, before[1] + 1
    await asyncio.to_thread(world.server.until, lambda: (counted("opened"), counted("closed")) == expected, "counted")


async def test_connections_that_find_no_server(world: World) -> None:
    with contextlib.suppress(ConnectionError):
        assert await tcp_say("127.0.0.1", world.mesh.port("silent"), "hello") == ""
    service = {
        "destination_service": "silent.default.svc.cluster.local",
        "destination_service_name": "silent",
        "destination_service_namespace": "default",
    }
    for name in ("connections_opened_total", "connections_closed_total"):
        told = await world.told(world.client, f"istio_tcp_{name}", destination_service_name="silent")
        source = SOURCE | {"source_principal": "unknown"}
        assert told == AT_CLIENT | source | NO_DESTINATION | service | TCP | {"response_flags": "UH"}


async def test_gateways(world: World) -> None:
    port = world.mesh.port("entrance")
    assert (await world.mesh.call(port, "shop.example.com")).status == 200
    assert (await world.mesh.call(port, "anything.example.com")).status == 404
    told = await world.told(world.gateway, "istio_requests_total", response_code="200")
    source = {
        "source_workload": "ingress",
        "source_workload_namespace": "default",
        "source_principal": "spiffe://cluster.local/ns/default/sa/ingress",
        "source_app": "ingress",
        "source_version": "unknown",
        "source_cluster": "Kubernetes",
        "source_canonical_service": "ingress",
        "source_canonical_revision": "latest",
    }
    assert told == AT_CLIENT | source | DESTINATION | SERVICE | http()
    told = await world.told(world.server, "istio_requests_total", source_workload="ingress")
    assert told == AT_SERVER | source | DESTINATION | INGRESS | http()
    # Clients cannot make a gateway remember whatever they ask for.
    told = await world.told(world.gateway, "istio_requests_total", response_code="404")
    nothing = {"destination_service": "unknown", "destination_service_name": "unknown"}
    unauthenticated = source | {"source_principal": "unknown"}
    expected = AT_CLIENT | unauthenticated | NO_DESTINATION | nothing | {"destination_service_namespace": "unknown"}
    assert told == expected | http("404", "NR")


def _listener_version(envoy: RunningEnvoy) -> Any:
    return envoy.stats("listener_manager.listener_in_place_updated|listener_manager.listener_modified")


async def test_counters_survive_new_listeners(world: World) -> None:
    """Runs last: it changes the mesh."""
    labels = {"source_workload": "sleep-v1", "response_code": "200", "request_protocol": "http"}
    assert (await world.mesh.call(world.mesh.port("http"), "shop")).status == 200
    await asyncio.to_thread(
        world.client.until, lambda: _matching(world.client, "istio_requests_total", labels), "the request is counted"
    )
    before = _matching(world.client, "istio_requests_total", labels)[0].value
    modified = _listener_version(world.client)
    mesh_config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n"
    world.mesh.apply("config", mesh_config + "data: {mesh: 'accessLogFile: /dev/null'}")
    await asyncio.to_thread(world.client.until, lambda: _listener_version(world.client) != modified, "new listeners")
    assert (await world.mesh.call(world.mesh.port("http"), "shop")).status == 200
    await world.told(world.client, "istio_requests_total", before + 1, **labels)
