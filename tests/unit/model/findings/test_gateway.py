from __future__ import annotations

from typing import Any

from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, Severity
from lateen.model.findings.gateway import gateway_findings
from lateen.testing import mesh as testing


class Mesh(testing.Mesh):
    def gateway_of(self, *servers: dict[str, Any], name: str = "gw", age: str = "2024-01-01T00:00:00Z") -> Mesh:
        metadata = {"name": name, "namespace": "edge", "creationTimestamp": age}
        self.apply(
            {"kind": "Gateway", "metadata": metadata, "spec": {"selector": {"app": "gw"}, "servers": list(servers)}}
        )
        return self

    def pod(self, namespace: str = "edge") -> Mesh:
        self.apply(
            {"kind": "Pod", "metadata": {"name": "p", "namespace": namespace, "labels": {"app": "gw", "x": "y"}}}
        )
        return self

    def findings(self, name: str = "gw") -> tuple[Fault, ...]:
        return self.engine.get(gateway_findings, Key("edge", name))


def server(number: int, protocol: str = "HTTP", host: str = "*", **rest: Any) -> dict[str, Any]:
    return {
        "port": {"number": number, "name": f"{protocol}-{number}-{host}", "protocol": protocol},
        "hosts": [host],
        **rest,
    }


def https(host: str, **tls: Any) -> dict[str, Any]:
    return server(443, "HTTPS", host, tls={"mode": "SIMPLE", "credentialName": "c", **tls})


def test_what_is_served_has_no_findings() -> None:
    assert Mesh().gateway_of(server(80)).pod().findings() == ()


def test_a_selector_that_picks_nobody() -> None:
    (fault,) = Mesh().gateway_of(server(80)).findings()
    assert (fault.path, fault.code, fault.severity) == ("spec.selector", "IST0101", Severity.WARNING)
    assert "app=gw" in fault.message


def test_an_older_gateway_wins() -> None:
    tls = {"mode": "PASSTHROUGH"}
    mesh = Mesh().pod().gateway_of(server(443, "TLS", "a.com", tls=tls), server(80), age="2024-02-01T00:00:00Z")
    mesh.gateway_of(server(443, "TLS", "a.com", tls=tls), server(80, "TCP"), name="old")
    hosts, port = (fault for fault in mesh.findings() if fault.code == "IST0145")
    assert (hosts.path, port.path) == ("spec.servers[0].hosts", "spec.servers[1].port")
    assert "edge/old" in hosts.message
    assert hosts.severity is Severity.ERROR
    assert [fault.code for fault in mesh.findings("old") if fault.code] == []


def test_credentials_are_looked_for_where_the_gateway_runs() -> None:
    mesh = Mesh().pod("pods").gateway_of(https("a.com"), https("b.com", mode="MUTUAL", caCertCredentialName="ca"))
    found = [(fault.path, fault.code) for fault in mesh.findings() if fault.code == "IST0101"]
    assert ("spec.servers[0].tls.credentialName", "IST0101") in found
    assert ("spec.servers[1].tls.caCertCredentialName", "IST0101") in found
    assert all("pods" in fault.message for fault in mesh.findings() if "credentialName" in fault.path)


def test_credentials_that_nobody_serves() -> None:
    mutual = {"mode": "MUTUAL", "caCertCredentialName": "configmap://pods/ca"}
    files = {"credentialName": "", "serverCertificate": "/crt", "privateKey": "/key"}
    mesh = Mesh().pod("pods").gateway_of(https("a.com", credentialName="sds://x"), https("b.com", **mutual, **files))
    assert [(fault.path, fault.message) for fault in mesh.findings()] == [
        (
            "spec.servers[0].tls.credentialName",
            "is not served: sds:// is not supported yet by this version: name a Secret",
        ),
        (
            "spec.servers[1].tls.caCertCredentialName",
            "is not served: configmap:// is not supported yet by this version: name a Secret",
        ),
    ]


def test_streams_that_nothing_routes() -> None:
    mesh = Mesh().pod().gateway_of(server(90, "TCP"), server(443, "TLS", "a.com", tls={"mode": "PASSTHROUGH"}))
    assert [fault.path for fault in mesh.findings()] == ["spec.servers[0]", "spec.servers[1]"]
    route = [{"route": [{"destination": {"host": "x.y.svc.cluster.local", "port": {"number": 1}}}]}]
    spec = {"hosts": ["*"], "gateways": ["gw"], "tcp": route}
    mesh.apply({"kind": "VirtualService", "metadata": {"name": "v", "namespace": "edge"}, "spec": spec})
    assert [fault.path for fault in mesh.findings()] == ["spec.servers[1]"]


def test_a_port_that_the_service_in_front_does_not_have() -> None:
    mesh = Mesh().pod().gateway_of(server(80), server(8081), server(8443))
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "tls", "port": 443, "targetPort": 8443}]
    metadata = {"name": "gw", "namespace": "edge"}
    mesh.apply({"kind": "Service", "metadata": metadata, "spec": {"selector": {"app": "gw"}, "ports": ports}})
    (fault,) = mesh.findings()
    assert (fault.path, fault.code) == ("spec.servers[1].port.number", "IST0162")


def test_a_pod_like_others_changes_nothing() -> None:
    mesh = Mesh().pod().gateway_of(server(80))
    mesh.findings()
    before = mesh.engine.statistics().queries["gateway.gateway_findings"].computed
    mesh.apply({"kind": "Pod", "metadata": {"name": "q", "namespace": "edge", "labels": {"app": "gw"}}})
    mesh.findings()
    assert mesh.engine.statistics().queries["gateway.gateway_findings"].computed == before
