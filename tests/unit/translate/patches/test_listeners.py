"""Patches of listeners, listener filters, filter chains, network filters and HTTP filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2

from lateen.api.objects import Key
from lateen.model.endpoint import Locality
from lateen.model.proxy import InboundView, OutboundView, PatchSet, Traits, View
from lateen.testing.envoy_filters import patch, typed
from lateen.translate.resource import ResourceType

LDS = ResourceType.LDS

SETS = (PatchSet(Key("default", "patches")),)
OUTBOUND = OutboundView("default", (), None, Locality(), "", "", "", Traits(), SETS)
INBOUND = InboundView("default", (), "default", None, "", "", Traits(), patches=SETS)

HCM = "envoy.filters.network.http_connection_manager"
MANAGER = "filters.network.http_connection_manager.v3.HttpConnectionManager"
INSPECTOR = "envoy.filters.listener.tls_inspector"
HTTP, TCP = "0.0.0.0_80", "10.0.0.1_443"
NEW_TCP = typed(
    "envoy.filters.network.tcp_proxy", "filters.network.tcp_proxy.v3.TcpProxy", stat_prefix="y", cluster="y"
)
LUA = typed("lua", "filters.http.lua.v3.Lua", default_source_code={"inline_string": ""})

Worlds = Callable[..., Any]


def names(items: Any) -> list[str]:
    """Last parts of names."""
    return [each.name.rpartition(".")[2] for each in items]


def manager(listener: Any) -> Any:
    found = http_connection_manager_pb2.HttpConnectionManager()
    config = next(each for each in listener.filter_chains[0].filters if each.name == HCM).typed_config
    assert config.Unpack(found)
    return found


def filter_match(name: str, sub_filter: str = "", **listener: Any) -> dict[str, Any]:
    match: dict[str, Any] = {"name": name}
    if sub_filter:
        match["subFilter"] = {"name": sub_filter}
    return {**listener, "filterChain": {"filter": match}}


# --- listeners ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, set()),
        ({"portNumber": 80}, {TCP}),
        ({"name": TCP}, {HTTP}),
        ({"name": TCP, "portNumber": 80}, {HTTP, TCP}),
    ],
)
def test_listeners_are_removed(world: Worlds, match: dict[str, Any], expected: set[str]) -> None:
    assert world(patch("LISTENER", "REMOVE", listener=match)).listing(LDS, OUTBOUND).keys() == expected


def test_listeners_are_merged_and_added(world: Worlds) -> None:
    added = {
        "name": "added",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 7}},
        "filter_chains": [{"filters": [NEW_TCP]}],
    }
    it = world(
        patch("LISTENER", "MERGE", {"stat_prefix": "x"}, listener={"portNumber": 443}),
        patch("LISTENER", "INSERT_FIRST", added),
    )
    found = it.messages(LDS, OUTBOUND)
    assert {name: each.stat_prefix for name, each in found.items()} == {HTTP: "", TCP: "x", "added": ""}
    assert "added" not in it.listing(LDS, INBOUND)


# --- filter chains ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "left"),
    [
        ({"portNumber": 8080}, ["9090", "default"]),
        ({"filterChain": {"name": "9090"}}, ["8080", "default"]),
        ({"filterChain": {"sni": "a.example"}}, ["8080", "default"]),
        ({"filterChain": {"sni": "b.example"}}, ["8080", "9090", "default"]),
        ({"filterChain": {"transportProtocol": "tls"}}, ["8080", "default"]),
        ({"filterChain": {"applicationProtocols": "http/1.1,h2c"}}, ["9090", "default"]),
        ({"filterChain": {"applicationProtocols": "http/1.1,h2"}}, ["8080", "9090", "default"]),
        ({"filterChain": {"destinationPort": 9090}}, ["8080", "default"]),
        ({}, []),
    ],
)
def test_matches_of_filter_chains(world: Worlds, match: dict[str, Any], left: list[str]) -> None:
    it = world(patch("FILTER_CHAIN", "REMOVE", listener=match))
    found = it.messages(LDS, INBOUND, judged=bool(left))["virtualInbound"]
    chains = names(found.filter_chains) + (["default"] if found.HasField("default_filter_chain") else [])
    assert chains == left


def test_filter_chains_are_merged_and_added(world: Worlds) -> None:
    added = {"name": "added", "filter_chain_match": {"destination_port": 7}, "filters": [NEW_TCP]}
    it = world(
        patch(
            "FILTER_CHAIN",
            "MERGE",
            {"transport_socket_connect_timeout": "3s"},
            listener={"filterChain": {"name": "9090"}},
        ),
        patch("FILTER_CHAIN", "ADD", added, listener={"name": "virtualInbound"}),
    )
    found = it.messages(LDS, INBOUND)["virtualInbound"].filter_chains
    assert names(found) == ["8080", "9090", "added"]
    assert [each.transport_socket_connect_timeout.seconds for each in found] == [0, 3, 0]


def test_a_transport_socket_is_merged_into_that_of_a_chain(world: Worlds) -> None:
    def socket(**fields: Any) -> dict[str, Any]:
        tls = typed("tls", "transport_sockets.tls.v3.DownstreamTlsContext", **fields)
        return {"transport_socket": tls}

    match = {"filterChain": {"name": "9090"}}
    it = world(
        patch("FILTER_CHAIN", "MERGE", socket(require_client_certificate=True), listener=match),
        patch("FILTER_CHAIN", "MERGE", socket(session_timeout="3s"), listener=match),
    )
    chain = it.messages(LDS, INBOUND, judged=False)["virtualInbound"].filter_chains[1]
    alone = world(patch("FILTER_CHAIN", "MERGE", socket(require_client_certificate=True), listener=match))
    before = alone.messages(LDS, INBOUND, judged=False)["virtualInbound"].filter_chains[1]
    assert chain.transport_socket.typed_config.value.startswith(before.transport_socket.typed_config.value)
    assert len(chain.transport_socket.typed_config.value) > len(before.transport_socket.typed_config.value)


# --- listener filters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "match", "expected"),
    [
        ("ADD", "", ["tls_inspector", "new"]),
        ("INSERT_FIRST", "", ["new", "tls_inspector"]),
        ("INSERT_BEFORE", "", ["new", "tls_inspector"]),
        ("INSERT_AFTER", "", ["tls_inspector", "new"]),
        ("INSERT_BEFORE", INSPECTOR, ["new", "tls_inspector"]),
        ("INSERT_AFTER", INSPECTOR, ["tls_inspector", "new"]),
        ("INSERT_AFTER", "none", ["tls_inspector"]),
        ("REPLACE", INSPECTOR, ["new"]),
        ("REPLACE", "", ["tls_inspector"]),
        ("REMOVE", INSPECTOR, []),
        ("REMOVE", "", ["tls_inspector"]),
    ],
)
def test_operations_on_listener_filters(world: Worlds, operation: str, match: str, expected: list[str]) -> None:
    value = typed("new", "filters.listener.http_inspector.v3.HttpInspector") if operation != "REMOVE" else None
    it = world(patch("LISTENER_FILTER", operation, value, listener={"listenerFilter": match} if match else {}))
    assert names(it.messages(LDS, INBOUND)["virtualInbound"].listener_filters) == expected


def test_listener_filters_are_merged_inside(world: Worlds) -> None:
    value = typed("", "filters.listener.tls_inspector.v3.TlsInspector", enable_ja3_fingerprinting=True)
    it = world(patch("LISTENER_FILTER", "MERGE", value, listener={"listenerFilter": INSPECTOR}))
    [found] = it.messages(LDS, INBOUND)["virtualInbound"].listener_filters
    assert found.name == INSPECTOR
    assert found.typed_config.value


# --- network filters ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "match", "expected"),
    [
        ("ADD", "", ["new", "tcp_proxy"]),
        ("INSERT_FIRST", "", ["new", "tcp_proxy"]),
        ("INSERT_BEFORE", "envoy.filters.network.tcp_proxy", ["new", "tcp_proxy"]),
        ("INSERT_AFTER", "", ["new", "tcp_proxy"]),
        ("REMOVE", "none", ["tcp_proxy"]),
        ("REMOVE", "", ["tcp_proxy"]),
    ],
)
def test_operations_on_network_filters(world: Worlds, operation: str, match: str, expected: list[str]) -> None:
    value = typed("new", "filters.network.rbac.v3.RBAC", stat_prefix="x") if operation != "REMOVE" else None
    listener = filter_match(match, portNumber=443) if match else {"portNumber": 443}
    found = world(patch("NETWORK_FILTER", operation, value, listener=listener)).messages(LDS, OUTBOUND)
    assert names(found[TCP].filter_chains[0].filters) == expected
    assert names(found[HTTP].filter_chains[0].filters) == ["http_connection_manager"]


def test_a_network_filter_is_replaced(world: Worlds) -> None:
    echo = typed("envoy.filters.network.echo", "filters.network.echo.v3.Echo")
    it = world(patch("NETWORK_FILTER", "REPLACE", echo, listener=filter_match("envoy.filters.network.tcp_proxy")))
    assert names(it.messages(LDS, OUTBOUND)[TCP].filter_chains[0].filters) == ["echo"]


def test_a_chain_that_loses_all_its_filters_is_gone(world: Worlds) -> None:
    it = world(patch("NETWORK_FILTER", "REMOVE", listener=filter_match("envoy.filters.network.tcp_proxy")))
    found = it.messages(LDS, INBOUND)["virtualInbound"]
    assert names(found.filter_chains) == ["8080"]
    assert not found.HasField("default_filter_chain")


def test_a_connection_manager_is_merged(world: Worlds) -> None:
    value = typed(HCM, MANAGER, server_name="me", common_http_protocol_options={"idle_timeout": "30s"})
    it = world(patch("NETWORK_FILTER", "MERGE", value, listener=filter_match(HCM, portNumber=80)))
    found = manager(it.messages(LDS, OUTBOUND)[HTTP])
    assert (found.server_name, found.stat_prefix) == ("me", "x")
    assert found.common_http_protocol_options.idle_timeout.seconds == 30
    assert names(found.http_filters) == ["cors", "router"]


def test_lists_within_a_filter_are_replaced(world: Worlds) -> None:
    value = typed(HCM, MANAGER, http_filters=[typed("router", "filters.http.router.v3.Router")])
    it = world(patch("NETWORK_FILTER", "MERGE_AND_REPLACE_LIST", value, listener=filter_match(HCM, portNumber=80)))
    found = manager(it.messages(LDS, OUTBOUND)[HTTP])
    assert found.stat_prefix == "x"
    assert [each.name for each in found.http_filters] == ["router"]


# --- HTTP filters -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "sub_filter", "expected"),
    [
        ("ADD", "", ["cors", "lua", "router"]),
        ("INSERT_FIRST", "", ["lua", "cors", "router"]),
        ("INSERT_FIRST", "envoy.filters.http.router", ["lua", "cors", "router"]),
        ("INSERT_FIRST", "none", ["cors", "router"]),
        ("INSERT_BEFORE", "", ["lua", "cors", "router"]),
        ("INSERT_BEFORE", "envoy.filters.http.router", ["cors", "lua", "router"]),
        ("INSERT_AFTER", "", ["cors", "lua", "router"]),
        ("INSERT_AFTER", "envoy.filters.http.cors", ["cors", "lua", "router"]),
        ("REPLACE", "envoy.filters.http.cors", ["lua", "router"]),
        ("REPLACE", "", ["cors", "router"]),
        ("REMOVE", "envoy.filters.http.cors", ["router"]),
        ("REMOVE", "", ["cors", "router"]),
    ],
)
@pytest.mark.parametrize(("view", "listener"), [(OUTBOUND, HTTP), (INBOUND, "virtualInbound")], ids=["out", "in"])
def test_operations_on_http_filters(
    world: Worlds, view: View, listener: str, operation: str, sub_filter: str, expected: list[str]
) -> None:
    value = LUA if operation != "REMOVE" else None
    it = world(patch("HTTP_FILTER", operation, value, listener=filter_match(HCM, sub_filter)))
    assert names(manager(it.messages(LDS, view)[listener]).http_filters) == expected


def test_http_filters_go_where_the_patch_says_and_nowhere_else(world: Worlds) -> None:
    it = world(patch("HTTP_FILTER", "INSERT_FIRST", LUA, listener=filter_match("envoy.filters.network.tcp_proxy")))
    assert names(manager(it.messages(LDS, OUTBOUND)[HTTP]).http_filters) == ["cors", "router"]


@pytest.mark.parametrize(
    ("class_", "expected"),
    [
        ("AUTHN", ["lua", "cors", "router"]),
        ("AUTHZ", ["lua", "cors", "router"]),
        ("STATS", ["cors", "lua", "router"]),
    ],
)
def test_filter_classes_without_filters_of_that_class(world: Worlds, class_: str, expected: list[str]) -> None:
    it = world(patch("HTTP_FILTER", "ADD", LUA, filterClass=class_))
    assert names(manager(it.messages(LDS, OUTBOUND)[HTTP]).http_filters) == expected


def test_filter_classes_go_by_the_filters_that_are_there(world: Worlds) -> None:
    it = world(
        patch("HTTP_FILTER", "INSERT_FIRST", typed("envoy.filters.http.rbac", "filters.http.rbac.v3.RBAC")),
        patch(
            "HTTP_FILTER",
            "INSERT_FIRST",
            typed("envoy.filters.http.jwt_authn", "filters.http.jwt_authn.v3.JwtAuthentication"),
        ),
        patch("HTTP_FILTER", "ADD", {**LUA, "name": "authz"}, filterClass="AUTHZ"),
        patch("HTTP_FILTER", "ADD", {**LUA, "name": "authn"}, filterClass="AUTHN"),
    )
    found = names(manager(it.messages(LDS, OUTBOUND)[HTTP]).http_filters)
    assert found == ["jwt_authn", "authn", "rbac", "authz", "cors", "router"]


def test_http_filters_are_merged_inside(world: Worlds) -> None:
    value = typed("", "filters.http.router.v3.Router", suppress_envoy_headers=True)
    it = world(patch("HTTP_FILTER", "MERGE", value, listener=filter_match(HCM, "envoy.filters.http.router")))
    found = manager(it.messages(LDS, OUTBOUND)[HTTP]).http_filters
    assert names(found) == ["cors", "router"]
    assert [bool(each.typed_config.value) for each in found] == [False, True]


def test_a_filter_that_a_stock_envoy_does_not_know_is_left_out_alone(world: Worlds) -> None:
    value = {"name": "stats", "typed_config": {"@type": "type.googleapis.com/stats.PluginConfig"}}
    it = world(patch("HTTP_FILTER", "INSERT_FIRST", value), patch("HTTP_FILTER", "INSERT_FIRST", LUA))
    assert names(manager(it.messages(LDS, OUTBOUND)[HTTP]).http_filters) == ["lua", "cors", "router"]


def test_an_unknown_type_is_passed_to_envoy_as_a_typed_struct(world: Worlds) -> None:
    value = {
        "name": "new",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.newer.v3.Newer", "a": 1},
    }
    it = world(patch("HTTP_FILTER", "INSERT_FIRST", value))
    [first, *_] = manager(it.messages(LDS, OUTBOUND, judged=False)[HTTP]).http_filters
    assert first.typed_config.TypeName() == "xds.type.v3.TypedStruct"
    assert b"newer.v3.Newer" in first.typed_config.value


# --- order --------------------------------------------------------------------------------------------------------


def test_patches_apply_in_their_order(world: Worlds) -> None:
    it = world(
        patch("HTTP_FILTER", "INSERT_FIRST", {**LUA, "name": "a"}),
        patch("HTTP_FILTER", "INSERT_BEFORE", {**LUA, "name": "b"}, listener=filter_match(HCM, "a")),
        patch("HTTP_FILTER", "REMOVE", listener=filter_match(HCM, "envoy.filters.http.cors")),
    )
    assert names(manager(it.messages(LDS, OUTBOUND)[HTTP]).http_filters) == ["b", "a", "router"]
