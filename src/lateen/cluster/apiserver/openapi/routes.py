"""Serving the documents: negotiation, caching, compression.

Source: k8s.io/kube-openapi `handler` and `handler3`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec
from aiohttp import web

from lateen.cluster.apiserver.openapi.documents import Document, Documents, Plan
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.rest.call import Call, Handler
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.status import not_acceptable, path_not_found

_PROTOBUF = (
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
)
_JSON = "application/json"
_ANY_JSON = frozenset((_JSON, "application/*", "*/*"))
_V3 = "/openapi/v3/"
_Made = TypeVar("_Made")
_YEAR = 365 * 24 * 3600


class OpenApiHandlers:
    """Answers `/openapi/v2`, `/openapi/v3` and what is below it. Raises StatusError 404, 406."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._making = asyncio.Lock()

    async def v2(self, call: Call) -> web.StreamResponse:
        wanted = _accepted(call.http)
        protobuf = next((media for media in wanted if media in _PROTOBUF), "")
        plain = any(media in _ANY_JSON for media in wanted)
        if protobuf and (not plain or wanted.index(protobuf) == 0):
            document = await self._make(self._documents.v2_protobuf)
            return _answer(call.http, document, _PROTOBUF[1])
        if not plain:
            raise not_acceptable(f"only the following media types are accepted: {_JSON}, {_PROTOBUF[0]}")
        return _answer(call.http, await self._make(self._documents.v2), _JSON)

    async def v3_index(self, call: Call) -> web.StreamResponse:
        documents = await self._make(self._documents.group_versions)
        paths = {
            path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={document.hash}"}
            for path, document in sorted(documents.items())
        }
        return _answer(call.http, Document(msgspec.json.encode({"paths": paths})), _JSON)

    async def v3(self, call: Call) -> web.StreamResponse:
        path = call.http.path.removeprefix(_V3)
        document = (await self._make(self._documents.group_versions)).get(path)
        if document is None:
            raise path_not_found()
        if not _ANY_JSON & set(_accepted(call.http)):
            raise not_acceptable(f"only the following media types are accepted: {_JSON}")
        asked = call.http.query.get("hash", "")
        if asked and asked != document.hash:
            raise web.HTTPMovedPermanently(f"{_V3}{path}?hash={document.hash}")
        response = _answer(call.http, document, _JSON)
        if asked:
            # The address names the content: it can be kept for good.
            response.headers["Cache-Control"] = f"public, immutable, max-age={_YEAR}"
        return response

    async def _make(self, make: Callable[[Plan], _Made]) -> _Made:
        async with self._making:
            return await asyncio.to_thread(make, self._documents.plan())


def openapi_routes(registry: Registry, schemas: BuiltinSchemas, version: str) -> dict[str, Handler]:
    """Handlers by path, or by prefix ending in `/`. `version` is what the server calls itself, such as `v1.33.0`."""
    handlers = OpenApiHandlers(Documents(registry, schemas, version))
    return {"/openapi/v2": handlers.v2, "/openapi/v3": handlers.v3_index, _V3: handlers.v3}


def _accepted(request: web.Request) -> list[str]:
    """Media types as the client lists them; their weights are not looked at, since clients list the best first."""
    header = ",".join(request.headers.getall("Accept", ())) or "*/*"
    return [part.partition(";")[0].strip() for part in header.split(",")]


def _answer(request: web.Request, document: Document, media: str) -> web.Response:
    tag = f'"{document.hash}"'
    headers = {"ETag": tag, "Vary": "Accept, Accept-Encoding", "Cache-Control": "no-cache, private"}
    if tag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    body = document.content
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = document.compressed
    return web.Response(body=body, headers={**headers, "Content-Type": media})
