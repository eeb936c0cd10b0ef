from __future__ import annotations

from typing import Any

import pytest

from lateen.api.kinds import kind_of
from lateen.api.parse import parse_as
from lateen.api.schema.fault import Severity

DIGEST = "0123456789abcdef" * 4


def faults(kind_name: str, spec: dict[str, Any]) -> list[tuple[str, str, Severity]]:
    kind = kind_of("extensions.istio.io/v1alpha1", kind_name)
    assert kind is not None
    parsed = parse_as(kind, {"metadata": {"name": "a"}, "spec": spec})
    return [(fault.path, fault.message, fault.severity) for fault in parsed.faults]


@pytest.mark.parametrize(
    "url", ["oci://r/i:v1", "r.io/i:latest", "file:///a.wasm", "https://a/b.wasm", f"r/i@sha256:{DIGEST}"]
)
def test_modules_come_from_these_places(url: str) -> None:
    assert faults("WasmPlugin", {"url": url}) == []
    assert faults("TrafficExtension", {"wasm": {"url": url}}) == []


@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        ({}, "spec.url", "missing"),
        ({"url": "s3://a/b"}, "spec.url", "the scheme must be one of http, https, file, oci"),
        ({"url": "a", "sha256": "abc"}, "spec.sha256", "expected a string that matches"),
        ({"url": "a", "match": [{"ports": [{"number": 0}]}]}, "spec.match[0].ports[0].number", "expected at least 1"),
        ({"url": "a", "match": [{"ports": [{"number": 1}] * 2}]}, "spec.match[0].ports[1]", "the same number 1"),
        ({"url": "a", "vmConfig": {"env": [{"name": "a"}] * 2}}, "spec.vmConfig.env[1]", "the same name 'a'"),
        (
            {"url": "a", "vmConfig": {"env": [{"name": "a", "valueFrom": "HOST", "value": "b"}]}},
            "spec.vmConfig.env[0]",
            "value may be set only when valueFrom is INLINE",
        ),
        ({"url": "a", "pluginConfig": 5}, "spec.pluginConfig", "expected an object"),
        ({"url": "a", "targetRefs": [{"kind": "Pod", "name": "a"}]}, "spec.targetRefs[0].kind", "expected one of"),
    ],
)
def test_bad_plugins_are_told_where(spec: dict[str, Any], path: str, message: str) -> None:
    ((where, what, severity),) = faults("WasmPlugin", spec)
    assert (where, severity) == (path, Severity.ERROR)
    assert what.startswith(message)


@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        ({"url": "a", "verificationKey": "k"}, "spec.verificationKey", "not supported yet"),
        ({"url": f"r/a@sha256:{DIGEST}", "sha256": DIGEST[::-1]}, "spec.sha256", "differs from the digest in the URL"),
        ({"url": "a", "selector": {}}, "spec.selector", "the selector has no labels"),
    ],
)
def test_doubtful_plugins_are_warned_about(spec: dict[str, Any], path: str, message: str) -> None:
    ((where, what, severity),) = faults("WasmPlugin", spec)
    assert (where, severity) == (path, Severity.WARNING)
    assert what.startswith(message)


def test_an_extension_is_either_wasm_or_lua() -> None:
    lua = {"inlineCode": "function envoy_on_request(handle) end"}
    assert faults("TrafficExtension", {"lua": lua}) == []
    for spec in ({}, {"lua": lua, "wasm": {"url": "a"}}):
        ((path, message, _),) = faults("TrafficExtension", spec)
        assert (path, message) == ("spec", "exactly one of wasm and lua must be set")


def test_a_script_without_handlers_is_warned_about() -> None:
    ((path, _, severity),) = faults("TrafficExtension", {"lua": {"inlineCode": "x = 1"}})
    assert (path, severity) == ("spec.lua.inlineCode", Severity.WARNING)
