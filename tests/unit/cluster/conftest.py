"""A tiny API server: objects in memory, a bounded history for watches, and faults on request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from lateen.cluster.client.api import Client
from lateen.cluster.client.credentials import Endpoint
from lateen.cluster.objects import deep_copy
from lateen.cluster.status import StatusError, already_exists, conflict, gone, not_found
from lateen.testing.free_port import free_port

_KINDS = {"pods": "Pod", "replicasets": "ReplicaSet"}


class FakeServer:
    """Serves any group, version and plural. `objects` outlives `stop` and `start` as a database would."""

    def __init__(self) -> None:
        self.revision = 10
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.history: list[tuple[int, str, str, dict[str, Any]]] = []
        self.oldest = 0
        self.requests: list[tuple[str, str]] = []
        self.failures: list[web.Response] = []
        self.changed = asyncio.Condition()
        # It may stop and start again: nobody else shall have it meanwhile.
        self.port = free_port()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def client(self, **options: Any) -> Client:
        return Client(Endpoint(f"http://127.0.0.1:{self.port}"), **options)

    async def record(self, type: str, plural: str, obj: dict[str, Any]) -> None:
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        self.history.append((self.revision, type, plural, deep_copy(obj)))
        async with self.changed:
            self.changed.notify_all()

    async def put(self, plural: str, namespace: str, name: str, **fields: Any) -> None:
        """Creates or updates an object behind the API's back."""
        key = (plural, namespace, name)
        old = self.objects.get(key)
        meta = {"name": name, "namespace": namespace, "uid": f"{plural}-{name}", **fields.pop("metadata", {})}
        self.objects[key] = {"apiVersion": "v1", "kind": _KINDS.get(plural, "Thing"), "metadata": meta, **fields}
        await self.record("MODIFIED" if old else "ADDED", plural, self.objects[key])

    async def drop(self, plural: str, namespace: str, name: str) -> None:
        await self.record("DELETED", plural, self.objects.pop((plural, namespace, name)))

    def compact(self) -> None:
        """Forgets the history: watches from before get 410."""
        self.history.clear()
        self.oldest = self.revision

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs))
        if self.failures:
            return self.failures.pop(0)
        parts = request.path.strip("/").split("/")
        parts = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 2:
            namespace, parts = parts[1], parts[2:]
        plural, name = parts[0], parts[1] if len(parts) > 1 else ""
        try:
            if request.query.get("watch"):
                return await self._watch(request, plural, namespace)
            return web.json_response(await self._call(request, plural, namespace, name))
        except StatusError as error:
            return web.json_response(error.to_json(), status=error.code)

    async def _call(self, request: web.Request, plural: str, namespace: str, name: str) -> dict[str, Any]:
        body = json.loads(await request.read() or b"{}")
        key = (plural, namespace, name)
        if request.method == "POST":
            meta = body["metadata"]
            if "name" not in meta:
                meta["name"] = f"{meta.pop('generateName')}{self.revision}"
            meta.setdefault("uid", f"uid-{self.revision}")
            key = (plural, namespace, meta["name"])
            if key in self.objects:
                raise already_exists("", plural, key[2])
            body["metadata"].setdefault("namespace", namespace)
            self.objects[key] = body
            await self.record("ADDED", plural, body)
            return body
        if not name:
            return self._list(request, plural, namespace)
        if key not in self.objects:
            raise not_found("", plural, name)
        obj = self.objects[key]
        if request.method == "PUT":
            expected = body["metadata"].get("resourceVersion")
            if expected and expected != obj["metadata"]["resourceVersion"]:
                raise conflict("", plural, name)
            self.objects[key] = body
            await self.record("MODIFIED", plural, body)
            return body
        if request.method == "PATCH":
            self.objects[key] = obj = {**obj, **body, "metadata": {**obj["metadata"], **body.get("metadata", {})}}
            await self.record("MODIFIED", plural, obj)
        if request.method == "DELETE":
            del self.objects[key]
            await self.record("DELETED", plural, obj)
        return obj

    def _list(self, request: web.Request, plural: str, namespace: str) -> dict[str, Any]:
        found = [o for (p, n, _), o in sorted(self.objects.items()) if p == plural and n in (namespace, n)]
        found = [o for o in found if not namespace or o["metadata"]["namespace"] == namespace]
        start, limit = int(request.query.get("continue", 0)), int(request.query.get("limit", 500))
        meta = {"resourceVersion": str(self.revision)}
        if start + limit < len(found):
            meta["continue"] = str(start + limit)
        items = [{k: v for k, v in o.items() if k not in ("apiVersion", "kind")} for o in found[start : start + limit]]
        return {"apiVersion": "v1", "kind": _KINDS.get(plural, "Thing") + "List", "metadata": meta, "items": items}

    async def _watch(self, request: web.Request, plural: str, namespace: str) -> web.StreamResponse:
        since = int(request.query["resourceVersion"])
        if since < self.oldest:
            raise gone()
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            async with self.changed:
                while self.revision <= since:
                    await self.changed.wait()
                news = [e for e in self.history if e[0] > since]
                since = self.revision
            for _, type, of, obj in news:
                if of == plural and namespace in ("", obj["metadata"]["namespace"]):
                    await response.write(json.dumps({"type": type, "object": obj}).encode() + b"\n")


@pytest.fixture
async def fake_api_server() -> AsyncIterator[FakeServer]:
    running = FakeServer()
    await running.start()
    yield running
    await running.stop()
