from __future__ import annotations

from typing import Any

import pytest

from lateen.api.objects import Key
from lateen.api.schema.fault import Severity
from lateen.model.findings.virtual_service import virtual_service_findings
from lateen.testing.mesh import Mesh

SERVICES = """
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
---
kind: Service
metadata: {name: many}
spec: {clusterIP: 10.0.0.2, ports: [{name: http-a, port: 8080}, {name: http-b, port: 8081}]}
---
kind: Service
metadata: {name: hidden, namespace: other, annotations: {networking.istio.io/exportTo: "."}}
spec: {clusterIP: 10.0.0.3, ports: [{name: http, port: 80}]}
---
kind: DestinationRule
metadata: {name: web}
spec: {host: web, subsets: [{name: v1, labels: {v: "1"}}]}
---
kind: Gateway
metadata: {name: gw}
spec:
  selector: {istio: gw}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["./*.a.com", "x/b.com"]}]
"""


def vs(name: str, *hosts: str, age: int = 0, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": f"2026-01-01T00:00:{age:02}Z"}
    return {"kind": "VirtualService", "metadata": metadata, "spec": {"hosts": list(hosts), "http": [to("web")], **spec}}


def to(host: str, **more: Any) -> dict[str, Any]:
    return {"route": [{"destination": {"host": host, **more}}]}


def findings(mesh: Mesh, name: str = "v") -> list[tuple[str, str]]:
    return [(each.path, each.code) for each in mesh.get(virtual_service_findings, Key("default", name))]


DESTINATION = "spec.http[0].route[0].destination"

CASES = [
    (vs("v", "web"), []),
    (vs("v", "web", http=[to("web", subset="v1", port={"number": 80})]), []),
    (vs("v", "web", http=[to("nobody")]), [(f"{DESTINATION}.host", "IST0101")]),
    (vs("v", "web", http=[to("hidden.other.svc.cluster.local")]), [(f"{DESTINATION}.host", "IST0101")]),
    (vs("v", "web", http=[to("web", subset="v2")]), [(f"{DESTINATION}.subset", "IST0101")]),
    (vs("v", "web", http=[to("web", port={"number": 81})]), [(f"{DESTINATION}.port.number", "")]),
    (vs("v", "web", http=[to("many")]), [(f"{DESTINATION}.port", "IST0112")]),
    (vs("v", "many", http=[to("many")]), []),
    (vs("v", "web", http=[{**to("web"), "mirror": {"host": "nobody"}}]), [("spec.http[0].mirror.host", "IST0101")]),
    (
        vs("v", "web", http=[{**to("web"), "mirrors": [{"destination": {"host": "nobody"}}]}]),
        [("spec.http[0].mirrors[0].destination.host", "IST0101")],
    ),
    (vs("v", "web", http=[], tcp=[to("nobody")]), [("spec.tcp[0].route[0].destination.host", "IST0101")]),
    (vs("v", "x.a.com", gateways=["gw"]), []),
    (vs("v", "x.a.com", gateways=["none"]), [("spec.gateways[0]", "IST0101")]),
    (vs("v", "x.a.com", "b.com", gateways=["gw"]), [("spec.hosts[1]", "IST0132")]),
    (vs("v", "b.com", gateways=["gw", "mesh"]), []),
    (
        vs("v", "web", http=[{**to("web"), "match": [{"gateways": ["mesh", "none"]}]}]),
        [("spec.http[0].match[0].gateways[1]", "IST0101")],
    ),
    (vs("v", "web", http=[{"delegate": {"name": "none"}}]), [("spec.http[0].delegate", "IST0101")]),
    (vs("v", "web", http=[{"delegate": {"name": "other"}}]), [("spec.http[0].delegate", "")]),
]


@pytest.mark.parametrize(("resource", "expected"), CASES, ids=[str(i) for i in range(len(CASES))])
def test_findings(resource: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert findings(Mesh(SERVICES, vs("other", "many.com"), resource)) == expected


def test_the_younger_of_two_for_one_host_is_told() -> None:
    mesh = Mesh(SERVICES, vs("v", "web", age=2), vs("old", "web.default.svc.cluster.local", namespace="other", age=1))
    assert findings(mesh) == [("spec.hosts[0]", "IST0109")]
    mesh.apply(vs("old", "web.default.svc.cluster.local", namespace="other", age=1, exportTo=["."]))
    assert findings(mesh) == []
    mesh.apply(vs("old", "*.svc.cluster.local", namespace="other", age=1))
    assert findings(mesh) == []


def test_the_older_is_not_told() -> None:
    mesh = Mesh(SERVICES, vs("v", "web", age=1), vs("new", "web", age=2))
    assert findings(mesh) == []


def test_one_for_a_namespace_alone_is_meant_to_count_there() -> None:
    mesh = Mesh(SERVICES, vs("v", "web", age=2, exportTo=["."]), vs("old", "web", age=1))
    assert findings(mesh) == []
    assert findings(mesh, "old") == []


def test_routes_of_a_delegate_that_are_left_out() -> None:
    leaf = {**to("web"), "match": [{"uri": {"prefix": "/b"}}]}
    root = {"match": [{"uri": {"prefix": "/a"}}], "delegate": {"name": "d"}}
    mesh = Mesh(SERVICES, vs("v", "web", http=[root]), vs("d", http=[leaf, to("web")]))
    (found,) = mesh.get(virtual_service_findings, Key("default", "v"))
    assert (found.path, found.severity) == ("spec.http[0].delegate", Severity.WARNING)
    assert found.message.startswith("1 routes")


def test_what_comes_later_makes_it_right() -> None:
    mesh = Mesh(vs("v", "web"))
    assert findings(mesh) == [(f"{DESTINATION}.host", "IST0101")]
    mesh.apply(SERVICES)
    assert findings(mesh) == []


def test_what_is_resolved_as_clients_name_it_is_the_only_destination() -> None:
    def route(*hosts: str) -> dict[str, Any]:
        chosen = [{"destination": {"host": host, "port": {"number": 443}}, "weight": 50} for host in hosts]
        return {"match": [{"sniHosts": ["*.wild.com"]}], "route": chosen}

    def entry(host: str, resolution: str) -> dict[str, Any]:
        ports = [{"number": 443, "name": "tls", "protocol": "TLS"}]
        spec = {"hosts": [host], "ports": ports, "resolution": resolution}
        return {"kind": "ServiceEntry", "metadata": {"name": resolution.lower().replace("_", "-")}, "spec": spec}

    mesh = Mesh(entry("*.wild.com", "DYNAMIC_DNS"), entry("tame.com", "DNS"))
    mesh.apply(vs("v", "*.wild.com", http=[], tls=[route("*.wild.com"), route("tame.com", "*.wild.com")]))
    assert findings(mesh) == [("spec.tls[1].route[1].destination.host", "")]
