"""An API server with nothing but objects to read and ports of pods, which are ports of this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

CHANNELS = "v4.channel.k8s.io"
_PLURALS = {
    "Pod": "/api/v1", "Service": "/api/v1", "ConfigMap": "/api/v1", "Deployment": "/apis/apps/v1",
    "StatefulSet": "/apis/apps/v1",
}  # fmt: skip


class FakePods:
    """`async with FakePods().serving() as url: ...`"""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        """By path."""
        self.ports: dict[tuple[str, int], int] = {}
        """By `NAMESPACE/NAME` and its port: the port of this machine."""
        self.forbidden: set[str] = set()
        """Pods (`NAMESPACE/NAME`) whose ports may not be forwarded."""

    def put(self, kind: str, name: str, namespace: str = "default", **content: Any) -> None:
        metadata = {"name": name, "namespace": namespace, **content.pop("metadata", {})}
        base = f"{_PLURALS[kind]}/namespaces/{namespace}/{kind.lower()}s"
        self.objects[f"{base}/{name}"] = {"kind": kind, "metadata": metadata, **content}

    def put_pod(
        self,
        name: str,
        namespace: str = "default",
        *,
        labels: Mapping[str, str] | None = None,
        containers: tuple[str, ...] = ("app",),
        init_containers: tuple[str, ...] = ("istio-proxy",),
        phase: str = "Running",
        ready: bool = True,
        ports: Mapping[int, int] | None = None,
    ) -> None:
        """`ports`: of this machine, by those of the pod."""
        self.put(
            "Pod",
            name,
            namespace,
            metadata={"labels": dict(labels or {})},
            spec={
                "containers": [{"name": each} for each in containers],
                "initContainers": [{"name": each} for each in init_containers],
            },
            status={"phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}]},
        )
        for port, here in (ports or {}).items():
            self.ports[f"{namespace}/{name}", port] = here

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Its URL."""
        app = web.Application()
        app.router.add_get("/api/v1/namespaces/{namespace}/pods/{name}/portforward", self._forward)
        app.router.add_get("/{path:.*}", self._read)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    @staticmethod
    def kubeconfig(path: Path, url: str, namespace: str = "default") -> Path:
        """Written to `path`."""
        data = {
            "current-context": "fake",
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "namespace": namespace}}],
            "clusters": [{"name": "fake", "cluster": {"server": url}}],
        }
        path.write_text(json.dumps(data))
        return path

    async def _read(self, request: web.Request) -> web.Response:
        if (found := self.objects.get(request.path)) is not None:
            return web.json_response(found)
        items = [each for path, each in self.objects.items() if path.rpartition("/")[0] == request.path]
        plural = request.path.rpartition("/")[2]
        if not items and f"{plural[:-1].capitalize()}" not in {kind.capitalize() for kind in _PLURALS}:
            return web.json_response({"message": f"{request.path} not found"}, status=404)
        wanted = [term.split("=") for term in request.query.get("labelSelector", "").split(",") if term]
        items = [
            each for each in items if all(each["metadata"].get("labels", {}).get(key) == value for key, value in wanted)
        ]
        return web.json_response({"items": items})

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        pod = f"{request.match_info['namespace']}/{request.match_info['name']}"
        if pod in self.forbidden:
            return web.json_response({"message": "forbidden"}, status=403)
        if f"/api/v1/namespaces/{pod.replace('/', '/pods/')}" not in self.objects:
            return web.json_response({"message": "not found"}, status=404)
        stream = web.WebSocketResponse(protocols=(CHANNELS,))
        await stream.prepare(request)
        port = int(request.query["ports"])
        for channel in (b"\0", b"\1"):
            await stream.send_bytes(channel + port.to_bytes(2, "little"))
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[pod, port])
        except (KeyError, OSError):
            await stream.send_bytes(b"\1" + f"failed to connect to localhost:{port}".encode())
            await stream.close()
            return stream

        async def down() -> None:
            while data := await reader.read(1000):
                await stream.send_bytes(b"\0" + data)
            await stream.close()

        task = asyncio.create_task(down())
        async for message in stream:
            if message.type is WSMsgType.BINARY and message.data[:1] == b"\0":
                writer.write(message.data[1:])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        writer.close()
        return stream
