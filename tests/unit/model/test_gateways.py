"""Gateways on one proxy: whom they select, what they share, who wins."""

from __future__ import annotations

from typing import Any

import msgspec

from lateen.api.kubernetes.pod import Pod
from lateen.api.kubernetes.service import Service
from lateen.api.networking.gateway import Gateway
from lateen.api.objects import Key, Metadata, Object
from lateen.engine import Engine
from lateen.model.endpoint import Locality
from lateen.model.gateway_ports import PortMapping
from lateen.model.gateways import (
    GatewayPort,
    MergedGateways,
    ServerHost,
    credentials,
    gateway_ports,
    gateway_servers,
    merged_gateways,
    selected_gateways,
)
from lateen.model.inputs import GATEWAYS, PODS, SCOPE_GATEWAYS_TO_NAMESPACE, SERVICES
from lateen.model.proxy import GatewayView, Traits

VIEW = GatewayView("edge", (("app", "gw"), ("version", "1")), "sa", Locality(), "", "", "", Traits())


def server(
    number: int = 80, protocol: str = "HTTP", hosts: tuple[str, ...] = ("*",), name: str = "", **rest: Any
) -> dict[str, Any]:
    port = {"number": number, "name": name or f"{protocol.lower()}-{number}", "protocol": protocol}
    return {"port": port, "hosts": list(hosts), **rest}


def https(
    *hosts: str, name: str = "https", credential: str = "c", mode: str = "SIMPLE", number: int = 443
) -> dict[str, Any]:
    return server(number, "HTTPS", hosts, name, tls={"mode": mode, "credentialName": credential})


class Mesh:
    def __init__(self) -> None:
        self.engine = Engine()

    def gateway(
        self, name: str, *servers: dict[str, Any], namespace: str = "edge", age: str = "", app: str | None = "gw"
    ) -> Mesh:
        selector = {"app": app} if app else {}
        spec = msgspec.convert({"servers": servers, "selector": selector}, Gateway)
        metadata = Metadata(name=name, namespace=namespace, creation_timestamp=age or None)
        with self.engine.change() as tx:
            tx.set(GATEWAYS, Key(namespace, name), Object(metadata=metadata, spec=spec, key=Key(namespace, name)))
        return self

    def service(self, **ports: dict[str, Any]) -> Mesh:
        raw = {
            "metadata": {"name": "gw", "namespace": "edge"},
            "spec": {"selector": {"app": "gw"}, "ports": [{"name": name, **port} for name, port in ports.items()]},
        }
        with self.engine.change() as tx:
            tx.set(SERVICES, Key("edge", "gw"), msgspec.convert(raw, Service))
        return self

    @property
    def ports(self) -> tuple[GatewayPort, ...]:
        return self.engine.get(gateway_ports, VIEW)

    @property
    def merged(self) -> MergedGateways:
        keys = self.engine.get(selected_gateways, VIEW.namespace, VIEW.labels)
        return self.engine.get(merged_gateways, keys, PortMapping())


def test_a_selector_picks_by_labels_in_any_namespace_unless_scoped() -> None:
    mesh = (
        Mesh().gateway("here", server()).gateway("far", server(81), namespace="apps").gateway("no", server(82), app="x")
    )
    mesh.gateway("all", server(83), app=None)
    assert [p.listen_port for p in mesh.ports] == [80, 81, 83]
    with mesh.engine.change() as tx:
        tx.set(SCOPE_GATEWAYS_TO_NAMESPACE.table, "", True)
    assert [p.listen_port for p in mesh.ports] == [80, 83]


def test_http_servers_share_a_port_and_a_route() -> None:
    mesh = Mesh().gateway("a", server(hosts=("a.com",))).gateway("b", server(hosts=("b.com",), protocol="HTTP2"))
    (port,) = mesh.ports
    assert [s.route_name for s in port.servers] == ["http.80", "http.80"]
    assert mesh.merged.conflicts == ()


def test_hosts_carry_the_namespace_of_virtual_services() -> None:
    mesh = Mesh().gateway("a", server(hosts=("./a.com", "*/B.com", "ns/*", "*", "b.com")))
    (port,) = mesh.ports
    assert port.servers[0].hosts == (
        ServerHost("edge", "a.com"),
        ServerHost("", "b.com"),
        ServerHost("ns", "*"),
        ServerHost("", "*"),
    )


def test_tls_servers_share_a_port_by_server_name_each_with_its_own_route() -> None:
    mesh = Mesh().gateway("a", https("a.com", name="one"), https("b.com", name="two"))
    mesh.gateway("pass", server(443, "TLS", ("c.com",), tls={"mode": "PASSTHROUGH"}))
    (port,) = mesh.ports
    assert [s.route_name for s in port.servers] == ["https.443.one.a.edge", "https.443.two.a.edge", ""]
    assert [s.sni_hosts for s in port.servers] == [("a.com",), ("b.com",), ("c.com",)]
    assert [s.is_https for s in port.servers] == [True, True, False]


def test_of_equal_server_names_the_oldest_wins() -> None:
    mesh = Mesh().gateway("young", https("a.com", "b.com"), age="2024-02-01T00:00:00Z")
    mesh.gateway("old", https("b.com"), namespace="z", age="2024-01-01T00:00:00Z")
    (port,) = mesh.ports
    assert [s.gateway.name for s in port.servers] == ["old"]
    (conflict,) = mesh.merged.conflicts
    assert (conflict.gateway.name, conflict.path, conflict.other.name) == ("young", "hosts", "old")
    assert "b.com on port 443" in conflict.message


def test_equal_names_of_different_namespaces_conflict_since_clients_send_no_namespace() -> None:
    mesh = Mesh().gateway("a", https("ns1/a.com", name="one"), https("ns2/a.com", name="two"))
    assert [len(p.servers) for p in mesh.ports] == [1]
    assert [c.index for c in mesh.merged.conflicts] == [1]


def test_protocols_that_cannot_share_a_port_are_told() -> None:
    mesh = Mesh().gateway(
        "a", server(443), https("a.com"), server(443, "TCP"), server(90, "TCP"), server(90, "TCP", name="t2")
    )
    assert [(p.listen_port, len(p.servers)) for p in mesh.ports] == [(90, 1), (443, 1)]
    assert [(c.index, c.path) for c in mesh.merged.conflicts] == [(1, "port"), (2, "port"), (4, "port")]


def test_different_addresses_do_not_conflict() -> None:
    mesh = Mesh().gateway("a", server(90, "TCP", bind="10.0.0.1"), server(90, "TCP", name="t2", bind="10.0.0.2"))
    assert [p.bind for p in mesh.ports] == ["10.0.0.1", "10.0.0.2"]
    mesh.gateway("h", server(80, bind="10.0.0.3"))
    assert mesh.ports[-1].servers[0].route_name == "http.80.10.0.0.3"


def test_the_service_in_front_maps_ports() -> None:
    mesh = Mesh().gateway("a", server(80), https("a.com"), server(9000, "TCP"))
    mesh.service(web={"port": 80, "targetPort": 8080}, tls={"port": 443, "targetPort": "secure"})
    assert [p.listen_port for p in mesh.ports] == [443, 8080, 9000], "a name that no pod has changes nothing"
    pod = {"metadata": {"name": "p", "namespace": "edge", "labels": {"app": "gw"}}}
    container = {"name": "c", "ports": [{"name": "secure", "containerPort": 8443}]}
    with mesh.engine.change() as tx:
        tx.set(PODS, Key("edge", "p"), msgspec.convert({**pod, "spec": {"containers": [container]}}, Pod))
    plain, tls = mesh.ports[0], mesh.ports[1]
    assert (plain.listen_port, plain.servers[0].number, plain.servers[0].route_name) == (8080, 80, "http.8080")
    assert (tls.listen_port, tls.servers[0].route_name) == (8443, "https.443.https.a.edge")


def test_credentials_of_terminating_servers() -> None:
    mesh = Mesh().gateway(
        "a",
        https("a.com", name="a", credential="one"),
        https("b.com", name="b", credential="two", mode="MUTUAL"),
        server(
            443, "HTTPS", ("c.com",), "c", tls={"mode": "MUTUAL", "credentialName": "x", "caCertCredentialName": "ca"}
        ),
        server(
            443,
            "HTTPS",
            ("d.com",),
            "d",
            tls={"mode": "SIMPLE", "credentialNames": ["rsa", "kubernetes-gateway://n/e"]},
        ),
        server(443, "TLS", ("e.com",), "e", tls={"mode": "ISTIO_MUTUAL"}),
        server(443, "TLS", ("f.com",), "f", tls={"mode": "PASSTHROUGH"}),
        server(80, tls={"httpsRedirect": True}),
    )
    assert mesh.engine.get(credentials, VIEW) == (
        "kubernetes-gateway://n/e",
        "kubernetes://ca-cacert",
        "kubernetes://one",
        "kubernetes://rsa",
        "kubernetes://two",
        "kubernetes://two-cacert",
        "kubernetes://x",
    )
    assert [s.redirects_to_https for s in mesh.ports[0].servers] == [True]


def test_a_pod_that_does_not_matter_recomputes_no_servers() -> None:
    mesh = Mesh().gateway("a", server(80)).service(web={"port": 80, "targetPort": "web"})
    assert [s.listen_port for p in mesh.ports for s in p.servers] == [80]
    before = mesh.engine.statistics().queries["gateways.gateway_ports"].computed
    raw = {"metadata": {"name": "p", "namespace": "edge", "labels": {"app": "other"}}}
    with mesh.engine.change() as tx:
        tx.set(PODS, Key("edge", "p"), msgspec.convert(raw, Pod))
    assert mesh.ports
    assert mesh.engine.statistics().queries["gateways.gateway_ports"].computed == before
    assert [s.gateway.name for s in gateway_servers_of(mesh)] == ["a"]


def gateway_servers_of(mesh: Mesh) -> tuple[Any, ...]:
    from lateen.engine import Reader, query

    @query
    def read(db: Reader) -> tuple[Any, ...]:
        return gateway_servers(db, VIEW)

    return mesh.engine.get(read)
