from __future__ import annotations

import json
from typing import Any

import pytest

from lateen.cluster.testing.things import THINGS, a_thing, create


async def test_update_bumps_the_generation_and_keeps_status(api: Any) -> None:
    created = await create(api, n=1)
    status = {**created, "status": {"phase": "Ready"}, "spec": {"n": 9}}
    code, ready = await api.call("PUT", f"{THINGS}/a/status", status)
    assert (code, ready["status"], ready["spec"]) == (200, {"phase": "Ready"}, {"n": 1})
    assert ready["metadata"]["generation"] == 1
    ready["spec"] = {"n": 2}
    del ready["status"]
    _, updated = await api.call("PUT", f"{THINGS}/a", ready)
    assert (updated["status"], updated["metadata"]["generation"]) == ({"phase": "Ready"}, 2)


async def test_update_of_an_older_version_conflicts(api: Any) -> None:
    old = await create(api, n=1)
    await api.call("PUT", f"{THINGS}/a", {**old, "spec": {"n": 2}})
    code, body = await api.call("PUT", f"{THINGS}/a", {**old, "spec": {"n": 3}})
    assert (code, body["reason"]) == (409, "Conflict")
    assert "the object has been modified" in body["message"]


async def test_update_without_change_writes_nothing(api: Any) -> None:
    created = await create(api, n=1)
    assert await api.call("PUT", f"{THINGS}/a", created) == (200, created)
    assert created["metadata"]["resourceVersion"] == str(api.store.revision)


async def test_update_does_not_create(api: Any) -> None:
    assert (await api.call("PUT", f"{THINGS}/a", a_thing()))[0] == 404


async def test_update_of_another_object_of_the_name_conflicts(api: Any) -> None:
    created = await create(api)
    created["metadata"]["uid"] = "another"
    del created["metadata"]["resourceVersion"]
    code, body = await api.call("PUT", f"{THINGS}/a", created)
    assert code == 409
    assert "Precondition failed: UID in precondition: another" in body["message"]


@pytest.mark.parametrize(
    ("content_type", "patch"),
    [
        ("application/json-patch+json", [{"op": "replace", "path": "/spec/n", "value": 2}]),
        ("application/merge-patch+json", {"spec": {"n": 2}}),
        ("application/strategic-merge-patch+json", {"spec": {"n": 2}}),
        ("application/apply-patch+yaml", a_thing(n=2)),
    ],
)
async def test_patches(api: Any, content_type: str, patch: Any) -> None:
    await create(api, n=1, colour="red")
    headers = {"Content-Type": content_type}
    path = f"{THINGS}/a?fieldManager=m" + ("&force=true" if "apply" in content_type else "")
    code, patched = await api.call("PATCH", path, patch, headers=headers)
    assert (code, patched["spec"]) == (200, {"n": 2, "colour": "red"})


async def test_apply_creates_and_needs_a_manager(api: Any) -> None:
    headers = {"Content-Type": "application/apply-patch+yaml"}
    assert (await api.call("PATCH", f"{THINGS}/a", a_thing(n=1), headers=headers))[0] == 422
    code, created = await api.call("PATCH", f"{THINGS}/a?fieldManager=m", a_thing(n=1), headers=headers)
    assert (code, created["metadata"]["managedFields"][0]["operation"]) == (201, "Apply")
    code, body = await api.call("PATCH", f"{THINGS}/a?fieldManager=o", a_thing(n=2), headers=headers)
    assert (code, body["details"]["causes"][0]["reason"]) == (409, "FieldManagerConflict")


async def test_patch_of_unknown_type_is_unsupported(api: Any) -> None:
    await create(api)
    assert (await api.call("PATCH", f"{THINGS}/a", {}, headers={"Content-Type": "text/plain"}))[0] == 415


@pytest.fixture
def created_by_update(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = api.handler.services.registry.get(("t.example", "v1", "things"))
    monkeypatch.setattr(type(kind), "created_by_update", True)


async def test_put_creates_where_the_kind_lets_it(api: Any, created_by_update: None) -> None:
    status, created = await api.call("PUT", f"{THINGS}/a", a_thing(colour="red"))
    assert (status, created["spec"]) == (201, {"colour": "red"})
    status, updated = await api.call("PUT", f"{THINGS}/a", a_thing(colour="blue"))
    assert (status, updated["metadata"]["uid"]) == (200, created["metadata"]["uid"])
    stale = a_thing("b")
    stale["metadata"]["resourceVersion"] = "1"
    status, _ = await api.call("PUT", f"{THINGS}/b", stale)
    assert status == 409


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_creating_by_another_verb_needs_the_right_to_create(
    api: Any, created_by_update: None, method: str
) -> None:
    api.handler.access.refused = frozenset(("create",))
    headers = {"Content-Type": "application/apply-patch+yaml"} if method == "PATCH" else {}
    query = "?fieldManager=me" if method == "PATCH" else ""
    body = json.dumps(a_thing())
    status, refused = await api.call(method, f"{THINGS}/a{query}", data=body, headers=headers)
    assert (status, refused["reason"]) == (403, "Forbidden"), refused
    assert 'cannot create resource "things"' in refused["message"]


@pytest.mark.parametrize(
    ("type_", "patch", "fault"),
    [
        ("merge-patch+json", '{"spec":{"wheels":4}}', 'strict decoding error: unknown field "spec.wheels"'),
        (
            "json-patch+json",
            '[{"op":"add","path":"/wheels","value":4}]',
            'strict decoding error: unknown field "wheels"',
        ),
        (
            "strategic-merge-patch+json",
            '{"spec":{"colour":"a","colour":"b"}}',
            'strict decoding error: duplicate field "spec.colour"',
        ),
    ],
)
async def test_strict_faults_are_the_patches(api: Any, type_: str, patch: str, fault: str) -> None:
    await create(api)
    headers = {"Content-Type": f"application/{type_}"}
    path = f"{THINGS}/a?fieldValidation=Strict"
    status, refused = await api.call("PATCH", path, data=patch, headers=headers)
    assert (status, refused["reason"]) == (422, "Invalid"), refused
    cause = refused["details"]["causes"][0]
    assert cause["field"] == "patch"
    assert cause["message"].endswith(fault)


async def test_wrong_types_in_patches(api: Any) -> None:
    await create(api)
    headers = {"Content-Type": "application/merge-patch+json"}
    status, refused = await api.call("PATCH", f"{THINGS}/a", data='{"spec":{"n":"many"}}', headers=headers)
    assert status == 422, refused
