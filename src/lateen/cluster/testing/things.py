"""An API server of one kind, `Thing`, without TLS and authentication: the REST verbs over a store, by real HTTP."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDictProxy

from lateen.cluster.apiserver.auth.decision import Decision
from lateen.cluster.apiserver.discovery import Discovery
from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.non_resource import NonResourcePaths
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.request import Context, RequestInfo, User
from lateen.cluster.apiserver.request_handler import RequestHandler, add_headers
from lateen.cluster.apiserver.request_metrics import RequestMetrics
from lateen.cluster.apiserver.resource import Resource, Subresource
from lateen.cluster.apiserver.rest.body import MAX_BODY
from lateen.cluster.apiserver.rest.call import Services
from lateen.cluster.apiserver.rest.operations import Operations
from lateen.cluster.apiserver.rest.verbs import Verbs
from lateen.cluster.apiserver.rest.write_pipeline import WritePipeline
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.apiserver.store.store import Bounds, Store
from lateen.cluster.layout import Layout
from lateen.cluster.objects import GVK, GVR, Obj

THINGS = "/apis/t.example/v1/namespaces/d/things"
TEXT = Schema(type="string")
NUMBER = Schema(type="integer")
META = Schema(type="object", preserve_unknown=True)


class Thing(Kind):
    """Namespaced, with a status and a grace period."""

    def grace_seconds(self, obj: Obj, requested: int | None) -> int:
        wanted = obj.get("spec", {}).get("grace", 0)
        return requested if requested is not None else int(wanted)

    def selectable_fields(self, obj: Obj) -> Mapping[str, str]:
        return {"spec.colour": obj.get("spec", {}).get("colour", "")}


def thing(version: str) -> Kind:
    gvk = GVK("t.example", version, "Thing")
    spec = Schema(type="object", properties={"colour": TEXT, "grace": NUMBER, "n": NUMBER})
    schema = Schema(
        type="object",
        properties={
            "apiVersion": TEXT,
            "kind": TEXT,
            "metadata": META,
            "spec": spec,
            "status": Schema(type="object", properties={"phase": TEXT}),
        },
    )
    status = Subresource("status", gvk, ("get", "patch", "update"))
    resource = Resource(
        GVR("t.example", version, "things"), "Thing", "thing", True, "ThingList", "v1", subresources=(status,)
    )
    return Thing(resource, schema)


class Allowed:
    """Everybody may do everything, but `refused`."""

    refused: frozenset[str] = frozenset()

    async def authenticate(self, request: web.Request) -> User:
        return User("tester", groups=("system:authenticated",))

    def acting_user(self, user: User, headers: CIMultiDictProxy[str]) -> User:
        return user

    def authorize(self, user: User, info: RequestInfo) -> Decision:
        return Decision(info.verb not in self.refused)


class NoAdmission:
    async def mutate(self, op: str, obj: Obj, old: Obj | None, ctx: Context, kind: Kind) -> Obj:
        return obj

    async def validate(self, op: str, obj: Obj | None, old: Obj | None, ctx: Context, kind: Kind) -> None:
        return None


@dataclass
class Api:
    """Calls the server."""

    session: aiohttp.ClientSession
    store: Store
    handler: RequestHandler
    url: str

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Obj]:
        if body is not None:
            options["json"] = body
        async with self.session.request(method, self.url + path, **options) as response:
            return response.status, await response.json()


def now() -> dt.datetime:
    return dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


@asynccontextmanager
async def things_api(directory: Path) -> AsyncIterator[Api]:
    store = await Store.open(directory / "state.db", Bounds(history_events=50))
    registry = Registry([thing("v1"), thing("v1beta1")])
    operations = Operations(WritePipeline(store, NoAdmission(), now))
    access = Allowed()
    services = Services(Layout("test", 0, directory), store, registry, operations, access)
    metrics = RequestMetrics()
    paths = NonResourcePaths(Discovery(registry, "127.0.0.1:1"), {"ping": lambda: True}, metrics, {}, {})
    handler = RequestHandler(services, access, Verbs({}, {}, now).answer, paths.answer, metrics)
    app = web.Application(client_max_size=MAX_BODY + 1)
    app.router.add_route("*", "/{path:.*}", handler.handle)
    app.on_response_prepare.append(add_headers)
    server = TestServer(app)
    await server.start_server()
    async with aiohttp.ClientSession() as session:
        yield Api(session, store, handler, str(server.make_url("")).rstrip("/"))
    store.end_watches()
    await server.close()
    await store.close()


def a_thing(name: str = "a", /, **spec: Any) -> Obj:
    return {"apiVersion": "t.example/v1", "kind": "Thing", "metadata": {"name": name}, "spec": spec}


async def create(api: Api, name: str = "a", /, labels: dict[str, str] | None = None, **spec: Any) -> Obj:
    obj = a_thing(name, **spec)
    if labels:
        obj["metadata"]["labels"] = labels
    status, created = await api.call("POST", THINGS, obj)
    assert status == 201, created
    return created
