from __future__ import annotations

from typing import Any

import pytest

from lateen.api.parse import parse
from lateen.api.schema.fault import Fault, Severity

SELECTOR = {"matchLabels": {"app": "a"}}


def faults(spec: dict[str, Any]) -> tuple[Fault, ...]:
    return parse(
        {
            "apiVersion": "security.istio.io/v1",
            "kind": "PeerAuthentication",
            "metadata": {"name": "policy", "namespace": "ns"},
            "spec": spec,
        }
    ).faults


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"mtls": {"mode": "STRICT"}},
        {"mtls": {}},
        {"selector": SELECTOR, "mtls": {"mode": "DISABLE"}, "portLevelMtls": {"8080": {"mode": "STRICT"}}},
    ],
)
def test_good_policies_have_no_faults(spec: dict[str, Any]) -> None:
    assert faults(spec) == ()


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"mtls": {"mode": "SOMETIMES"}}, "spec.mtls.mode"),
        ({"portLevelMtls": {"80": {"mode": "STRICT"}}}, "spec"),
        ({"selector": {}, "portLevelMtls": {"80": {"mode": "STRICT"}}}, "spec"),
        ({"selector": SELECTOR, "portLevelMtls": {"0": {"mode": "STRICT"}}}, "spec.portLevelMtls"),
        ({"selector": SELECTOR, "portLevelMtls": {"65536": {"mode": "STRICT"}}}, "spec.portLevelMtls"),
        ({"selector": {"matchLabels": {"": "a"}}}, "spec.selector.matchLabels"),
    ],
)
def test_faulty_policies_are_rejected_where_they_are_faulty(spec: dict[str, Any], path: str) -> None:
    found = [fault.path for fault in faults(spec) if fault.severity is Severity.ERROR]
    assert found == [path]


def test_a_selector_without_labels_is_warned_of() -> None:
    (fault,) = faults({"selector": {}, "mtls": {"mode": "STRICT"}})
    assert (fault.path, fault.severity) == ("spec.selector", Severity.WARNING)
