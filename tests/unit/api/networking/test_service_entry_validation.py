from __future__ import annotations

from typing import Any

import pytest

from lateen.api.parse import parse
from lateen.api.schema.fault import Fault, Severity

HTTP = {"number": 80, "name": "http", "protocol": "HTTP"}
TCP = {"number": 9000, "name": "tcp", "protocol": "TCP"}
DNS: dict[str, Any] = {"hosts": ["a.example.com"], "ports": [HTTP], "resolution": "DNS"}
STATIC: dict[str, Any] = {"hosts": ["a.example.com"], "ports": [HTTP], "resolution": "STATIC"}


def faults(spec: dict[str, Any], labels: dict[str, str] | None = None) -> tuple[Fault, ...]:
    return parse(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "ServiceEntry",
            "metadata": {"name": "e", "namespace": "ns", "labels": labels or {}},
            "spec": spec,
        }
    ).faults


def of(severity: Severity, spec: dict[str, Any]) -> list[str]:
    return [fault.path for fault in faults(spec) if fault.severity is severity]


@pytest.mark.parametrize(
    "spec",
    [
        DNS,
        {**STATIC, "endpoints": [{"address": "10.0.0.1", "ports": {"http": 8080}}, {"address": "2001:db8::1"}]},
        {**STATIC, "endpoints": [{"address": "unix:///run/a.sock"}]},
        {**STATIC, "workloadSelector": {"labels": {"app": "a"}}, "location": "MESH_INTERNAL"},
        {**DNS, "endpoints": [{"address": "b.example.com"}, {"address": "10.0.0.1"}]},
        {**DNS, "hosts": ["*.example.com"], "resolution": "NONE"},
        {**DNS, "hosts": ["*.example.com"], "resolution": "DYNAMIC_DNS"},
        {**DNS, "resolution": "DNS_ROUND_ROBIN", "endpoints": [{"address": "b.example.com"}]},
        {**STATIC, "addresses": ["10.0.0.0/24", "2001:db8::/64"], "ports": [TCP]},
        {**DNS, "exportTo": [".", "other"], "subjectAltNames": ["x"]},
        {**DNS, "exportTo": ["~"]},
    ],
)
def test_good_entries_have_no_faults(spec: dict[str, Any]) -> None:
    assert faults(spec) == ()


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({**DNS, "hosts": []}, "spec.hosts"),
        ({**DNS, "hosts": ["*"]}, "spec.hosts[0]"),
        ({**DNS, "hosts": ["a_b.example.com"]}, "spec.hosts[0]"),
        ({**DNS, "hosts": ["*.example.com"]}, "spec.hosts[0]"),
        ({**STATIC, "addresses": ["10.0.0.300"]}, "spec.addresses[0]"),
        ({**DNS, "addresses": ["10.0.0.0/24"]}, "spec"),
        ({**DNS, "ports": [HTTP, {**HTTP, "number": 81}]}, "spec.ports[1]"),
        ({**DNS, "ports": [HTTP, {**HTTP, "name": "other"}]}, "spec.ports"),
        ({**DNS, "ports": [{**HTTP, "name": "not a name"}]}, "spec.ports[0].name"),
        ({**DNS, "ports": [{**HTTP, "protocol": "SMTP"}]}, "spec.ports[0].protocol"),
        ({**DNS, "ports": [{**HTTP, "number": 0}]}, "spec.ports[0].number"),
        ({**DNS, "ports": [{**HTTP, "targetPort": 70000}]}, "spec.ports[0].targetPort"),
        ({**STATIC, "endpoints": [{"address": "b.example.com"}]}, "spec.endpoints[0].address"),
        ({**STATIC, "endpoints": [{"address": "10.0.0.1", "ports": {"x": 1}}]}, "spec.endpoints[0].ports[x]"),
        ({**STATIC, "endpoints": [{}]}, "spec.endpoints[0]"),
        ({**STATIC, "endpoints": [{"address": "unix://relative"}]}, "spec.endpoints[0].address"),
        ({**STATIC, "endpoints": [{"address": "10.0.0.1", "labels": {"a b": "c"}}]}, "spec.endpoints[0].labels[a b]"),
        (
            {**STATIC, "ports": [HTTP, TCP], "endpoints": [{"address": "unix:///run/a.sock"}]},
            "spec.endpoints[0].address",
        ),
        ({**DNS, "endpoints": [{"address": "unix:///run/a.sock"}]}, "spec.endpoints[0].address"),
        ({**DNS, "resolution": "NONE", "endpoints": [{"address": "10.0.0.1"}]}, "spec"),
        (
            {**DNS, "resolution": "DNS_ROUND_ROBIN", "endpoints": [{"address": "a.b"}, {"address": "c.d"}]},
            "spec",
        ),
        ({**STATIC, "workloadSelector": {"labels": {"a": "b"}}, "endpoints": [{"address": "10.0.0.1"}]}, "spec"),
        ({**DNS, "hosts": ["a.com", "b.com"], "ports": [TCP]}, "spec.ports[0].protocol"),
        ({**DNS, "resolution": "DYNAMIC_DNS"}, "spec.hosts[0]"),
        (
            {**DNS, "hosts": ["*.a.com"], "resolution": "DYNAMIC_DNS", "location": "MESH_INTERNAL"},
            "spec.location",
        ),
        ({**DNS, "hosts": ["*.a.com"], "resolution": "DYNAMIC_DNS", "ports": [TCP]}, "spec.ports[0].protocol"),
        ({**DNS, "exportTo": ["*", "a"]}, "spec.exportTo[0]"),
        ({**DNS, "exportTo": ["not a namespace"]}, "spec.exportTo[0]"),
        ({**DNS, "unknown": 1}, "spec.unknown"),
    ],
)
def test_what_is_rejected(spec: dict[str, Any], path: str) -> None:
    assert path in of(Severity.ERROR, spec)


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({**DNS, "hosts": ["*a.example.com"], "resolution": "NONE"}, "spec.hosts[0]"),
        ({**DNS, "hosts": ["a.com", "a.com"]}, "spec.hosts[1]"),
        ({**DNS, "resolution": "NONE", "ports": [TCP]}, "spec.ports[0].protocol"),
        ({**DNS, "ports": [{**HTTP, "protocol": "UDP"}]}, "spec.ports[0].protocol"),
        ({**DNS, "ports": []}, "spec.ports"),
        ({**STATIC, "workloadSelector": {}}, "spec.workloadSelector.labels"),
        ({**DNS, "workloadSelector": {"labels": {"a": "b"}}}, "spec.workloadSelector"),
        ({**STATIC, "endpoints": [{"network": "far"}]}, "spec.endpoints[0].address"),
        ({**STATIC, "endpoints": [{"address": "10.0.0.1", "locality": "a/b/c/d"}]}, "spec.endpoints[0].locality"),
        ({**STATIC, "endpoints": [{"address": "10.0.0.1", "locality": "a//c"}]}, "spec.endpoints[0].locality"),
        (
            {**DNS, "hosts": ["*.a.com"], "resolution": "DYNAMIC_DNS", "endpoints": [{"address": "10.0.0.1"}]},
            "spec.endpoints",
        ),
        (
            {**DNS, "hosts": ["*.a.com"], "resolution": "DYNAMIC_DNS", "ports": [{**HTTP, "targetPort": 8080}]},
            "spec.ports[0].targetPort",
        ),
    ],
)
def test_what_is_warned_about(spec: dict[str, Any], path: str) -> None:
    assert of(Severity.ERROR, spec) == []
    assert path in of(Severity.WARNING, spec)


def test_without_an_automatic_address_tcp_has_none_to_be_told_by() -> None:
    spec = {**DNS, "ports": [TCP]}
    assert faults(spec) == ()
    (fault,) = faults(spec, {"networking.istio.io/enable-autoallocate-ip": "false"})
    assert (fault.path, fault.severity) == ("spec.ports[0].protocol", Severity.WARNING)
