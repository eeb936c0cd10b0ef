from __future__ import annotations

from typing import Any

from lateen.api.objects import Key
from lateen.model.domains import contested, lost_domains
from lateen.model.findings.domains import service_entry_domain_findings
from lateen.model.service import ServiceKey
from lateen.testing.mesh import Mesh


def service(name: str, namespace: str, ip: str) -> dict[str, Any]:
    spec = {"clusterIP": ip, "clusterIPs": [ip], "ports": [{"name": "http", "port": 80}]}
    return {"kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def entry(name: str, *hosts: str, **spec: Any) -> dict[str, Any]:
    ports = [{"number": 80, "name": "http", "protocol": "HTTP"}]
    spec = {"hosts": list(hosts), "ports": ports, "resolution": "NONE", **spec}
    return {"kind": "ServiceEntry", "metadata": {"name": name, "namespace": "a"}, "spec": spec}


def test_nothing_is_contested_among_ordinary_services() -> None:
    mesh = Mesh(*(service("web", f"n{i}", f"10.0.0.{i}") for i in range(1, 4)), entry("e", "a.com", "b.com"))
    assert mesh.get(contested) == {}


def test_kubernetes_comes_before_what_is_declared() -> None:
    mesh = Mesh(service("web", "a", "10.0.0.1"), entry("e", "a.com", addresses=["10.0.0.1"]))
    (domain,) = mesh.get(contested)
    assert domain == "10.0.0.1"
    assert mesh.get(lost_domains, ServiceKey("a.com", "a")) == (("10.0.0.1", "web.a.svc.cluster.local"),)
    assert mesh.get(lost_domains, ServiceKey("web.a.svc.cluster.local", "a")) == ()


def test_a_host_comes_before_short_forms() -> None:
    mesh = Mesh(service("web", "a", "10.0.0.1"), entry("e", "web.a", "web"))
    assert mesh.get(lost_domains, ServiceKey("web.a.svc.cluster.local", "a")) == (("web", "web"), ("web.a", "web.a"))


def test_where_ports_differ_nothing_is_lost() -> None:
    ports = [{"number": 8080, "name": "http", "protocol": "HTTP"}]
    mesh = Mesh(service("web", "a", "10.0.0.1"), entry("e", "a.com", addresses=["10.0.0.1"], ports=ports))
    assert mesh.get(lost_domains, ServiceKey("a.com", "a")) == ()


def test_the_entry_is_told() -> None:
    mesh = Mesh(service("web", "a", "10.0.0.1"), entry("e", "a.com", addresses=["10.0.0.1"]))
    (found,) = mesh.get(service_entry_domain_findings, Key("a", "e"))
    assert found.path == "spec.hosts[0]"
    assert "web.a.svc.cluster.local" in found.message
