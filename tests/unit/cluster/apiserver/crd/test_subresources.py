"""The scale subresource of custom resources, through the whole write pipeline."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from lateen.cluster.apiserver.crd.kind import CustomKind, kinds_of
from lateen.cluster.apiserver.crd.subresources import custom_subresources
from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.request import Context, RequestInfo, User
from lateen.cluster.apiserver.rest.call import Call, Services
from lateen.cluster.apiserver.rest.operations import Operations
from lateen.cluster.apiserver.rest.write_pipeline import WritePipeline
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key, Obj
from lateen.cluster.status import StatusError

BOATS = ("yard.example.com", "boats")
VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch"}


class Admitting:
    async def mutate(self, op: str, obj: Obj, old: Obj | None, ctx: Context, kind: Kind) -> Obj:
        return obj

    async def validate(self, op: str, obj: Obj | None, old: Obj | None, ctx: Context, kind: Kind) -> None:
        return None


@pytest.fixture
def kind(schemas: BuiltinSchemas) -> CustomKind:
    spec = {"type": "object", "properties": {"oars": {"type": "integer", "maximum": 10}}}
    scale = {"specReplicasPath": ".spec.oars", "statusReplicasPath": ".status.oars"}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"scale": scale},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
    }
    crd = {
        "metadata": {"name": "boats.yard.example.com"},
        "spec": {
            "group": "yard.example.com",
            "scope": "Namespaced",
            "names": {"plural": "boats", "kind": "Boat"},
            "versions": [version],
        },
    }
    return kinds_of(crd, schemas.definition("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"))[0]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "store.db")
    meta = {"name": "a", "namespace": "default", "uid": "u", "generation": 1}
    await opened.create(
        BOATS, {"apiVersion": "yard.example.com/v1", "kind": "Boat", "metadata": meta, "spec": {"oars": 2}}
    )
    yield opened
    await opened.close()


@pytest.fixture
async def client(kind: CustomKind, store: Store) -> AsyncIterator[TestClient[Any, Any]]:
    operations = Operations(WritePipeline(store, Admitting(), lambda: dt.datetime(2026, 1, 31, tzinfo=dt.UTC)))
    services = Services(cast(Any, None), store, cast(Any, None), operations, None)
    handler = custom_subresources()["*", "*", "scale"]

    async def handle(request: web.Request) -> web.StreamResponse:
        info = RequestInfo(
            request.path, VERBS[request.method], "yard.example.com", "v1", "boats", "default", "a", "scale"
        )
        try:
            return await handler(Call(request, Context(User("someone"), info), services, kind))
        except StatusError as error:
            return web.json_response(error.to_json(), status=error.code)

    app = web.Application()
    app.router.add_route("*", "/", handle)
    async with TestClient(TestServer(app)) as made:
        yield made


def oars(store: Store) -> int:
    found = store.get(BOATS, Key("default", "a"))
    assert found is not None
    return int(found["spec"]["oars"])


async def test_reading(client: TestClient[Any, Any]) -> None:
    scale = await (await client.get("/")).json()
    assert (scale["kind"], scale["spec"], scale["status"]) == ("Scale", {"replicas": 2}, {"replicas": 0})


async def test_replacing(client: TestClient[Any, Any], store: Store) -> None:
    scale = await (await client.get("/")).json()
    scale["spec"]["replicas"] = 5
    assert (await (await client.put("/", json=scale)).json())["spec"] == {"replicas": 5}
    assert oars(store) == 5
    # The same again names an old version by now.
    assert (await client.put("/", json=scale)).status == 409


@pytest.mark.parametrize(
    ("media", "patch"),
    [
        ("application/merge-patch+json", {"spec": {"replicas": 7}}),
        ("application/strategic-merge-patch+json", {"spec": {"replicas": 7}}),
        ("application/json-patch+json", [{"op": "replace", "path": "/spec/replicas", "value": 7}]),
    ],
)
async def test_patching(client: TestClient[Any, Any], store: Store, media: str, patch: Any) -> None:
    response = await client.patch("/", data=json.dumps(patch), headers={"Content-Type": media})
    assert response.status == 200
    assert oars(store) == 7


async def test_what_is_refused(client: TestClient[Any, Any], store: Store) -> None:
    merge = {"Content-Type": "application/merge-patch+json"}
    for replicas, code in ((-1, 422), ("many", 400), (11, 422)):
        response = await client.patch("/", data=json.dumps({"spec": {"replicas": replicas}}), headers=merge)
        assert response.status == code
    assert oars(store) == 2
