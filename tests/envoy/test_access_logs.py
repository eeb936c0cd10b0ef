"""What proxies write down, in the forms that MeshConfig asks for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from lateen.testing.backends import http_backend, tcp_backend, tcp_say
from lateen.testing.running_envoy import RunningEnvoy
from lateen.testing.task_mesh import TaskMesh, pod

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVER = "127.0.0.2"
MANIFESTS = """
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  selector: {app: shop}
  ports:
  - {name: http, port: $port_http, targetPort: http}
  - {name: tcp, port: $port_tcp, targetPort: tcp}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: strict}
spec:
  workloadSelector: {labels: {app: strict}}
  ingress:
  - {port: {number: $port_strict, name: http, protocol: HTTP}, bind: 127.0.0.2, defaultEndpoint: "127.0.0.1:$http"}
  egress: [{hosts: ["./nothing.invalid"]}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: '$config'}
"""


class World:
    def __init__(self, mesh: TaskMesh, shop: dict[str, Any]) -> None:
        self.mesh = mesh
        self._shop = shop
        self._logs = 0

    async def lines(
        self, envoy: RunningEnvoy, config: dict[str, Any], traffic: Callable[[], Any], count: int
    ) -> list[str]:
        """What is written to a new log for this traffic, under this MeshConfig."""
        self._logs += 1
        log = Path(self.mesh.file(f"log-{self._logs}", ""))
        self.configure({**config, "accessLogFile": str(log)})
        await asyncio.to_thread(envoy.until, lambda: str(log) in json.dumps(envoy.listeners()), "new listeners")
        await traffic()

        def written() -> list[str]:
            found = log.read_text().splitlines()
            return found if len(found) >= count else []

        found: list[str] = await asyncio.to_thread(envoy.until, written, f"{count} lines")
        return found

    def configure(self, config: dict[str, Any]) -> None:
        self.mesh.values["config"] = json.dumps(config)
        self.mesh.apply("mesh", MANIFESTS, self._shop)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    mesh = TaskMesh(tmp_path_factory.mktemp("logs"))
    async with AsyncExitStack() as stack:
        mesh.values["http"] = await stack.enter_async_context(http_backend("shop"))
        ports = {"http": mesh.values["http"], "tcp": await stack.enter_async_context(tcp_backend("shop"))}
        world = World(mesh, pod("shop", "127.0.0.1", ports, app="shop"))
        world.configure({})
        await stack.enter_async_context(mesh)
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(world: World) -> RunningEnvoy:
    return await world.mesh.proxy("sleep", 2)


async def test_text(world: World, client: RunningEnvoy) -> None:
    port = world.mesh.port("http")
    (line,) = await world.lines(client, {}, lambda: world.mesh.call(port, "shop", "/a?b=c"), 1)
    name = "shop.default.svc.cluster.local"
    assert line.startswith("[20")
    assert '] "GET /a?b=c HTTP/1.1" 200 - via_upstream - "-" 0 ' in line
    assert f' "shop" "127.0.0.1:{world.mesh.values["http"]}" outbound|{port}||{name} 127.0.0.1:' in line
    assert line.endswith(" - default")


async def test_json_and_own_formats(world: World, client: RunningEnvoy) -> None:
    port = world.mesh.port("http")
    config = {"accessLogEncoding": "JSON"}
    (line,) = await world.lines(client, config, lambda: world.mesh.call(port, "shop", "/a?b=c"), 1)
    found = json.loads(line)
    assert (found["method"], found["path"], found["response_code"], found["authority"]) == (
        "GET",
        "/a?b=c",
        200,
        "shop",
    )
    assert len(found) == 24
    config["accessLogFormat"] = json.dumps({"path": "%REQ_WITHOUT_QUERY(:PATH)%", "fixed": "x"})
    (line,) = await world.lines(client, config, lambda: world.mesh.call(port, "shop", "/a?b=c"), 1)
    assert json.loads(line) == {"path": "/a", "fixed": "x"}
    own = {"accessLogFormat": "%RESPONSE_CODE% at %DOWNSTREAM_LOCAL_PORT%"}
    (line,) = await world.lines(client, own, lambda: world.mesh.call(port, "shop"), 1)
    assert line == f"200 at {port}"


async def test_connections_are_written_down_once(world: World, client: RunningEnvoy) -> None:
    own = {"accessLogFormat": "%ACCESS_LOG_TYPE% %BYTES_RECEIVED% %UPSTREAM_CLUSTER_RAW%"}
    port = world.mesh.port("tcp")
    lines = await world.lines(client, own, lambda: tcp_say("127.0.0.1", port, "hello"), 1)
    assert lines == [f"TcpConnectionEnd 6 outbound|{port}||shop.default.svc.cluster.local"]


async def test_connections_that_nothing_takes(world: World) -> None:
    """STRICT: there is no filter chain for plain text."""
    server = await world.mesh.proxy("strict", 1, labels={"app": "strict"}, address=SERVER)

    async def call() -> None:
        with pytest.raises(OSError):
            await world.mesh.call(world.mesh.port("strict"), "strict", address=SERVER)

    own = {"accessLogFormat": "%RESPONSE_FLAGS% %DOWNSTREAM_LOCAL_PORT%"}
    assert await world.lines(server, own, call, 1) == [f"NR {world.mesh.port('strict')}"]
