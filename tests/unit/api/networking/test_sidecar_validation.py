from __future__ import annotations

from typing import Any

import pytest

from lateen.api.parse import parse
from lateen.api.schema.fault import Fault, Severity

EGRESS: dict[str, Any] = {"hosts": ["./*"]}
PORT = {"number": 80, "protocol": "HTTP", "name": "http"}
SOCKET: dict[str, Any] = {"port": {"number": 0, "protocol": "HTTP"}, "bind": "unix:///run/a.sock", "hosts": ["./*"]}


def faults(spec: dict[str, Any]) -> tuple[Fault, ...]:
    return parse(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Sidecar",
            "metadata": {"name": "s", "namespace": "ns"},
            "spec": spec,
        }
    ).faults


def of(severity: Severity, spec: dict[str, Any]) -> list[str]:
    return [fault.path for fault in faults(spec) if fault.severity is severity]


def egress(*listeners: dict[str, Any]) -> dict[str, Any]:
    return {"egress": list(listeners)}


def ingress(**listener: Any) -> dict[str, Any]:
    return {"ingress": [{"port": PORT, **listener}]}


def outbound(mode: str, **proxy: Any) -> dict[str, Any]:
    return {"outboundTrafficPolicy": {"mode": mode, **({"egressProxy": proxy} if proxy else {})}}


@pytest.mark.parametrize(
    "spec",
    [
        egress({"hosts": ["./*", "istio-system/*", "*/api.example.com", "other/*.example.com"]}),
        egress({"hosts": ["~/*"]}),
        egress({"port": PORT, "bind": "127.0.0.1", "captureMode": "NONE", **EGRESS}, EGRESS),
        egress({"port": {"number": 3128, "protocol": "HTTP_PROXY"}, **EGRESS}),
        egress(SOCKET, EGRESS),
        ingress(defaultEndpoint="127.0.0.1:8080"),
        ingress(defaultEndpoint="[::1]:8080", bind="10.0.0.1"),
        ingress(defaultEndpoint=":8080"),
        ingress(defaultEndpoint="unix:///run/a.sock", connectionPool={"http": {"maxRetries": 1}}),
        ingress(tls={"mode": "SIMPLE", "serverCertificate": "/c", "privateKey": "/k"}),
        {"inboundConnectionPool": {"tcp": {"maxConnections": 1}}},
        outbound("REGISTRY_ONLY"),
        outbound("ALLOW_ANY", host="proxy.ns.svc.cluster.local", port={"number": 80}),
        {**egress(EGRESS), "workloadSelector": {"labels": {"app": "a"}}},
    ],
)
def test_good_sidecars_have_no_faults(spec: dict[str, Any]) -> None:
    assert faults(spec) == ()


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({}, "spec"),
        ({"workloadSelector": {"labels": {"app": "a"}}}, "spec"),
        ({**egress(EGRESS), "workloadSelector": {"labels": {"app": "*"}}}, "spec.workloadSelector.labels[app]"),
        (egress({}), "spec.egress[0].hosts"),
        (egress({"hosts": []}), "spec.egress[0].hosts"),
        (egress({"hosts": ["reviews"]}), "spec.egress[0].hosts[0]"),
        (egress({"hosts": ["./"]}), "spec.egress[0].hosts[0]"),
        (egress({"hosts": ["a.b/*"]}), "spec.egress[0].hosts[0]"),
        (egress({"hosts": ["~/a.com"]}), "spec.egress[0].hosts[0]"),
        (egress({"hosts": ["./a*.com"]}), "spec.egress[0].hosts[0]"),
        (egress(EGRESS, {"port": PORT, **EGRESS}), "spec.egress[0].port"),
        (egress({"port": PORT, **EGRESS}, {"port": PORT, **EGRESS}), "spec.egress[1].port.number"),
        (egress(SOCKET, SOCKET), "spec.egress[1].port.number"),
        (egress({"bind": "127.0.0.1", **EGRESS}), "spec.egress[0].bind"),
        (egress({"port": PORT, "bind": "unix:///run/a.sock", **EGRESS}), "spec.egress[0].bind"),
        (egress({**SOCKET, "bind": "127.0.0.1"}), "spec.egress[0].bind"),
        (egress({**SOCKET, "captureMode": "IPTABLES"}), "spec.egress[0].captureMode"),
        (egress({"port": {**PORT, "protocol": "SMTP"}, **EGRESS}), "spec.egress[0].port.protocol"),
        (egress({"port": {**PORT, "targetPort": 1}, **EGRESS}), "spec.egress[0].port.targetPort"),
        (egress({"port": {**PORT, "number": 70000}, **EGRESS}), "spec.egress[0].port.number"),
        ({"ingress": [{}]}, "spec.ingress[0].port"),
        ({"ingress": [{"port": PORT}, {"port": PORT}]}, "spec.ingress[1].port.number"),
        (ingress(port={"number": 0, "protocol": "HTTP"}), "spec.ingress[0].port.number"),
        (ingress(port={**PORT, "name": "not a name"}), "spec.ingress[0].port.name"),
        (ingress(bind="localhost"), "spec.ingress[0].bind"),
        (ingress(defaultEndpoint="10.0.0.1:80"), "spec.ingress[0].defaultEndpoint"),
        (ingress(defaultEndpoint="127.0.0.1"), "spec.ingress[0].defaultEndpoint"),
        (ingress(defaultEndpoint="127.0.0.1:http"), "spec.ingress[0].defaultEndpoint"),
        (ingress(defaultEndpoint="127.0.0.1:0"), "spec.ingress[0].defaultEndpoint"),
        (ingress(defaultEndpoint="unix://relative"), "spec.ingress[0].defaultEndpoint"),
        (ingress(tls={"mode": "ISTIO_MUTUAL"}), "spec.ingress[0].tls.mode"),
        (ingress(tls={"mode": "SIMPLE", "credentialName": "c"}), "spec.ingress[0].tls.credentialName"),
        (ingress(tls={"httpsRedirect": True}), "spec.ingress[0].tls.httpsRedirect"),
        (ingress(connectionPool={}), "spec.ingress[0].connectionPool"),
        ({"inboundConnectionPool": {}}, "spec.inboundConnectionPool"),
        (
            outbound("REGISTRY_ONLY", host="a.example.com", port={"number": 80}),
            "spec.outboundTrafficPolicy.egressProxy",
        ),
        (outbound("ALLOW_ANY", host="a.example.com"), "spec.outboundTrafficPolicy.egressProxy.port"),
        (outbound("ALLOW_ANY", host="*", port={"number": 80}), "spec.outboundTrafficPolicy.egressProxy.host"),
        ({"outboundTrafficPolicy": {"mode": "BLOCK"}}, "spec.outboundTrafficPolicy.mode"),
    ],
)
def test_what_is_rejected(spec: dict[str, Any], path: str) -> None:
    assert path in of(Severity.ERROR, spec)


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({**egress(EGRESS), "workloadSelector": {}}, "spec.workloadSelector.labels"),
        (egress({"hosts": ["./*", "ns/a.com"]}), "spec.egress[0].hosts[1]"),
        (egress({"hosts": ["*/*", "ns/a.com"]}), "spec.egress[0].hosts"),
        (
            ingress(port={**PORT, "protocol": "TCP"}, connectionPool={"http": {"maxRetries": 1}}),
            "spec.ingress[0].connectionPool.http",
        ),
    ],
)
def test_what_is_warned_about(spec: dict[str, Any], path: str) -> None:
    assert of(Severity.ERROR, spec) == []
    assert path in of(Severity.WARNING, spec)
