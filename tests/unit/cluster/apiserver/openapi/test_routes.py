"""The documents as they are served."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from lateen.cluster.apiserver.crd.kind import kinds_of
from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.kinds.resources import RESOURCES
from lateen.cluster.apiserver.openapi.routes import openapi_routes
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.request import Context, RequestInfo, User
from lateen.cluster.apiserver.rest.call import Call, Services
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.objects import Obj
from lateen.cluster.status import StatusError

META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
CRD: Obj = {
    "metadata": {"name": "boats.yard.example.com"},
    "spec": {
        "group": "yard.example.com",
        "scope": "Namespaced",
        "names": {"plural": "boats", "kind": "Boat"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}


@pytest.fixture
def registry(schemas: BuiltinSchemas) -> Registry:
    return Registry(Kind(resource, schemas.for_gvk(resource.gvk)) for resource in RESOURCES)


@pytest.fixture
async def client(registry: Registry, schemas: BuiltinSchemas) -> AsyncIterator[TestClient[Any, Any]]:
    routes = openapi_routes(registry, schemas, "v1.33.0")

    async def handle(request: web.Request) -> web.StreamResponse:
        handler = routes.get(request.path) or routes["/openapi/v3/"]
        context = Context(User("someone"), RequestInfo(request.path, "get"))
        try:
            return await handler(Call(request, context, cast(Services, None)))
        except StatusError as error:
            return web.json_response(error.to_json(), status=error.code)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    async with TestClient(TestServer(app)) as made:
        yield made


async def test_the_index_leads_to_the_documents(client: TestClient[Any, Any]) -> None:
    index = await (await client.get("/openapi/v3")).json()
    assert {"api/v1", "apis/apps/v1", "apis/apiextensions.k8s.io/v1"} <= set(index["paths"])
    response = await client.get(index["paths"]["apis/apps/v1"]["serverRelativeURL"])
    assert "immutable" in response.headers["Cache-Control"]
    document = await response.json()
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-action"] == "patch"
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert {"dryRun", "fieldValidation", "fieldManager", "force"} <= {p["name"] for p in patch["parameters"]}
    assert "application/apply-patch+yaml" in patch["requestBody"]["content"]
    assert "io.k8s.api.core.v1.PodSpec" in document["components"]["schemas"]
    assert "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale" in document["paths"]


async def test_all_references_of_all_documents_resolve(client: TestClient[Any, Any]) -> None:
    index = await (await client.get("/openapi/v3")).json()
    for path in index["paths"]:
        text = await (await client.get(f"/openapi/v3/{path}")).text()
        document = json.loads(text)
        known = set(document["components"]["schemas"])
        found = {piece.split('"', 1)[0] for piece in text.split("#/components/schemas/")[1:]}
        assert found <= known, path


async def test_an_old_hash_is_redirected(client: TestClient[Any, Any]) -> None:
    response = await client.get("/openapi/v3/api/v1?hash=OLD", allow_redirects=False)
    assert response.status == 301
    assert "hash=OLD" not in response.headers["Location"]


async def test_unknown_documents_and_media_types(client: TestClient[Any, Any]) -> None:
    assert (await client.get("/openapi/v3/apis/nope/v1")).status == 404
    assert (await client.get("/openapi/v3/api/v1", headers={"Accept": "text/html"})).status == 406
    assert (await client.get("/openapi/v2", headers={"Accept": "text/html"})).status == 406


async def test_v2_in_both_encodings(client: TestClient[Any, Any]) -> None:
    document = await (await client.get("/openapi/v2")).json()
    assert document["swagger"] == "2.0"
    assert "io.k8s.api.core.v1.Pod" in document["definitions"]
    accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    encoded = await client.get("/openapi/v2", headers={"Accept": accept})
    assert encoded.headers["Content-Type"] == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    assert (await encoded.read()).startswith(b"\x0a\x032.0")


async def test_documents_are_cached_by_their_content(client: TestClient[Any, Any]) -> None:
    first = await client.get("/openapi/v3")
    tag = first.headers["ETag"]
    assert (await client.get("/openapi/v3", headers={"If-None-Match": tag})).status == 304
    compressed = await client.get("/openapi/v3", headers={"Accept-Encoding": "gzip"})
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert await compressed.json() == await first.json()


async def test_custom_resources_come_and_go(
    client: TestClient[Any, Any], registry: Registry, schemas: BuiltinSchemas
) -> None:
    before = (await (await client.get("/openapi/v3")).json())["paths"]
    kind = kinds_of(CRD, schemas.definition(META))[0]
    registry.add(kind)
    after = (await (await client.get("/openapi/v3")).json())["paths"]
    assert set(after) - set(before) == {"apis/yard.example.com/v1"}
    # Nothing else has changed, so that clients keep what they have.
    assert {path: after[path] for path in before} == before
    document = await (await client.get("/openapi/v3/apis/yard.example.com/v1")).json()
    assert "com.example.yard.v1.Boat" in document["components"]["schemas"]
    patch = document["paths"]["/apis/yard.example.com/v1/namespaces/{namespace}/boats/{name}"]["patch"]
    assert "application/strategic-merge-patch+json" not in patch["requestBody"]["content"]
    assert "com.example.yard.v1.Boat" in (await (await client.get("/openapi/v2")).json())["definitions"]
    registry.remove(kind.resource.gvr)
    assert (await (await client.get("/openapi/v3")).json())["paths"] == before
