"""Answers to paths that are no resources: discovery, health, version, metrics, documents."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from lateen.cluster.apiserver import health
from lateen.cluster.apiserver.discovery import Discovery
from lateen.cluster.apiserver.request_metrics import RequestMetrics
from lateen.cluster.apiserver.rest.call import Call, Handler
from lateen.cluster.apiserver.rest.response import json_response
from lateen.cluster.objects import Obj
from lateen.cluster.status import method_not_allowed, path_not_found

KUBERNETES_MINOR = 33
GIT_VERSION = f"v1.{KUBERNETES_MINOR}.1+lateen"


def version() -> Obj:
    """`version.Info`, as `kubectl version` prints it."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": "1",
        "minor": str(KUBERNETES_MINOR),
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation().lower(),
        "platform": f"linux/{machine}",
    }


@dataclass(slots=True)
class NonResourcePaths:
    """`documents` are served as they are; `handlers` (by path, or by prefix ending in `/`) come from other parts."""

    discovery: Discovery
    checks: Mapping[str, health.Check]
    metrics: RequestMetrics
    documents: Mapping[str, tuple[str, bytes]]
    handlers: Mapping[str, Handler]

    async def answer(self, call: Call) -> web.StreamResponse:
        """Raises StatusError 404, 405."""
        path = call.http.path
        if call.http.method not in ("GET", "HEAD"):
            raise method_not_allowed() if self._knows(path) else path_not_found()
        handler = self._handler(path)
        if handler is not None:
            return await handler(call)
        if path in self.documents:
            content_type, body = self.documents[path]
            return web.Response(body=body, headers={"Content-Type": content_type})
        if path.split("/")[1] in ("api", "apis"):
            return self.discovery.answer(call.http)
        if "/" + path.split("/")[1] in health.PATHS:
            return health.answer(call.http, self.checks)
        match path:
            case "/version" | "/version/":
                return json_response(version())
            case "/metrics":
                store = call.server.store
                counts = {".".join(filter(None, (p, g))): store.count((g, p)) for g, p in store.resources()}
                return web.Response(text=self.metrics.render(counts))
            case "/":
                return json_response({"paths": self._paths(call)})
        raise path_not_found()

    def _handler(self, path: str) -> Handler | None:
        found = self.handlers.get(path)
        if found is None:
            prefixes = [p for p in self.handlers if p.endswith("/") and path.startswith(p)]
            found = self.handlers[max(prefixes, key=len)] if prefixes else None
        return found

    def _knows(self, path: str) -> bool:
        return path in ("/", "/api", "/apis", "/version", "/metrics", *health.PATHS, *self.documents, *self.handlers)

    def _paths(self, call: Call) -> list[str]:
        groups = call.server.registry.groups()
        paths = {"/api", "/apis", "/metrics", "/version", *health.PATHS, *self.documents}
        paths |= {path.rstrip("/") for path in self.handlers}
        paths |= {f"/api/{v}" for v in groups.get("", ())}
        for group, versions in groups.items():
            if group:
                paths |= {f"/apis/{group}", *(f"/apis/{group}/{v}" for v in versions)}
        return sorted(paths)
