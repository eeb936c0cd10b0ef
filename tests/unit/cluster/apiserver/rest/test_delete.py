from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.testing.things import THINGS, a_thing, create


async def test_delete_removes_and_tells_the_uid(api: Any) -> None:
    created = await create(api)
    code, body = await api.call("DELETE", f"{THINGS}/a")
    assert (code, body["status"]) == (200, "Success")
    assert body["details"]["uid"] == created["metadata"]["uid"]
    assert (await api.call("GET", f"{THINGS}/a"))[0] == 404


async def test_finalizers_keep_the_object_until_the_last_is_gone(api: Any) -> None:
    obj = a_thing()
    obj["metadata"]["finalizers"] = ["e.example/one"]
    await api.call("POST", THINGS, obj)
    code, marked = await api.call("DELETE", f"{THINGS}/a")
    assert code == 200
    assert marked["metadata"]["deletionTimestamp"] == "2026-01-02T03:04:05Z"
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
    marked["metadata"]["finalizers"].append("e.example/two")
    assert (await api.call("PUT", f"{THINGS}/a", marked))[0] == 422
    merge = {"Content-Type": "application/merge-patch+json"}
    assert (await api.call("PATCH", f"{THINGS}/a", {"metadata": {"finalizers": None}}, headers=merge))[0] == 200
    assert (await api.call("GET", f"{THINGS}/a"))[0] == 404


async def test_grace_can_be_shortened_but_not_lengthened(api: Any) -> None:
    await create(api, grace=30)
    _, marked = await api.call("DELETE", f"{THINGS}/a")
    assert marked["metadata"]["deletionTimestamp"] == "2026-01-02T03:04:35Z"
    _, same = await api.call("DELETE", f"{THINGS}/a?gracePeriodSeconds=60")
    assert same["metadata"]["deletionGracePeriodSeconds"] == 30
    _, shorter = await api.call("DELETE", f"{THINGS}/a", {"gracePeriodSeconds": 5})
    assert shorter["metadata"]["deletionTimestamp"] == "2026-01-02T03:04:10Z"
    assert (await api.call("DELETE", f"{THINGS}/a?gracePeriodSeconds=0"))[1]["status"] == "Success"


@pytest.mark.parametrize(("policy", "finalizer"), [("Orphan", "orphan"), ("Foreground", "foregroundDeletion")])
async def test_propagation_is_left_to_the_garbage_collector(api: Any, policy: str, finalizer: str) -> None:
    await create(api)
    code, marked = await api.call("DELETE", f"{THINGS}/a", {"propagationPolicy": policy})
    assert marked["metadata"]["finalizers"] == [finalizer]
    assert code == (202 if policy == "Foreground" else 200)


async def test_delete_preconditions(api: Any) -> None:
    created = await create(api)
    assert (await api.call("DELETE", f"{THINGS}/a", {"preconditions": {"uid": "x"}}))[0] == 409
    assert (await api.call("DELETE", f"{THINGS}/a", {"preconditions": {"resourceVersion": "1000"}}))[0] == 409
    right = {"uid": created["metadata"]["uid"]}
    assert (await api.call("DELETE", f"{THINGS}/a", {"preconditions": right}))[0] == 200


async def test_delete_collection_takes_selectors(api: Any) -> None:
    for name in ("a", "b", "c"):
        await create(api, name, {"l": name})
    code, removed = await api.call("DELETE", f"{THINGS}?labelSelector=l+in+(a,b)")
    assert (code, len(removed["items"])) == (200, 2)
    _, left = await api.call("GET", THINGS)
    assert [o["metadata"]["name"] for o in left["items"]] == ["c"]
