from __future__ import annotations

from typing import Any

from lateen.cluster.testing.things import THINGS, a_thing, create


async def test_pages_show_one_revision(api: Any) -> None:
    for name in ("a", "b", "c", "d", "e"):
        await create(api, name)
    _, first = await api.call("GET", f"{THINGS}?limit=2")
    assert first["metadata"]["remainingItemCount"] == 3
    await api.call("DELETE", f"{THINGS}/d")
    await create(api, "cc")
    names = [o["metadata"]["name"] for o in first["items"]]
    token = first["metadata"]["continue"]
    while token:
        _, page = await api.call("GET", f"{THINGS}?limit=2&continue={token}")
        names += [o["metadata"]["name"] for o in page["items"]]
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        token = page["metadata"].get("continue")
    assert names == ["a", "b", "c", "d", "e"]


async def test_an_expired_page_is_gone(api: Any) -> None:
    for name in ("a", "b"):
        await create(api, name)
    _, first = await api.call("GET", f"{THINGS}?limit=1")
    for n in range(60):
        merge = {"Content-Type": "application/merge-patch+json"}
        await api.call("PATCH", f"{THINGS}/a", {"spec": {"n": n}}, headers=merge)
    code, body = await api.call("GET", f"{THINGS}?limit=1&continue={first['metadata']['continue']}")
    assert (code, body["reason"]) == (410, "Expired")
    assert (await api.call("GET", f"{THINGS}?limit=1&continue=%21"))[0] == 400


async def test_selectors(api: Any) -> None:
    await create(api, "a", {"l": "x"}, colour="red")
    await create(api, "b", {"l": "y"}, colour="red")

    async def names(query: str) -> list[str]:
        _, found = await api.call("GET", f"{THINGS}?{query}")
        return [o["metadata"]["name"] for o in found["items"]]

    assert await names("labelSelector=l%3Dx") == ["a"]
    assert await names("fieldSelector=metadata.name%3Db") == ["b"]
    assert await names("fieldSelector=spec.colour%3Dred,metadata.name!%3Db") == ["a"]
    code, body = await api.call("GET", f"{THINGS}?fieldSelector=spec.size%3D1")
    assert (code, body["message"]) == (400, "field label not supported: spec.size")


async def test_list_of_a_future_revision_is_refused(api: Any) -> None:
    code, body = await api.call("GET", f"{THINGS}?resourceVersion=1000&resourceVersionMatch=NotOlderThan")
    assert (code, body["details"]["causes"][0]["reason"]) == (504, "ResourceVersionTooLarge")


async def test_exact_list(api: Any) -> None:
    created = await create(api, "a")
    await create(api, "b")
    version = created["metadata"]["resourceVersion"]
    _, found = await api.call("GET", f"{THINGS}?resourceVersion={version}&resourceVersionMatch=Exact")
    assert [o["metadata"]["name"] for o in found["items"]] == ["a"]


async def test_lists_have_the_order_of_etcds_keys(api: Any) -> None:
    for namespace in ("a", "a-b", "a0", "b"):
        for name in ("y", "x"):
            path = f"/apis/t.example/v1/namespaces/{namespace}/things"
            status, _ = await api.call("POST", path, a_thing(name))
            assert status == 201
    found, token = [], ""
    while True:
        _, page = await api.call("GET", f"/apis/t.example/v1/things?limit=3&continue={token}")
        found += [f"{o['metadata']['namespace']}/{o['metadata']['name']}" for o in page["items"]]
        if not (token := page["metadata"].get("continue", "")):
            break
    assert found == ["a-b/x", "a-b/y", "a/x", "a/y", "a0/x", "a0/y", "b/x", "b/y"]
    _, listed = await api.call("GET", "/apis/t.example/v1/namespaces/a/things")
    assert [o["metadata"]["name"] for o in listed["items"]] == ["x", "y"]
