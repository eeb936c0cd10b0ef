"""Envoy's messages by name and from JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.api.envoy.messages import message_class
from lateen.api.envoy.values import build
from lateen.api.schema.fault import Severity

CLUSTER = "envoy.config.cluster.v3.Cluster"
FILTER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter"


@pytest.mark.parametrize(
    "name",
    [
        CLUSTER,
        "envoy.config.cluster.v3.Cluster.CommonLbConfig",
        "envoy.extensions.filters.http.lua.v3.Lua",
        "xds.type.v3.TypedStruct",
        "udpa.type.v1.TypedStruct",
        "google.protobuf.Struct",
    ],
)
def test_messages_are_found_by_name(name: str) -> None:
    found = message_class(name)
    assert found is not None
    assert found.DESCRIPTOR.full_name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Cluster",
        "envoy.config.cluster.v3.Nonsense",
        "envoy.nonsense.v1.X",
        "os.path.X",
        "lateen.cli.main.X",
        "envoy.config..X",
        "envoy.config.cluster.v3.",
        "envoy._main.X",
    ],
)
def test_nothing_else_is(name: str) -> None:
    assert message_class(name) is None


def built(name: str, value: dict[str, Any]) -> Any:
    message, faults = build(name, value, "value")
    assert faults == ()
    return message


def test_both_spellings_of_fields() -> None:
    assert built(CLUSTER, {"connect_timeout": "5s"}) == built(CLUSTER, {"connectTimeout": "5s"})


def test_maps_lists_and_well_known_types() -> None:
    message = built(
        CLUSTER,
        {
            "metadata": {"filter_metadata": {"a": {"x": [1, {"y": None}]}}},
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": {"http2_protocol_options": {}},
                }
            },
            "health_checks": [{"timeout": "1s", "alt_port": 7}],
            "per_connection_buffer_limit_bytes": 5,
            "alt_stat_name": None,
        },
    )
    assert message.health_checks[0].alt_port.value == 7
    assert message.metadata.filter_metadata["a"]["x"][0] == 1
    assert len(message.typed_extension_protocol_options) == 1


def test_unknown_fields_are_left_out_wherever_they_are() -> None:
    value = {
        "nonsense": 1,
        "health_checks": [{"timeout": "1s", "nonsense": {}}],
        "typed_extension_protocol_options": {
            "a": {"@type": "type.googleapis.com/envoy.config.core.v3.Http2ProtocolOptions", "nonsense": 1}
        },
    }
    message, faults = build(CLUSTER, value, "value")
    assert message.health_checks[0].timeout.seconds == 1
    assert [fault.path for fault in faults] == [
        "value.nonsense",
        "value.health_checks[0].nonsense",
        "value.typed_extension_protocol_options[a].nonsense",
    ]
    assert {fault.severity for fault in faults} == {Severity.WARNING}


def test_a_typed_struct_stays_what_it_is() -> None:
    value = {
        "name": "x",
        "typed_config": {
            "@type": "type.googleapis.com/xds.type.v3.TypedStruct",
            "type_url": "type.googleapis.com/envoy.extensions.filters.http.new.v3.New",
            "value": {"a": {"b": 1}},
        },
    }
    assert built(FILTER, value).typed_config.TypeName() == "xds.type.v3.TypedStruct"


def test_an_unknown_type_becomes_a_typed_struct() -> None:
    value = {"name": "x", "typed_config": {"@type": "type.googleapis.com/envoy.new.v3.X", "a": [1]}}
    message, [fault] = build(FILTER, value, "value")
    assert fault.path == "value.typed_config"
    held = message_class("xds.type.v3.TypedStruct").FromString(message.typed_config.value)
    assert held.type_url == "type.googleapis.com/envoy.new.v3.X"
    assert held.value["a"][0] == 1


def test_a_type_that_is_not_envoys_is_left_out() -> None:
    value = {"name": "x", "typed_config": {"@type": "type.googleapis.com/stats.PluginConfig"}}
    message, [fault] = build(FILTER, value, "value")
    assert message is None
    assert (fault.severity, fault.path) == (Severity.WARNING, "value.typed_config")
    assert "stats.PluginConfig is no message of Envoy's API" in fault.message


@pytest.mark.parametrize("type_", ["xds.type.v3.TypedStruct", "udpa.type.v1.TypedStruct"])
def test_a_typed_struct_of_what_is_known_becomes_the_message(type_: str) -> None:
    def struct(inner: dict[str, Any]) -> dict[str, Any]:
        url = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
        return {"name": "x", "typed_config": {"@type": f"type.googleapis.com/{type_}", "type_url": url, "value": inner}}

    assert built(FILTER, struct({"dynamic_stats": False})).typed_config.TypeName().endswith("router.v3.Router")
    for unknown in ({"nonsense": 1}, {"upstream_log": 7}):
        assert built(FILTER, struct(unknown)).typed_config.TypeName() == type_


def test_too_deep_a_value() -> None:
    deep: dict[str, Any] = {"any": True}
    for _ in range(100):
        deep = {"not_rule": deep}
    message, faults = build("envoy.config.rbac.v3.Permission", deep, "value")
    assert message is None
    assert faults[-1].message == "nested too deeply"


def test_an_unknown_message() -> None:
    message, [fault] = build("envoy.Nonsense", {}, "value")
    assert message is None
    assert fault.severity is Severity.ERROR


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["name", "typed_config", "@type", "metadata", "health_checks", "timeout", "filter_metadata"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["name", "metadata", "health_checks", "connect_timeout", "type"]), json_values))
def test_any_json_is_a_message_or_a_fault(value: dict[str, Any]) -> None:
    message, faults = build(CLUSTER, value, "value")
    if any(fault.severity is Severity.ERROR for fault in faults):
        assert message is None
    assert message is not None or faults
