from __future__ import annotations

from typing import Any

from lateen.api.objects import Key
from lateen.model.findings.service_entry import service_entry_findings
from lateen.model.findings.sidecar import sidecar_findings
from lateen.testing.mesh import Mesh


def entry(name: str, protocol: str, created: str, *addresses: str) -> dict[str, Any]:
    ports = [{"number": 5432, "name": "p", "protocol": protocol}]
    spec = {"hosts": [f"{name}.com"], "ports": ports, "addresses": list(addresses), "resolution": "STATIC"}
    return {"kind": "ServiceEntry", "metadata": {"name": name, "creationTimestamp": created}, "spec": spec}


def faults(mesh: Mesh, name: str) -> list[tuple[str, str]]:
    return [(each.path, each.message) for each in mesh.engine.get(service_entry_findings, Key("default", name))]


def test_a_port_that_an_older_service_has_at_the_same_address() -> None:
    mesh = Mesh()
    mesh.apply(
        entry("old", "TCP", "2024-01-01T00:00:00Z", "10.1.0.1"), entry("new", "TCP", "2024-02-01T00:00:00Z", "10.1.0.1")
    )
    assert faults(mesh, "old") == []
    ((path, message),) = faults(mesh, "new")
    assert path == "spec.ports[0].number"
    assert "old.com has the same address" in message


def test_udp_is_let_be() -> None:
    mesh = Mesh(entry("dns", "UDP", "2024-01-01T00:00:00Z", "10.1.0.1"))
    assert faults(mesh, "dns") == [("spec.ports[0].protocol", "has no effect: proxies let UDP be")]


def test_own_tls_of_a_port_needs_mutual_tls_to_be_off() -> None:
    tls = {"mode": "SIMPLE", "serverCertificate": "/c", "privateKey": "/k"}
    ingress = [{"port": {"number": 9443, "name": "h", "protocol": "HTTPS"}, "tls": tls}]
    mesh = Mesh({"kind": "Sidecar", "metadata": {"name": "s"}, "spec": {"ingress": ingress}})
    found = [each.path for each in mesh.engine.get(sidecar_findings, Key("default", "s"))]
    assert found == ["spec.ingress[0].tls"]
    mesh.apply({"kind": "PeerAuthentication", "metadata": {"name": "p"}, "spec": {"mtls": {"mode": "DISABLE"}}})
    assert mesh.engine.get(sidecar_findings, Key("default", "s")) == ()


def test_sockets_of_the_proxy_itself() -> None:
    port = {"number": 15090, "name": "h", "protocol": "HTTP"}
    egress = [{"port": port, "bind": "0.0.0.0", "captureMode": "NONE", "hosts": ["./*"]}]
    mesh = Mesh({"kind": "Sidecar", "metadata": {"name": "s"}, "spec": {"egress": egress}})
    mesh.apply({"kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"name": "http", "port": 15090}]}})
    (fault,) = [each for each in mesh.engine.get(sidecar_findings, Key("default", "s")) if each.path == "spec.egress"]
    assert "proxy's own" in fault.message
