from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from lateen.cluster.apiserver.discovery import Discovery
from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.resource import Resource, Subresource
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.objects import GVK, GVR
from lateen.cluster.status import StatusError

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def kind(group: str, version: str, plural: str, name: str, **fields: Any) -> Kind:
    gvr = GVR(group, version, plural)
    return Kind(Resource(gvr, name, name.lower(), True, f"{name}List", version, **fields), Schema(type="object"))


@pytest.fixture
def registry() -> Registry:
    eviction = Subresource("eviction", GVK("policy", "v1", "Eviction"), ("create",))
    status = Subresource("status", GVK("", "v1", "Pod"), ("get", "patch", "update"))
    pods = kind("", "v1", "pods", "Pod", short_names=("po",), categories=("all",), subresources=(eviction, status))
    return Registry([pods, kind("yard", "v1beta1", "boats", "Boat"), kind("yard", "v1", "boats", "Boat")])


@pytest.fixture
def discovery(registry: Registry) -> Discovery:
    return Discovery(registry, "192.0.2.1:6443")


def get(discovery: Discovery, path: str, accept: str = "", **headers: str) -> web.Response:
    return discovery.answer(make_mocked_request("GET", path, headers={"Accept": accept, **headers}))


def document(discovery: Discovery, path: str, accept: str = "") -> Any:
    body = get(discovery, path, accept).body
    assert isinstance(body, bytes)
    return msgspec.json.decode(body)


def test_versions_and_groups(discovery: Discovery) -> None:
    core = document(discovery, "/api")
    assert (core["kind"], core["versions"]) == ("APIVersions", ["v1"])
    groups = document(discovery, "/apis/")["groups"]
    assert [g["name"] for g in groups] == ["yard"]
    assert groups[0]["preferredVersion"] == {"groupVersion": "yard/v1", "version": "v1"}
    assert [v["version"] for v in groups[0]["versions"]] == ["v1", "v1beta1"]
    assert document(discovery, "/apis/yard")["kind"] == "APIGroup"


def test_resources(discovery: Discovery) -> None:
    found = document(discovery, "/api/v1")
    assert (found["kind"], found["groupVersion"]) == ("APIResourceList", "v1")
    pods, eviction, status = found["resources"]
    assert (pods["name"], pods["shortNames"], pods["categories"]) == ("pods", ["po"], ["all"])
    assert (eviction["name"], eviction["group"], eviction["version"], eviction["kind"]) == (
        "pods/eviction",
        "policy",
        "v1",
        "Eviction",
    )
    assert "group" not in status
    assert document(discovery, "/apis/yard/v1beta1")["resources"][0]["name"] == "boats"


@pytest.mark.parametrize("path", ["/api/v2", "/apis/none", "/apis/yard/v2", "/apis//v1", "/apis/yard/v1/boats/x"])
def test_what_is_not_there(discovery: Discovery, path: str) -> None:
    with pytest.raises(StatusError) as missing:
        get(discovery, path)
    assert missing.value.code == 404


def test_aggregated(discovery: Discovery) -> None:
    found = document(discovery, "/apis", f"{AGGREGATED}, application/json")
    assert (found["kind"], found["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    assert [v["version"] for v in found["items"][0]["versions"]] == ["v1", "v1beta1"]
    core = document(discovery, "/api", AGGREGATED)["items"][0]
    pods = core["versions"][0]["resources"][0]
    assert pods["responseKind"] == {"group": "", "version": "v1", "kind": "Pod"}
    assert [s["subresource"] for s in pods["subresources"]] == ["eviction", "status"]
    # A client that likes the plain document better gets that.
    assert document(discovery, "/apis", f"application/json, {AGGREGATED}")["kind"] == "APIGroupList"
    assert document(discovery, "/apis", AGGREGATED.replace("v=v2", "v=v9"))["kind"] == "APIGroupList"


def test_the_tag_changes_with_the_registry(discovery: Discovery, registry: Registry) -> None:
    tag = get(discovery, "/apis", AGGREGATED).headers["ETag"]
    assert get(discovery, "/apis", AGGREGATED, **{"If-None-Match": tag}).status == 304
    registry.add(kind("yard", "v1", "docks", "Dock"))
    changed = get(discovery, "/apis", AGGREGATED, **{"If-None-Match": tag})
    assert changed.status == 200
    assert changed.headers["ETag"] != tag
