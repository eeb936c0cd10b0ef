"""A small Kubernetes API server for tests: list, watch and patch of a few kinds, and every way to misbehave.

It keeps what Kubernetes promises (resource versions grow, a watch from a version tells what came after it, 410 when
that is forgotten) and breaks connections, histories, permissions and kinds on demand.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiohttp import web

from lateen.testing.free_port import free_port


class Resource(NamedTuple):
    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def path(self) -> str:
        return f"{self._root}/{self.plural}"

    @property
    def _root(self) -> str:
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"

    def namespace_of(self, path: str) -> str | None:
        """Of a path of its objects together, empty for all; None for another path."""
        if path == self.path:
            return ""
        begin, end = f"{self._root}/namespaces/", f"/{self.plural}"
        middle = path[len(begin) : -len(end)]
        return middle if path == f"{begin}{middle}{end}" and middle and "/" not in middle else None


class Past(NamedTuple):
    version: int
    resource: Resource
    type: str
    object: dict[str, Any]


class FakeApiServer:
    """`async with FakeApiServer([Resource("", "v1", "pods", "Pod")]) as server: ... server.url`"""

    def __init__(self, resources: list[Resource]) -> None:
        self.resources = resources
        """That are served now."""
        self.denied: set[str] = set()
        """Plurals that may not be read."""
        self.refuse: Callable[[web.Request], int | None] = lambda request: None
        """The status to answer a request with, instead of what it asks for."""
        self.requests: list[tuple[str, str]] = []
        """Method and path with query, in order."""
        self.bookmarks = False
        """Watches are told the newest version at once, and with every event."""
        self.defined_readable = True
        """CustomResourceDefinitions may be read."""
        self.objects: dict[tuple[Resource, str, str], dict[str, Any]] = {}
        self.version = 100
        self.oldest = 0
        """Watches from before this version are told 410."""
        self._past: list[Past] = []
        self._queues: set[asyncio.Queue[Past]] = set()
        self._watches: set[asyncio.Task[Any]] = set()
        self._runner: web.AppRunner | None = None
        # It may stop and start again: nobody else shall have it meanwhile.
        self._port = free_port()

    # --- what a test does ----------------------------------------------------------------------------------------

    def put(self, resource: Resource, name: str, namespace: str = "default", **content: Any) -> None:
        """Creates or changes an object."""
        self.version += 1
        metadata = {**content.pop("metadata", {}), "name": name, "resourceVersion": str(self.version)}
        if namespace:
            metadata["namespace"] = namespace
        place = resource, namespace, name
        type_ = "MODIFIED" if place in self.objects else "ADDED"
        self.objects[place] = {"metadata": metadata, **content}
        self._tell(Past(self.version, resource, type_, self.objects[place]))

    def delete(self, resource: Resource, name: str, namespace: str = "default") -> None:
        self.version += 1
        found = self.objects.pop((resource, namespace, name))
        last = {**found, "metadata": {**found["metadata"], "resourceVersion": str(self.version)}}
        self._tell(Past(self.version, resource, "DELETED", last))

    def forget(self) -> None:
        """Loses the history: whoever asks from before now has to list again."""
        self.oldest = self.version
        self._past.clear()

    def disconnect(self) -> None:
        """Breaks every watch."""
        for task in self._watches:
            task.cancel()

    def end_watches(self, status: int) -> None:
        """Ends every watch with an ERROR event."""
        self._tell(Past(0, self.resources[0], "ERROR", {"kind": "Status", "code": status, "message": "ended"}))

    def _tell(self, past: Past) -> None:
        if past.type != "ERROR":
            self._past.append(past)
        for news in self._queues:
            news.put_nowait(past)

    # --- serving -------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listens, always on the same port."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()

    async def stop(self) -> None:
        self.disconnect()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs))
        refused = self.refuse(request)
        if refused is not None:
            return _status(refused, "refused")
        for resource in self.resources:
            if (namespace := resource.namespace_of(request.path)) is not None:
                return await self._collection(request, resource, namespace)
            if request.path == f"/apis/{resource.api_version}":
                same = [r for r in self.resources if r.api_version == resource.api_version]
                return web.json_response({"resources": [{"name": each.plural} for each in same]})
            if request.path == f"/apis/{resource.group}":
                versions = {r.version: None for r in self.resources if r.group == resource.group}
                return web.json_response({"versions": [{"version": version} for version in versions]})
            if request.path.endswith(f"/customresourcedefinitions/{resource.plural}.{resource.group}"):
                return _status(200, "") if self.defined_readable else _status(403, "forbidden")
        if "/customresourcedefinitions/" in request.path and not self.defined_readable:
            return _status(403, "customresourcedefinitions is forbidden")
        return _status(404, "the server could not find the requested resource")

    async def _collection(self, request: web.Request, resource: Resource, namespace: str) -> web.StreamResponse:
        if resource.plural in self.denied:
            return _status(403, f"{resource.plural} is forbidden")
        if request.query.get("watch"):
            return await self._watch(request, resource, namespace)
        return self._list(request, resource, namespace)

    def _list(self, request: web.Request, resource: Resource, namespace: str) -> web.StreamResponse:
        """Pages are of one moment: what changes meanwhile is not in them, but in the watch from their version."""
        held = sorted(place for place in self.objects if place[0] == resource and namespace in ("", place[1]))
        items = [self.objects[place] for place in held]
        version, begin = self.version, 0
        if token := request.query.get("continue"):
            snapshot = json.loads(token)
            version, begin, items = snapshot["version"], snapshot["begin"], snapshot["items"]
            if version < self.oldest:
                return _status(410, "the continue token is too old")
        limit = int(request.query.get("limit", "0")) or len(items)
        metadata = {"resourceVersion": str(version)}
        if begin + limit < len(items):
            metadata["continue"] = json.dumps({"version": version, "begin": begin + limit, "items": items})
        return web.json_response({"metadata": metadata, "items": items[begin : begin + limit]})

    async def _watch(self, request: web.Request, resource: Resource, namespace: str) -> web.StreamResponse:
        told = int(request.query["resourceVersion"])
        if told < self.oldest:
            return _status(410, "too old resource version")
        response = web.StreamResponse()
        await response.prepare(request)
        task = asyncio.create_task(self._tell_watch(response, resource, namespace, told))
        self._watches.add(task)
        try:
            await asyncio.wait([task])
        finally:
            self._watches.discard(task)
            task.cancel()
        if request.transport is not None:
            request.transport.abort()
        return response

    async def _tell_watch(self, response: web.StreamResponse, resource: Resource, namespace: str, told: int) -> None:
        news: asyncio.Queue[Past] = asyncio.Queue()
        for past in self._past:
            if past.version > told:
                news.put_nowait(past)
        self._queues.add(news)
        try:
            while True:
                if self.bookmarks and news.empty():
                    await _line(response, "BOOKMARK", {"metadata": {"resourceVersion": str(self.version)}})
                past = await news.get()
                if past.type == "ERROR":
                    await _line(response, "ERROR", past.object)
                    return
                if past.resource == resource and namespace in ("", past.object["metadata"].get("namespace")):
                    found = {"apiVersion": resource.api_version, "kind": resource.kind, **past.object}
                    await _line(response, past.type, found)
        finally:
            self._queues.discard(news)


async def _line(response: web.StreamResponse, type_: str, found: dict[str, Any]) -> None:
    await response.write(json.dumps({"type": type_, "object": found}).encode() + b"\n")


def _status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)
