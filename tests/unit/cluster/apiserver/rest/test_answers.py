"""In which form answers are, and those that are about no object."""

from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
import pytest
import yaml

from lateen.cluster.testing.things import THINGS, a_thing, create

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


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
