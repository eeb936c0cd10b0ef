"""WorkloadEntry and WorkloadGroup."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.api.parse import parse
from lateen.api.schema.fault import Fault, Severity


def faults(kind: str, spec: dict[str, Any]) -> tuple[Fault, ...]:
    return parse(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": kind,
            "metadata": {"name": "w", "namespace": "ns"},
            "spec": spec,
        }
    ).faults


def entry(spec: dict[str, Any], severity: Severity) -> list[str]:
    return [fault.path for fault in faults("WorkloadEntry", spec) if fault.severity is severity]


def group(spec: dict[str, Any], severity: Severity) -> list[str]:
    return [fault.path for fault in faults("WorkloadGroup", spec) if fault.severity is severity]


@pytest.mark.parametrize(
    "spec",
    [
        {"address": "10.0.0.1", "ports": {"http": 80}, "labels": {"app.example.com/name": "a"}, "locality": "r/z/s"},
        {"address": "vm.example.com", "serviceAccount": "a", "weight": 3},
        {"address": "unix:///run/a.sock"},
        {"address": "unix://@abstract"},
    ],
)
def test_good_entries(spec: dict[str, Any]) -> None:
    assert faults("WorkloadEntry", spec) == ()


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({}, "spec"),
        ({"address": "not an address"}, "spec.address"),
        ({"address": "10.0.0.256"}, "spec.address"),
        ({"address": "unix://relative"}, "spec.address"),
        ({"address": "unix:///dir/"}, "spec.address"),
        ({"address": "unix:///run/a.sock", "ports": {"http": 80}}, "spec"),
        ({"address": "10.0.0.1", "ports": {"http": 0}}, "spec.ports[http]"),
        ({"address": "10.0.0.1", "ports": {"http": 65536}}, "spec.ports[http]"),
        ({"address": "10.0.0.1", "ports": {"not a name": 80}}, "spec.ports"),
        ({"address": "10.0.0.1", "labels": {"a": "not a value!"}}, "spec.labels[a]"),
        ({"address": "10.0.0.1", "labels": {"Prefix_/a": "x"}}, "spec.labels[Prefix_/a]"),
        ({"address": "10.0.0.1", "weight": -1}, "spec.weight"),
        ({"address": "10.0.0.1", "port": 1}, "spec.port"),
    ],
)
def test_entries_that_are_rejected(spec: dict[str, Any], path: str) -> None:
    assert path in entry(spec, Severity.ERROR)


def test_entries_that_are_warned_about() -> None:
    assert entry({"network": "far"}, Severity.WARNING) == ["spec.address"]
    assert entry({"network": "far"}, Severity.ERROR) == []
    assert entry({"address": "10.0.0.1", "locality": "a/b/c/d"}, Severity.WARNING) == ["spec.locality"]


PROBE = {"httpGet": {"port": 80}}


@pytest.mark.parametrize(
    "spec",
    [
        {"template": {}},
        {"template": {"ports": {"http": 80}, "serviceAccount": "a"}, "metadata": {"labels": {"a": "b"}}},
        {"template": {}, "probe": {**PROBE, "periodSeconds": 3}},
        {"template": {}, "probe": {"tcpSocket": {"port": 80}}},
        {"template": {}, "probe": {"exec": {"command": ["true"]}}},
        {"template": {}, "probe": {"grpc": {"port": 80, "service": "x"}}},
    ],
)
def test_good_groups(spec: dict[str, Any]) -> None:
    assert faults("WorkloadGroup", spec) == ()


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({}, "spec.template"),
        ({"template": {"ports": {"http": 0}}}, "spec.template.ports[http]"),
        ({"template": {"labels": {"a": "b c"}}}, "spec.template.labels[a]"),
        ({"template": {}, "metadata": {"labels": {"a": "b c"}}}, "spec.metadata.labels[a]"),
        ({"template": {}, "metadata": {"annotations": {"a b": "c"}}}, "spec.metadata.annotations[a b]"),
        ({"template": {}, "probe": {}}, "spec.probe"),
        ({"template": {}, "probe": {**PROBE, "tcpSocket": {"port": 1}}}, "spec.probe.tcpSocket"),
        ({"template": {}, "probe": {**PROBE, "periodSeconds": -1}}, "spec.probe.periodSeconds"),
        ({"template": {}, "probe": {"httpGet": {"port": 0}}}, "spec.probe.httpGet.port"),
        ({"template": {}, "probe": {"httpGet": {"port": 1, "scheme": "FTP"}}}, "spec.probe.httpGet.scheme"),
        (
            {"template": {}, "probe": {"httpGet": {"port": 1, "httpHeaders": [{}]}}},
            "spec.probe.httpGet.httpHeaders[0].name",
        ),
        ({"template": {}, "probe": {"exec": {"command": []}}}, "spec.probe.exec.command"),
        ({"template": {}, "probe": {"grpc": {}}}, "spec.probe.grpc.port"),
    ],
)
def test_groups_that_are_rejected(spec: dict[str, Any], path: str) -> None:
    assert path in group(spec, Severity.ERROR)


def test_groups_that_are_warned_about() -> None:
    assert group({"template": {"address": "10.0.0.1", "labels": {"a": "b"}}}, Severity.WARNING) == [
        "spec.template.address",
        "spec.template.labels",
    ]
