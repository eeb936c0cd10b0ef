from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.objects import Obj
from lateen.cluster.testing.things import THINGS, a_thing, create


async def test_create_fills_in_metadata(api: Any) -> None:
    created = await create(api, colour="red")
    meta = created["metadata"]
    assert meta["creationTimestamp"] == "2026-01-02T03:04:05Z"
    assert meta["namespace"] == "d"
    assert meta["generation"] == 1
    assert meta["uid"]
    assert meta["resourceVersion"] == str(api.store.revision)
    assert meta["managedFields"][0]["operation"] == "Update"
    assert await api.call("GET", f"{THINGS}/a") == (200, created)


async def test_empty_metadata_is_absent(api: Any) -> None:
    empty = {"labels": {}, "annotations": {}, "finalizers": [], "ownerReferences": []}
    obj = a_thing()
    obj["metadata"] |= empty
    _, created = await api.call("POST", THINGS, obj)
    assert not empty.keys() & created["metadata"].keys()
    created["metadata"] |= {"finalizers": ["example.org/f"], "labels": {"a": "b"}}
    _, updated = await api.call("PUT", f"{THINGS}/a", created)
    assert updated["metadata"]["finalizers"] == ["example.org/f"]
    updated["metadata"] |= empty
    _, updated = await api.call("PUT", f"{THINGS}/a", updated)
    assert not empty.keys() & updated["metadata"].keys()


async def test_generated_names_have_five_characters_of_suffix(api: Any) -> None:
    obj = {**a_thing(), "metadata": {"generateName": "gen-"}}
    names = {(await api.call("POST", THINGS, obj))[1]["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(len(name) == len("gen-") + 5 for name in names)


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"apiVersion": "t.example/v2"}, 400, "does not match the expected API version (t.example/v1)"),
        ({"kind": "Other"}, 400, "cannot be handled as a Thing"),
        ({"metadata": {"name": "a", "namespace": "e"}}, 400, "does not match the namespace sent on the request"),
        ({"metadata": {"name": "A_"}}, 422, "Invalid value"),
        ({"metadata": {}}, 422, "name or generateName is required"),
        ({"metadata": {"name": "a", "resourceVersion": "1"}}, 500, "resourceVersion should not be set"),
        ({"spec": {"n": "text"}}, 400, "cannot unmarshal string"),
    ],
)
async def test_create_refuses(api: Any, change: Obj, code: int, message: str) -> None:
    status, body = await api.call("POST", THINGS, {**a_thing(), **change})
    assert (status, body["kind"], body["code"]) == (code, "Status", code)
    assert message in body["message"]


async def test_second_create_already_exists(api: Any) -> None:
    await create(api)
    status, body = await api.call("POST", THINGS, a_thing())
    assert (status, body["reason"]) == (409, "AlreadyExists")
    assert body["message"] == 'things.t.example "a" already exists'


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "application/json", 400),
        (b"a: [", "application/yaml", 400),
        (b"x", "application/xml", 415),
        (b"k8s\0garbage", "application/vnd.kubernetes.protobuf", 400),
        (b'{"a":"' + b"x" * 4_000_000 + b'"}', "application/json", 413),
    ],
)
async def test_malformed_bodies_get_the_right_status(api: Any, body: bytes, content_type: str, code: int) -> None:
    async with api.session.post(api.url + THINGS, data=body, headers={"Content-Type": content_type}) as response:
        answer = await response.json()
    assert (response.status, answer["kind"], answer["code"]) == (code, "Status", code)


async def test_alias_bombs_are_refused(api: Any) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    headers = {"Content-Type": "application/yaml"}
    async with api.session.post(api.url + THINGS, data="\n".join(lines), headers=headers) as response:
        assert response.status == 400
        assert "excessive aliasing" in (await response.json())["message"]


async def test_yaml_bodies_are_understood(api: Any) -> None:
    text = "apiVersion: t.example/v1\nkind: Thing\nmetadata: {name: y, annotations: {at: 2020-01-01}}\nspec: {n: 3}\n"
    headers = {"Content-Type": "application/yaml"}
    async with api.session.post(api.url + THINGS, data=text, headers=headers) as response:
        created = await response.json()
    assert created["spec"] == {"n": 3}
    assert created["metadata"]["annotations"] == {"at": "2020-01-01"}


async def test_dry_run_stores_nothing(api: Any) -> None:
    status, created = await api.call("POST", f"{THINGS}?dryRun=All", a_thing())
    assert (status, created["metadata"]["name"]) == (201, "a")
    assert (await api.call("GET", f"{THINGS}/a"))[0] == 404
    await create(api, n=1)
    revision = api.store.revision
    assert (await api.call("POST", f"{THINGS}?dryRun=All", a_thing()))[0] == 409
    merge = {"Content-Type": "application/merge-patch+json"}
    _, patched = await api.call("PATCH", f"{THINGS}/a?dryRun=All", {"spec": {"n": 2}}, headers=merge)
    assert patched["spec"]["n"] == 2
    assert (await api.call("DELETE", f"{THINGS}/a?dryRun=All"))[0] == 200
    assert api.store.revision == revision
    assert (await api.call("POST", f"{THINGS}?dryRun=Some", a_thing()))[0] == 422


@pytest.mark.parametrize("validation", ["Ignore", "Warn", "Strict"])
async def test_field_validation(api: Any, validation: str) -> None:
    body = '{"apiVersion":"t.example/v1","kind":"Thing","metadata":{"name":"a"},"spec":{"n":1,"foo":{},"n":2}}'
    path = f"{api.url}{THINGS}?fieldValidation={validation}"
    async with api.session.post(path, data=body, headers={"Content-Type": "application/json"}) as response:
        answer = await response.json()
    warnings = response.headers.getall("Warning", [])
    if validation == "Strict":
        assert response.status == 400
        assert 'strict decoding error: duplicate field "spec.n", unknown field "spec.foo"' in answer["message"]
        return
    assert response.status == 201
    assert answer["spec"] == {"n": 2}
    expected = ['299 - "duplicate field \\"spec.n\\""', '299 - "unknown field \\"spec.foo\\""']
    assert warnings == (expected if validation == "Warn" else [])
