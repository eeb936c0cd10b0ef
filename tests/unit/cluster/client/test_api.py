from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from lateen.cluster.objects import GVR, Key
from lateen.cluster.status import StatusError

THINGS = GVR("", "v1", "things")
APPS = GVR("apps", "v1", "deployments")


async def test_create_get_update_delete(server: Any) -> None:
    async with server.client(user_agent="tester/1") as client:
        made = await client.create(THINGS, {"metadata": {"name": "a", "namespace": "n"}, "spec": 1})
        assert (await client.get(THINGS, Key("n", "a")))["spec"] == 1
        await client.update(THINGS, {**made, "spec": 2})
        with pytest.raises(StatusError) as caught:
            await client.update(THINGS, {**made, "spec": 3})
        assert caught.value.reason == "Conflict"
        await client.delete(THINGS, Key("n", "a"))
        with pytest.raises(StatusError) as caught:
            await client.get(THINGS, Key("n", "a"))
        assert (caught.value.code, caught.value.reason) == (404, "NotFound")
    assert server.requests[0] == ("POST", "/api/v1/namespaces/n/things?fieldManager=tester")


async def test_list_reads_every_page_and_types_its_items(server: Any) -> None:
    for i in range(7):
        await server.put("things", "n", f"t{i}")
    async with server.client() as client:
        found = await client.list(THINGS, limit=3)
    assert [o["metadata"]["name"] for o in found.items] == [f"t{i}" for i in range(7)]
    assert {(o["apiVersion"], o["kind"]) for o in found.items} == {("v1", "Thing")}
    assert found.resource_version == str(server.revision)
    assert len(server.requests) == 3


async def test_list_starts_over_when_the_continue_token_expired(server: Any) -> None:
    for i in range(4):
        await server.put("things", "n", f"t{i}")
    original = server._list
    expired = [StatusError(410, "Expired", "too old")]

    def expire_once(request: web.Request, plural: str, namespace: str) -> dict[str, object]:
        if "continue" in request.query and expired:
            raise expired.pop()
        return original(request, plural, namespace)

    server._list = expire_once
    async with server.client() as client:
        assert len((await client.list(THINGS, limit=3)).items) == 4


async def test_busy_server_is_asked_again_when_it_says_so(server: Any) -> None:
    await server.put("things", "n", "a")
    server.failures = [web.Response(status=429, headers={"Retry-After": "0"}), web.Response(status=503)]
    async with server.client() as client:
        with pytest.raises(StatusError) as caught:
            await client.delete(THINGS, Key("n", "a"))
        assert caught.value.code == 429
        assert (await client.get(THINGS, Key("n", "a")))["kind"] == "Thing"


async def test_refused_connection_becomes_a_status_within_the_timeout(server: Any) -> None:
    await server.stop()
    async with server.client(timeout=0.2) as client:
        with pytest.raises(StatusError) as caught:
            await client.create(THINGS, {"metadata": {"name": "a"}})
    assert caught.value.code == 504
    await server.start()


async def test_write_waits_for_a_server_that_comes_back(server: Any) -> None:
    import asyncio

    await server.stop()
    async with server.client() as client, asyncio.TaskGroup() as group:
        made = group.create_task(client.create(APPS, {"metadata": {"name": "a", "namespace": "n"}}))
        await asyncio.sleep(0)
        await server.start()
    assert made.result()["metadata"]["name"] == "a"


async def test_failure_that_is_no_status_is_still_a_status_error(server: Any) -> None:
    server.failures = [web.Response(status=500, text="<html>")]
    async with server.client() as client:
        with pytest.raises(StatusError) as caught:
            await client.get(THINGS, Key("", "a"))
    assert (caught.value.code, caught.value.message) == (500, "<html>")


async def test_watch_gives_changes_and_errors(server: Any) -> None:
    start = server.revision
    await server.put("things", "n", "a")
    await server.drop("things", "n", "a")
    async with server.client() as client:
        async with client.watch(THINGS, resource_version=str(start)) as watch:
            seen = []
            async for event in watch:
                seen.append(event.type)
                if len(seen) == 2:
                    break
        assert seen == ["ADDED", "DELETED"]
        server.compact()
        with pytest.raises(StatusError) as caught:
            async with client.watch(THINGS, resource_version=str(start)):
                pass
        assert caught.value.code == 410
