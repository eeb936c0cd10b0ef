from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
import pytest
import yaml

from lateen.cluster.objects import Obj

THINGS = "/apis/t.example/v1/namespaces/d/things"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


def a_thing(name: str = "a", /, **spec: Any) -> Obj:
    return {"apiVersion": "t.example/v1", "kind": "Thing", "metadata": {"name": name}, "spec": spec}


async def create(api: Any, name: str = "a", /, labels: dict[str, str] | None = None, **spec: Any) -> Obj:
    obj = a_thing(name, **spec)
    if labels:
        obj["metadata"]["labels"] = labels
    status, created = await api.call("POST", THINGS, obj)
    assert status == 201, created
    return created


# --- create ---------------------------------------------------------------------------------------------------


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


# --- update and patch -----------------------------------------------------------------------------------------


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


# --- delete ---------------------------------------------------------------------------------------------------


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


# --- lists ----------------------------------------------------------------------------------------------------


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


async def test_versions_share_objects(api: Any) -> None:
    await create(api, n=1)
    _, other = await api.call("GET", "/apis/t.example/v1beta1/namespaces/d/things/a")
    assert (other["apiVersion"], other["spec"]) == ("t.example/v1beta1", {"n": 1})
    _, found = await api.call("GET", "/apis/t.example/v1beta1/things")
    assert (found["kind"], found["apiVersion"]) == ("ThingList", "t.example/v1beta1")
    assert [o["apiVersion"] for o in found["items"]] == ["t.example/v1beta1"]


async def test_tables(api: Any) -> None:
    await create(api)
    _, table = await api.call("GET", THINGS, headers={"Accept": TABLE})
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Age"]
    assert table["rows"][0]["cells"][0] == "a"
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    _, single = await api.call("GET", f"{THINGS}/a?includeObject=Object", headers={"Accept": TABLE})
    assert single["rows"][0]["object"]["kind"] == "Thing"
    _, bare = await api.call("GET", f"{THINGS}?includeObject=None", headers={"Accept": TABLE})
    assert bare["rows"][0]["object"] is None


async def test_metadata_alone(api: Any) -> None:
    created = await create(api)
    _, one = await api.call("GET", f"{THINGS}/a", headers={"Accept": PARTIAL})
    assert one == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": created["metadata"],
    }
    _, many = await api.call("GET", THINGS, headers={"Accept": PARTIAL_LIST})
    assert (many["kind"], many["items"]) == ("PartialObjectMetadataList", [one])


async def test_unknown_media_types_are_not_acceptable(api: Any) -> None:
    assert (await api.call("GET", THINGS, headers={"Accept": "text/html"}))[0] == 406


async def test_large_lists_are_compressed_when_asked(api: Any) -> None:
    for n in range(3):
        await create(api, f"a{n}", colour="x" * 60_000)
    async with api.session.get(api.url + THINGS, headers={"Accept-Encoding": "gzip"}, auto_decompress=False) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(json.loads(gzip.decompress(await answer.read()))["items"]) == 3


# --- everything around ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/apis/t.example/v1/gadgets", 404),
        ("GET", "/apis/t.example/v9", 404),
        ("GET", "/nothing", 404),
        ("POST", "/apis/t.example/v1/things", 405),
        ("POST", f"{THINGS}/a", 405),
        ("PUT", THINGS, 405),
        ("GET", f"{THINGS}/a/scale", 404),
        ("DELETE", f"{THINGS}/a/status", 405),
        ("GET", f"{THINGS}/missing", 404),
    ],
)
async def test_wrong_paths(api: Any, method: str, path: str, code: int) -> None:
    status, body = await api.call(method, path, None if method == "GET" else a_thing())
    assert (status, body["kind"], body["status"]) == (code, "Status", "Failure")


async def test_overload_is_told(api: Any) -> None:
    api.handler.in_flight.reading = 0
    async with api.session.get(api.url + THINGS) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "1")


async def test_a_fault_of_ours_is_a_status_too(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(api.store), "list", lambda *_: 1 / 0)
    status, body = await api.call("GET", THINGS)
    assert (status, body["reason"]) == (500, "InternalError")
    assert "division" not in body["message"]


async def test_refusals_name_the_user_and_the_verb(api: Any) -> None:
    api.handler.access.refused = frozenset(["list"])
    status, body = await api.call("GET", THINGS)
    assert status == 403
    assert body["message"].startswith('things.t.example is forbidden: User "tester" cannot list resource "things"')


async def test_answers_carry_an_audit_id(api: Any) -> None:
    async with api.session.get(api.url + THINGS, headers={"Audit-ID": "mine"}) as response:
        assert response.headers["Audit-Id"] == "mine"


async def test_discovery(api: Any) -> None:
    _, groups = await api.call("GET", "/apis")
    assert groups["groups"][0]["preferredVersion"]["version"] == "v1"
    _, resources = await api.call("GET", "/apis/t.example/v1")
    assert [r["name"] for r in resources["resources"]] == ["things", "things/status"]
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    async with api.session.get(f"{api.url}/apis", headers={"Accept": accept}) as response:
        document = msgspec.json.decode(await response.read())
        assert response.headers["Content-Type"] == accept
    assert [v["version"] for v in document["items"][0]["versions"]] == ["v1", "v1beta1"]
    headers = {"Accept": accept, "If-None-Match": response.headers["ETag"]}
    async with api.session.get(f"{api.url}/apis", headers=headers) as response:
        assert response.status == 304


async def test_health_version_and_metrics(api: Any) -> None:
    async with api.session.get(f"{api.url}/readyz?verbose") as response:
        assert await response.text() == "[+]ping ok\nreadyz check passed\n"
    assert (await api.call("GET", "/version"))[1]["gitVersion"].startswith("v1.33.")
    await create(api)
    async with api.session.get(f"{api.url}/metrics") as response:
        text = await response.text()
    assert 'apiserver_storage_objects{resource="things.t.example"} 1' in text
    assert 'verb="CREATE"' in text


# --- who creates without POST -----------------------------------------------------------------------------------


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


# --- faults of patches ------------------------------------------------------------------------------------------


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


# --- order and YAML ---------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("path", [f"{THINGS}/a", THINGS, f"{THINGS}/none", "/apis"])
async def test_answers_in_yaml(api: Any, path: str) -> None:
    await create(api, colour="y")
    _, wanted = await api.call("GET", path)
    headers = {"Accept": "application/yaml, application/json;q=0.5", "Accept-Encoding": "gzip"}
    async with api.session.get(api.url + path, headers=headers) as response:
        assert response.content_type == "application/yaml"
        text = await response.text()
    assert yaml.safe_load(text) == wanted
    assert "colour: y" not in text


async def test_no_watch_in_yaml(api: Any) -> None:
    status, _ = await api.call("GET", f"{THINGS}?watch=1", headers={"Accept": "application/yaml"})
    assert status == 406
