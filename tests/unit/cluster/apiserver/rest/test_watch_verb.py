from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from lateen.cluster.objects import Obj
from lateen.cluster.testing.things import THINGS

MERGE = {"Content-Type": "application/merge-patch+json"}


async def create(api: Any, name: str, **spec: Any) -> Obj:
    obj = {
        "apiVersion": "t.example/v1",
        "kind": "Thing",
        "metadata": {"name": name, "labels": {"l": name}},
        "spec": spec,
    }
    _, created = await api.call("POST", THINGS, obj)
    return dict(created)


class Events:
    def __init__(self, response: Any) -> None:
        self.response = response

    async def next(self) -> tuple[str, str]:
        event = await self.whole()
        return event["type"], event["object"].get("metadata", {}).get("name", "")

    async def whole(self) -> Obj:
        async with asyncio.timeout(60):
            return dict(msgspec.json.decode(await self.response.content.readline()))

    async def ended(self) -> bool:
        async with asyncio.timeout(60):
            return await self.response.content.readline() == b""


@asynccontextmanager
async def watching(api: Any, query: str = "", path: str = THINGS, **headers: str) -> AsyncIterator[Events]:
    async with api.session.get(f"{api.url}{path}?watch=true&{query}", headers=headers) as response:
        assert response.status == 200
        yield Events(response)


async def test_from_a_revision(api: Any) -> None:
    created = await create(api, "a")
    await create(api, "b")
    async with watching(api, f"resourceVersion={created['metadata']['resourceVersion']}") as events:
        assert await events.next() == ("ADDED", "b")
        await api.call("PATCH", f"{THINGS}/a", {"spec": {"n": 1}}, headers=MERGE)
        assert await events.next() == ("MODIFIED", "a")
        await api.call("DELETE", f"{THINGS}/b")
        deleted = await events.whole()
        assert (deleted["type"], deleted["object"]["metadata"]["name"]) == ("DELETED", "b")
        assert deleted["object"]["metadata"]["resourceVersion"] == str(api.store.revision)


async def test_without_a_revision_what_is_there_comes_first(api: Any) -> None:
    await create(api, "a")
    async with watching(api) as events:
        assert await events.next() == ("ADDED", "a")
        await create(api, "b")
        assert await events.next() == ("ADDED", "b")


async def test_initial_events_end_with_a_bookmark(api: Any) -> None:
    await create(api, "a")
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with watching(api, query) as events:
        assert await events.next() == ("ADDED", "a")
        bookmark = await events.whole()
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["metadata"] == {
            "resourceVersion": str(api.store.revision),
            "annotations": {"k8s.io/initial-events-end": "true"},
        }
        assert bookmark["object"]["kind"] == "Thing"


async def test_objects_enter_and_leave_a_selection(api: Any) -> None:
    await create(api, "a", colour="red")
    query = "fieldSelector=spec.colour%3Dred"
    async with watching(api, query) as events:
        assert await events.next() == ("ADDED", "a")
        await api.call("PATCH", f"{THINGS}/a", {"spec": {"colour": "blue"}}, headers=MERGE)
        left = await events.whole()
        assert (left["type"], left["object"]["spec"]["colour"]) == ("DELETED", "red")
        assert left["object"]["metadata"]["resourceVersion"] == str(api.store.revision)
        await api.call("PATCH", f"{THINGS}/a", {"spec": {"n": 1}}, headers=MERGE)
        await api.call("PATCH", f"{THINGS}/a", {"spec": {"colour": "red"}}, headers=MERGE)
        assert await events.next() == ("ADDED", "a")
        await api.call("PATCH", f"{THINGS}/a", {"spec": {"n": 2}}, headers=MERGE)
        assert await events.next() == ("MODIFIED", "a")


async def test_of_one_object_by_name(api: Any) -> None:
    await create(api, "a")
    await create(api, "b")
    async with watching(api, path=f"{THINGS}/b") as events:
        assert await events.next() == ("ADDED", "b")


async def test_too_old_a_revision_is_an_error_event(api: Any) -> None:
    await create(api, "a")
    for n in range(60):
        await api.call("PATCH", f"{THINGS}/a", {"spec": {"n": n}}, headers=MERGE)
    async with watching(api, "resourceVersion=1") as events:
        error = await events.whole()
        assert (error["type"], error["object"]["code"], error["object"]["reason"]) == ("ERROR", 410, "Expired")
        assert await events.ended()


async def test_timeout_ends_it_with_a_bookmark(api: Any) -> None:
    await create(api, "a")
    async with watching(
        api, f"timeoutSeconds=0&allowWatchBookmarks=true&resourceVersion={api.store.revision}"
    ) as events:
        assert (await events.whole())["type"] == "BOOKMARK"
        assert await events.ended()


async def test_shutdown_ends_it_cleanly(api: Any) -> None:
    async with watching(api) as events:
        await create(api, "a")
        assert await events.next() == ("ADDED", "a")
        api.store.end_watches()
        assert await events.ended()


async def test_as_tables_and_metadata(api: Any) -> None:
    await create(api, "a")
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    async with watching(api, Accept=table) as events:
        shown = (await events.whole())["object"]
        assert (shown["kind"], shown["rows"][0]["cells"][0]) == ("Table", "a")
    partial = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    async with watching(api, Accept=partial) as events:
        assert (await events.whole())["object"]["kind"] == "PartialObjectMetadata"


async def test_in_another_version(api: Any) -> None:
    await create(api, "a")
    async with watching(api, path="/apis/t.example/v1beta1/things") as events:
        assert (await events.whole())["object"]["apiVersion"] == "t.example/v1beta1"
        await create(api, "b")
        assert (await events.whole())["object"]["apiVersion"] == "t.example/v1beta1"
