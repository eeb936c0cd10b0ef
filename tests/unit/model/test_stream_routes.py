from __future__ import annotations

from typing import Any

from lateen.api.objects import Key
from lateen.engine import Reader
from lateen.model.proxy import GatewayView, OutboundView
from lateen.model.scope import EgressListener
from lateen.model.stream_routes import (
    StreamRoute,
    gateway_tcp_routes,
    gateway_tls_routes,
    tcp_routes,
    tls_routes,
)
from lateen.testing.mesh import Mesh

SERVICES = """
kind: Service
metadata: {name: db}
spec: {clusterIP: 10.0.0.1, ports: [{name: tcp, port: 27017}]}
---
kind: Service
metadata: {name: backup}
spec: {clusterIP: 10.0.0.2, ports: [{name: tcp, port: 5555}]}
"""
DB = "db.default.svc.cluster.local"


def to(*hosts: str, **more: Any) -> dict[str, Any]:
    return {"route": [{"destination": {"host": host}, "weight": 1} for host in hosts], **more}


def vs(name: str, *hosts: str, age: int = 0, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "creationTimestamp": f"2026-01-01T00:00:{age:02}Z"}
    return {"kind": "VirtualService", "metadata": metadata, "spec": {"hosts": list(hosts), **spec}}


def of_tcp(mesh: Mesh, host: str = DB, port: int = 27017, labels: dict[str, str] | None = None) -> list[StreamRoute]:
    (view, *_) = mesh.views(mesh.proxy(labels=labels))
    assert isinstance(view, OutboundView)

    def find(db: Reader) -> tuple[StreamRoute, ...]:
        return tcp_routes(db, view, EgressListener(), host, port)

    return list(mesh.get(find))


def clusters(routes: list[StreamRoute]) -> list[list[str]]:
    return [[each.name for each in route.clusters] for route in routes]


def test_none() -> None:
    assert of_tcp(Mesh(SERVICES)) == []
    assert of_tcp(Mesh(SERVICES, vs("v", "db", http=[to("db")]))) == []


def test_shares() -> None:
    found = of_tcp(Mesh(SERVICES, vs("v", "db", tcp=[to("db", "backup")])))
    assert clusters(found) == [
        [f"outbound|27017||{DB}", "outbound|5555||backup.default.svc.cluster.local"],
    ]
    assert [each.weight for each in found[0].clusters] == [1, 1]
    assert found[0].virtual_service == Key("default", "v")


def test_a_lone_destination_gets_all_and_a_weightless_one_nothing() -> None:
    alone = {"route": [{"destination": {"host": "db"}}]}
    some = {"route": [{"destination": {"host": "db"}}, {"destination": {"host": "backup"}, "weight": 3}]}
    assert [each.weight for each in of_tcp(Mesh(SERVICES, vs("v", "db", tcp=[alone])))[0].clusters] == [1]
    assert clusters(of_tcp(Mesh(SERVICES, vs("v", "db", tcp=[some])))) == [
        ["outbound|5555||backup.default.svc.cluster.local"]
    ]


def test_matches_in_order_up_to_what_catches_all() -> None:
    matches = [
        {"port": 1},
        {"sourceLabels": {"app": "x"}, "destinationSubnets": ["10.0.0.1"]},
        {"destinationSubnets": ["10.0.0.0/8"], "port": 27017},
        {"port": 27017},
        {"destinationSubnets": ["10.0.0.9"]},
    ]
    mesh = Mesh(SERVICES, vs("v", "db", tcp=[to("db", match=[match]) for match in matches]))
    assert [each.destination_subnets for each in of_tcp(mesh)] == [("10.0.0.0/8",), ()]
    found = of_tcp(mesh, labels={"app": "x"})
    assert [each.destination_subnets for each in found] == [("10.0.0.1",), ("10.0.0.0/8",), ()]
    assert found[-1].is_catch_all


def test_a_cluster_the_client_does_not_have() -> None:
    assert clusters(of_tcp(Mesh(SERVICES, vs("v", "db", tcp=[to("nobody")])))) == [["BlackHoleCluster"]]


def test_tls_by_server_name() -> None:
    entry = """
kind: ServiceEntry
metadata: {name: e}
spec: {hosts: ["*.a.com"], ports: [{number: 443, name: tls, protocol: TLS}], resolution: NONE}
"""
    match = [{"sniHosts": ["X.a.com", "y.a.com"], "port": 443}]
    mesh = Mesh(SERVICES, entry, vs("v", "*.a.com", tls=[to("backup", match=match)]), vs("w", "*.com", tcp=[to("db")]))
    (view, *_) = mesh.views(mesh.proxy())
    assert isinstance(view, OutboundView)

    def find(db: Reader) -> tuple[StreamRoute, ...]:
        return tls_routes(db, view, EgressListener(), "*.a.com", 443)

    (route,) = mesh.get(find)
    assert route.sni_hosts == ("x.a.com", "y.a.com")
    assert not route.is_catch_all
    # For byte streams the other VirtualService counts: this one says nothing of them.
    assert clusters(of_tcp(mesh, "*.a.com", 443)) == [[f"outbound|27017||{DB}"]]


def test_of_a_gateway() -> None:
    mesh = Mesh(
        SERVICES,
        vs(
            "late", "a.com", age=2, gateways=["gw"], tcp=[to("backup")], tls=[to("db", match=[{"sniHosts": ["a.com"]}])]
        ),
        vs("early", "a.com", age=1, gateways=["gw"], tcp=[to("db", match=[{"destinationSubnets": ["10.0.0.1"]}])]),
        vs("other", "b.com", gateways=["gw"], tcp=[to("db")]),
        vs("mesh", "a.com", tcp=[to("db")]),
    )
    (view,) = mesh.views(mesh.gateway())
    assert isinstance(view, GatewayView)

    def tcp(db: Reader) -> tuple[StreamRoute, ...]:
        return gateway_tcp_routes(db, view, Key("default", "gw"), 9000, [("default", "a.com"), ("x", "b.com")])

    def tls(db: Reader) -> tuple[StreamRoute, ...]:
        return gateway_tls_routes(db, view, Key("default", "gw"), 9000, [("", "*.com")])

    assert [route.virtual_service.name for route in mesh.get(tcp)] == ["early", "late"]
    assert [route.virtual_service.name for route in mesh.get(tls)] == ["late"]
