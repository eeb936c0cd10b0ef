"""What is wrong with EnvoyFilters, and where."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.api.networking.envoy_filter_validation import validate
from lateen.api.schema.fault import Severity
from lateen.testing.envoy_filters import envoy_filter, patch, typed

HCM = "envoy.filters.network.http_connection_manager"
LUA = typed("lua", "filters.http.lua.v3.Lua", default_source_code={"inline_string": ""})
PATCH = "spec.configPatches[0]"


def faults(*patches: dict[str, Any], **spec: Any) -> list[tuple[Severity, str, str]]:
    """All but the warning that every EnvoyFilter has."""
    first, *found = validate(envoy_filter(*patches, **spec))
    assert (first.severity, first.path) == (Severity.WARNING, "")
    return [(fault.severity, fault.path, fault.message) for fault in found]


def listener_filter(name: str, sub_filter: str | None = None) -> dict[str, Any]:
    match: dict[str, Any] = {"name": name}
    if sub_filter is not None:
        match["subFilter"] = {"name": sub_filter}
    return {"filterChain": {"filter": match}}


@pytest.mark.parametrize(
    "good",
    [
        patch("HTTP_FILTER", "INSERT_FIRST", LUA, listener=listener_filter(HCM)),
        patch("HTTP_FILTER", "ADD", LUA, filterClass="AUTHZ"),
        patch("HTTP_FILTER", "REMOVE", listener=listener_filter(HCM, "lua")),
        patch("CLUSTER", "MERGE", {"connect_timeout": "5s", "lbPolicy": "RANDOM"}, cluster={"portNumber": 80}),
        patch("ROUTE_CONFIGURATION", "MERGE", {}, routeConfiguration={"name": "80"}),
        patch("VIRTUAL_HOST", "REPLACE", {"name": "x", "domains": ["x"]}),
        patch("EXTENSION_CONFIG", "ADD", LUA),
        patch("CLUSTER", "REMOVE", proxy={"proxyVersion": r"^1\.2.*"}),
    ],
)
def test_what_is_right(good: dict[str, Any]) -> None:
    assert faults(good) == []


@pytest.mark.parametrize(
    ("bad", "path", "message"),
    [
        ({"patch": {"operation": "ADD", "value": {}}}, f"{PATCH}.applyTo", "required"),
        ({"applyTo": "CLUSTER"}, f"{PATCH}.patch", "required"),
        ({"applyTo": "CLUSTER", "patch": {}}, f"{PATCH}.patch.operation", "required"),
        (patch("CLUSTER", "MERGE"), f"{PATCH}.patch.value", "required with operation MERGE"),
        (
            patch("CLUSTER", "REMOVE", proxy={"proxyVersion": "("}),
            f"{PATCH}.match.proxy.proxyVersion",
            "regular expression",
        ),
        (patch("CLUSTER", "REMOVE", listener={}), f"{PATCH}.match.listener", "expected cluster"),
        (patch("HTTP_ROUTE", "REMOVE", cluster={}), f"{PATCH}.match.cluster", "expected routeConfiguration"),
        (patch("LISTENER", "REMOVE", routeConfiguration={}), f"{PATCH}.match.routeConfiguration", "expected listener"),
        (
            patch("NETWORK_FILTER", "REMOVE", listener=listener_filter("")),
            f"{PATCH}.match.listener.filterChain.filter.name",
            "required",
        ),
        (
            patch("NETWORK_FILTER", "REMOVE", listener=listener_filter(HCM, "x")),
            f"{PATCH}.match.listener.filterChain.filter.subFilter",
            "only with HTTP_FILTER",
        ),
        (
            patch("HTTP_FILTER", "REMOVE", listener=listener_filter("envoy.filters.network.tcp_proxy", "x")),
            f"{PATCH}.match.listener.filterChain.filter.name",
            f"expected {HCM}",
        ),
        (
            patch("HTTP_FILTER", "REMOVE", listener=listener_filter(HCM, "")),
            f"{PATCH}.match.listener.filterChain.filter.subFilter.name",
            "required",
        ),
        (patch("CLUSTER", "MERGE", {"connect_timeout": "soon"}), f"{PATCH}.patch.value", "connect_timeout"),
        (patch("CLUSTER", "MERGE", {"lb_policy": "BEST"}), f"{PATCH}.patch.value", "BEST"),
        (patch("CLUSTER", "MERGE", {"load_assignment": []}), f"{PATCH}.patch.value.load_assignment", "an object"),
        (patch("CLUSTER", "MERGE", {"health_checks": {}}), f"{PATCH}.patch.value.health_checks", "a list"),
        (
            patch("HTTP_FILTER", "ADD", {"name": "x", "typed_config": {"inline_code": ""}}),
            f"{PATCH}.patch.value.typed_config",
            "@type",
        ),
    ],
)
def test_errors(bad: dict[str, Any], path: str, message: str) -> None:
    [(severity, where, what)] = faults(bad)
    assert (severity, where) == (Severity.ERROR, path)
    assert message in what


@pytest.mark.parametrize(
    ("odd", "path", "message"),
    [
        (
            patch("CLUSTER", "MERGE", {"nonsense": 1}),
            f"{PATCH}.patch.value.nonsense",
            "not a field of envoy.config.cluster.v3.Cluster",
        ),
        (
            patch("HTTP_FILTER", "ADD", {"name": "x", "typed_config": {"@type": "x.example/stats.PluginConfig"}}),
            f"{PATCH}.patch.value.typed_config",
            "no message of Envoy's API",
        ),
        (
            patch("HTTP_FILTER", "ADD", typed("x", "filters.http.nonsense.v9.X")),
            f"{PATCH}.patch.value.typed_config",
            "not known to this version",
        ),
        (
            patch(
                "HTTP_FILTER",
                "ADD",
                {"name": "x", "typed_config": {"@type": "type.googleapis.com/envoy.config.filter.http.x.v2.X"}},
            ),
            f"{PATCH}.patch.value.typed_config",
            "try the v3 API",
        ),
        (
            patch("HTTP_FILTER", "ADD", {"name": "envoy.filters.http.cors"}),
            f"{PATCH}.patch.value",
            "has no typed_config",
        ),
        (
            patch("HTTP_FILTER", "ADD", LUA, listener=listener_filter("envoy.http_connection_manager")),
            f"{PATCH}.match.listener.filterChain.filter.name",
            "deprecated filter name",
        ),
        (
            patch("HTTP_FILTER", "REMOVE", listener=listener_filter(HCM, "envoy.router")),
            f"{PATCH}.match.listener.filterChain.filter.subFilter.name",
            "deprecated filter name",
        ),
        (
            patch("LISTENER", "REMOVE", listener=listener_filter(HCM)),
            f"{PATCH}.match.listener.filterChain.filter",
            "no effect with applyTo LISTENER",
        ),
        (
            patch("LISTENER", "REMOVE", listener={"portName": "x"}),
            f"{PATCH}.match.listener.portName",
            "not implemented",
        ),
        (
            patch("LISTENER", "REMOVE", listener={"listenerFilter": "x"}),
            f"{PATCH}.match.listener.listenerFilter",
            "no effect",
        ),
        (
            patch("HTTP_FILTER", "REMOVE", listener=listener_filter(HCM)),
            f"{PATCH}.match",
            "without the name of a filter",
        ),
        (patch("CLUSTER", "ADD", {"type": "STATIC"}), f"{PATCH}.patch.value.name", "cannot be added"),
        (patch("CLUSTER", "REMOVE", context="WAYPOINT"), f"{PATCH}.match", "waypoints are not supported yet"),
        (patch("BOOTSTRAP", "MERGE", {}), f"{PATCH}.applyTo", "not supported yet"),
        (patch("EXTENSION_CONFIG", "MERGE", LUA), f"{PATCH}.patch.operation", "use ADD or REPLACE"),
        (patch("CLUSTER", "REMOVE", {"name": "x"}), f"{PATCH}.patch.value", "no effect with REMOVE"),
        (patch("CLUSTER", "ADD", {"name": "x"}, filterClass="AUTHZ"), f"{PATCH}.patch.filterClass", "no effect"),
    ],
)
def test_warnings(odd: dict[str, Any], path: str, message: str) -> None:
    [(severity, where, what)] = faults(odd)
    assert (severity, where) == (Severity.WARNING, path)
    assert message in what


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        (patch("HTTP_FILTER", "INSERT_BEFORE", LUA), "IST0151"),
        (patch("CLUSTER", "REPLACE", {"name": "x"}), "IST0152"),
        (patch("ROUTE_CONFIGURATION", "ADD", {}), "IST0153"),
        (patch("ROUTE_CONFIGURATION", "REMOVE"), "IST0154"),
        (patch("HTTP_FILTER", "INSERT_AFTER", LUA, proxy={"proxyVersion": "1"}), "IST0155"),
    ],
)
def test_analyzer_codes(odd: dict[str, Any], code: str) -> None:
    assert [fault.code for fault in validate(envoy_filter(odd)) if fault.code] == [code]


def test_a_priority_makes_relative_operations_safe() -> None:
    assert faults(patch("HTTP_FILTER", "INSERT_BEFORE", LUA), priority=1) == []


def test_selectors_and_targets() -> None:
    good = patch("CLUSTER", "REMOVE")
    [(_, path, _)] = faults(good, workloadSelector={})
    assert path == "spec.workloadSelector"
    assert faults(good, workloadSelector={"labels": {"a": "b"}}) == []
    gateway = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "x"}
    assert faults(good, targetRefs=[gateway]) == []
    [(_, path, message)] = faults(good, targetRefs=[gateway, {"kind": "Service", "name": "x"}])
    assert (path, "not supported yet" in message) == ("spec.targetRefs[1]", True)


def test_one_wrong_patch_does_not_hide_another() -> None:
    wrong = patch("CLUSTER", "MERGE", {"connect_timeout": "soon"})
    assert [path for _, path, _ in faults(wrong, wrong)] == [
        "spec.configPatches[0].patch.value",
        "spec.configPatches[1].patch.value",
    ]
