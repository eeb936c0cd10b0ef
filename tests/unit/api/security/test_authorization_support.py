"""What cannot be evaluated is named, where it is, with what happens instead."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.api.objects import Object
from lateen.api.parse import parse
from lateen.api.schema.fault import Severity
from lateen.api.security.authorization_support import unsupported

CUSTOM = {"action": "CUSTOM", "provider": {"name": "opa"}, "rules": [{}]}
CASES: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {}),
    ({"rules": [{"when": [{"key": "source.ip", "values": ["10.0.0.0/8"]}]}]}, {}),
    ({"targetRef": {"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "a"}}, {}),
    (CUSTOM, {"spec.action": "the requests that its rules match are refused"}),
    ({"action": "AUDIT", "rules": [{}]}, {"spec.action": "nothing is marked"}),
    (
        {"rules": [{}, {"from": [{"source": {"requestPrincipals": ["*"], "namespaces": ["a"]}}]}]},
        {"spec.rules[1].from[0].source.requestPrincipals": "the rule allows nothing"},
    ),
    (
        {"action": "DENY", "rules": [{"from": [{"source": {"notRequestPrincipals": ["*"]}}]}]},
        {"spec.rules[0].from[0].source.notRequestPrincipals": "denies whatever the rest of it matches"},
    ),
    (
        {"rules": [{"when": [{"key": "request.auth.claims[group]", "values": ["a"]}]}]},
        {"spec.rules[0].when[0].key": "request.auth.claims[group] is not supported"},
    ),
    ({"targetRefs": [{"kind": "Service", "name": "a"}]}, {"spec.targetRefs[0]": "applies to no proxy"}),
]


@pytest.mark.parametrize(("spec", "expected"), CASES)
def test_it_is_named(spec: dict[str, Any], expected: dict[str, str]) -> None:
    raw = {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": {"name": "a"}, "spec": spec}
    value = parse(raw).value
    assert isinstance(value, Object), "it is taken: what cannot be evaluated is decided against the caller"
    found = list(unsupported(value))
    assert [fault.path for fault in found] == list(expected)
    for fault in found:
        assert fault.severity is Severity.ERROR
        assert expected[fault.path] in fault.message
