from __future__ import annotations

from typing import Any

import pytest

from lateen.api.kinds import kind_of
from lateen.api.parse import parse_as
from lateen.api.schema.fault import Severity

KIND = kind_of("telemetry.istio.io/v1", "Telemetry")


def faults(spec: dict[str, Any]) -> list[tuple[str, str, Severity]]:
    assert KIND is not None
    parsed = parse_as(KIND, {"metadata": {"name": "a"}, "spec": spec})
    return [(fault.path, fault.message, fault.severity) for fault in parsed.faults]


def override(**fields: Any) -> dict[str, Any]:
    return {"metrics": [{"overrides": [fields]}]}


TAGS = "spec.metrics[0].overrides[0].tagOverrides"


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"tracing": [{"randomSamplingPercentage": 10, "customTags": {"a": {"literal": {"value": "b"}}}}]},
        {"accessLogging": [{"filter": {"expression": "response.code >= 400 && 'x' in request.headers"}}]},
        override(match={"metric": "REQUEST_COUNT", "mode": "CLIENT"}, tagOverrides={"a": {"value": "request.host"}}),
        override(tagOverrides={"a": {"operation": "REMOVE"}}),
        {"metrics": [{"reportingInterval": "5s", "providers": [{"name": "prometheus"}]}]},
    ],
)
def test_good_specs_pass(spec: dict[str, Any]) -> None:
    assert faults(spec) == []


@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        (override(tagOverrides={"a": {}}), f"{TAGS}[a].value", "missing: a CEL expression"),
        (override(tagOverrides={"a": {"operation": "UPSERT"}}), f"{TAGS}[a]", "value must be set"),
        (override(tagOverrides={"a": {"operation": "REMOVE", "value": ""}}), f"{TAGS}[a]", "value must not be set"),
        (
            override(match={"metric": "REQUEST_COUNT", "customMetric": "a"}),
            "spec.metrics[0].overrides[0].match.customMetric",
            "metric and customMetric exclude each other",
        ),
        (
            {"tracing": [{"randomSamplingPercentage": 101}]},
            "spec.tracing[0].randomSamplingPercentage",
            "expected at most 100",
        ),
        ({"tracing": [{"customTags": {"": {"literal": {"value": "b"}}}}]}, "spec.tracing[0].customTags[]", "the name"),
        ({"tracing": [{"providers": [{"name": ""}]}]}, "spec.tracing[0].providers[0].name", "expected at least 1"),
        (
            {"accessLogging": [{"filter": {"expression": "response.code >="}}]},
            "spec.accessLogging[0].filter.expression",
            "expected an expression in CEL: Syntax error: mismatched input '<EOF>'",
        ),
    ],
)
def test_bad_specs_are_told_where(spec: dict[str, Any], path: str, message: str) -> None:
    ((where, what, severity),) = faults(spec)
    assert (where, severity) == (path, Severity.ERROR)
    assert what.startswith(message)


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"selector": {}}, "spec.selector"),
        ({"tracing": [{}, {}]}, "spec.tracing[1]"),
        ({"tracing": [{"providers": [{"name": "a"}, {"name": "b"}]}]}, "spec.tracing[0].providers[1]"),
        (override(tagOverrides={"": {"operation": "REMOVE"}}), f"{TAGS}[]"),
    ],
)
def test_what_has_no_effect_is_warned_about(spec: dict[str, Any], path: str) -> None:
    ((where, _, severity),) = faults(spec)
    assert (where, severity) == (path, Severity.WARNING)
