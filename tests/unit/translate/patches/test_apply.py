"""Patches applied to listings: what is touched, what stays shared; clusters; extension configurations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2

from lateen.api.objects import Key, ObjectRef
from lateen.model.endpoint import Locality
from lateen.model.fault import ConfigError
from lateen.model.proxy import GatewayView, InboundView, OutboundView, PatchSet, Traits
from lateen.testing.envoy_filters import patch, typed
from lateen.translate.patches.apply import misfits_of
from lateen.translate.resource import ResourceType

CDS, LDS, ECDS = ResourceType.CDS, ResourceType.LDS, ResourceType.ECDS

NAME = Key("default", "patches")
SETS = (PatchSet(NAME),)
OUTBOUND = OutboundView("default", (), None, Locality(), "", "", "", Traits(), SETS)
INBOUND = InboundView("default", (), "default", None, "", "", Traits(), patches=SETS)
GATEWAY = GatewayView("default", (), "default", Locality(), "", "", "", Traits(), SETS)

A = "outbound|80||a.default.svc.cluster.local"
A_V1 = "outbound|80|v1|a.default.svc.cluster.local"
B = "outbound|81||b.default.svc.cluster.local"
ALL = {A, A_V1, B, "PassthroughCluster"}
MARK = {"alt_stat_name": "x"}

Worlds = Callable[..., Any]


def marked(found: dict[str, Any]) -> set[str]:
    return {name for name, each in found.items() if each.alt_stat_name == "x"}


# --- sharing ------------------------------------------------------------------------------------------------------


def test_what_no_patch_touches_keeps_its_recipe(world: Worlds) -> None:
    it = world(patch("CLUSTER", "MERGE", MARK, cluster={"portNumber": 81}))
    before = it.unpatched(CDS, OUTBOUND)
    assert {name for name, recipe in it.listing(CDS, OUTBOUND).items() if recipe != before[name]} == {B}
    assert it.listing(LDS, OUTBOUND) == it.unpatched(LDS, OUTBOUND)
    assert it.listing(CDS, INBOUND) == it.unpatched(CDS, INBOUND)


def test_an_edited_value_changes_what_it_touches_and_no_listing(world: Worlds) -> None:
    it = world(patch("CLUSTER", "MERGE", {"alt_stat_name": "x"}, cluster={"portNumber": 81}))
    before = it.resources(CDS, OUTBOUND)
    computed = it.computed_listings()
    it.set(patch("CLUSTER", "MERGE", {"alt_stat_name": "y"}, cluster={"portNumber": 81}))
    after = it.resources(CDS, OUTBOUND)
    assert {name for name in before if before[name] != after[name]} == {B}
    assert it.computed_listings() == computed


def test_patches_of_another_context_are_not_applied(world: Worlds) -> None:
    it = world(patch("CLUSTER", "MERGE", MARK, context="GATEWAY"))
    assert it.listing(CDS, OUTBOUND) == it.unpatched(CDS, OUTBOUND)
    assert marked(it.messages(CDS, GATEWAY)) == ALL


def test_excluded_patches_are_not_applied(world: Worlds) -> None:
    it = world(patch("CLUSTER", "MERGE", MARK), patch("CLUSTER", "MERGE", {"lb_policy": "RANDOM"}))
    view = OutboundView("default", (), None, Locality(), "", "", "", Traits(), (PatchSet(NAME, (0,)),))
    found = it.messages(CDS, view, judged=False)
    assert marked(found) == set()
    assert {each.lb_policy for each in found.values()} == {cluster_pb2.Cluster.RANDOM}


def test_what_cannot_be_made_is_still_listed_and_errs(world: Worlds) -> None:
    it = world(patch("CLUSTER", "MERGE", MARK), patch("CLUSTER", "REMOVE", cluster={"name": A}))
    recipe = it.listing(CDS, OUTBOUND)["erring"]
    with pytest.raises(ConfigError, match="cannot be"):
        it.engine.get(recipe.query, *recipe.args)


def test_a_wrong_value_is_left_out_alone(world: Worlds) -> None:
    it = world(patch("CLUSTER", "MERGE", {"connect_timeout": "never"}), patch("CLUSTER", "MERGE", MARK))
    assert marked(it.messages(CDS, OUTBOUND)) == ALL


def test_an_empty_merge_changes_no_bytes(world: Worlds) -> None:
    it = world(patch("CLUSTER", "MERGE", {}), patch("LISTENER", "MERGE", {}), patch("HTTP_FILTER", "MERGE", {}))
    for type_, view in ((CDS, OUTBOUND), (CDS, INBOUND), (LDS, OUTBOUND), (LDS, INBOUND)):
        before = {
            name: it.engine.get(recipe.query, *recipe.args)
            for name, recipe in it.unpatched(type_, view).items()
            if name != "erring"
        }
        assert it.resources(type_, view) == before


# --- clusters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, ALL),
        ({"portNumber": 80}, {A, A_V1}),
        ({"subset": "v1"}, {A_V1}),
        ({"service": "b.default.svc.cluster.local"}, {B}),
        ({"service": "a.default.svc.cluster.local", "portNumber": 81}, set()),
        ({"name": "PassthroughCluster", "portNumber": 7}, {"PassthroughCluster"}),
    ],
)
def test_matches_of_clusters(world: Worlds, match: dict[str, Any], expected: set[str]) -> None:
    assert marked(world(patch("CLUSTER", "MERGE", MARK, cluster=match)).messages(CDS, OUTBOUND)) == expected
    left = world(patch("CLUSTER", "REMOVE", cluster=match)).listing(CDS, OUTBOUND)
    assert left.keys() - {"erring"} == ALL - expected


def test_an_inbound_cluster_matches_by_its_services(world: Worlds) -> None:
    for service, expected in (("a.default.svc.cluster.local", set()), ("b", {"inbound|8080||"})):
        it = world(patch("CLUSTER", "REMOVE", cluster={"service": service}))
        assert it.listing(CDS, INBOUND).keys() == expected


def test_a_cluster_for_any_context_is_added_once_per_proxy(world: Worlds) -> None:
    it = world(patch("CLUSTER", "ADD", {"name": "added", "type": "STATIC"}))
    assert "added" in it.messages(CDS, OUTBOUND)
    assert "added" in it.messages(CDS, GATEWAY)
    assert "added" not in it.listing(CDS, INBOUND)


def test_a_cluster_is_added_inbound_when_it_says_so(world: Worlds) -> None:
    it = world(patch("CLUSTER", "ADD", {"name": "added", "type": "STATIC"}, context="SIDECAR_INBOUND"))
    assert "added" in it.messages(CDS, INBOUND)
    assert "added" not in it.listing(CDS, OUTBOUND)


def test_an_added_cluster_does_not_drive_out_a_generated_one(world: Worlds) -> None:
    it = world(patch("CLUSTER", "ADD", {"name": "PassthroughCluster", "type": "STATIC"}))
    assert it.messages(CDS, OUTBOUND)["PassthroughCluster"].type == cluster_pb2.Cluster.ORIGINAL_DST


def test_transport_sockets_merge_inside(world: Worlds) -> None:
    socket = typed(
        "envoy.transport_sockets.tls",
        "transport_sockets.tls.v3.UpstreamTlsContext",
        common_tls_context={"alpn_protocols": ["z"]},
    )
    found = world(patch("CLUSTER", "MERGE", {"transport_socket": socket, **MARK})).messages(CDS, OUTBOUND)
    context = tls_pb2.UpstreamTlsContext()
    assert found[B].transport_socket_matches[0].transport_socket.typed_config.Unpack(context)
    assert (context.sni, list(context.common_tls_context.alpn_protocols)) == ("b", ["z"])
    assert not found[B].HasField("transport_socket")
    assert found[A].transport_socket.name == "envoy.transport_sockets.tls"
    assert marked(found) == ALL


def test_a_transport_socket_of_another_type_is_left_out_and_told_of(world: Worlds) -> None:
    socket = typed("envoy.transport_sockets.tls", "transport_sockets.raw_buffer.v3.RawBuffer")
    it = world(
        patch("CLUSTER", "MERGE", {"transport_socket": socket}, cluster={"portNumber": 81}),
        patch("CLUSTER", "MERGE", MARK),
    )
    assert marked(it.messages(CDS, OUTBOUND)) == ALL
    [(ref, fault)] = it.engine.get(misfits_of, tuple(it.listing(CDS, OUTBOUND).values()))
    assert ref == ObjectRef("EnvoyFilter", NAME)
    assert fault.path == "spec.configPatches[0].patch.value"
    assert "RawBuffer cannot be merged into" in fault.message


@pytest.mark.parametrize(("operation", "expected"), [("MERGE", ["tls", "none"]), ("MERGE_AND_REPLACE_LIST", ["none"])])
def test_lists_are_appended_to_or_replaced(world: Worlds, operation: str, expected: list[str]) -> None:
    raw = typed("envoy.transport_sockets.raw_buffer", "transport_sockets.raw_buffer.v3.RawBuffer")
    value = {"transport_socket_matches": [{"name": "none", "match": {}, "transport_socket": raw}]}
    found = world(patch("CLUSTER", operation, value, cluster={"portNumber": 81})).messages(CDS, OUTBOUND)
    assert [each.name for each in found[B].transport_socket_matches] == expected


# --- extension configurations -------------------------------------------------------------------------------------


def test_extension_configurations_are_listed_by_name_and_the_last_wins(world: Worlds) -> None:
    first, second = (
        typed("lua", "filters.http.lua.v3.Lua", default_source_code={"inline_string": code})
        for code in ("-- 1", "-- 2")
    )
    router = typed("a", "filters.http.router.v3.Router")
    it = world(
        patch("EXTENSION_CONFIG", "ADD", first),
        patch("EXTENSION_CONFIG", "ADD", router),
        patch("EXTENSION_CONFIG", "REPLACE", second),
    )
    found = it.messages(ECDS, OUTBOUND)
    assert list(found) == ["a", "lua"]
    assert b"-- 2" in found["lua"].typed_config.value
    assert it.listing(ECDS, INBOUND) == {}
