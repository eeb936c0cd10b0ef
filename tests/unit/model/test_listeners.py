"""The plan of outbound listeners: what shares one, who wins, what is told."""

from __future__ import annotations

from typing import Any

from lateen.api.objects import Key
from lateen.model.listen_form import listen_form
from lateen.model.listeners import OutboundPlan, outbound_plan
from lateen.model.proxy import Interception, Traits
from lateen.model.scope import ScopeKey
from lateen.testing import mesh as testing


class Mesh(testing.Mesh):
    def service(
        self, name: str, *ports: tuple[str, int], ip: str = "10.0.0.1", created: str = "2024-01-01T00:00:00Z"
    ) -> Mesh:
        listed = [{"name": kind, "port": number} for kind, number in ports]
        metadata = {"name": name, "namespace": "apps", "creationTimestamp": created}
        self.apply({"kind": "Service", "metadata": metadata, "spec": {"clusterIP": ip, "ports": listed}})
        return self

    def external(self, host: str, protocol: str, port: int, *addresses: str, **rest: Any) -> Mesh:
        ports = [{"number": port, "name": "p", "protocol": protocol}]
        spec = {"hosts": [host], "ports": ports, "addresses": list(addresses), "resolution": "NONE", **rest}
        self.apply({"kind": "ServiceEntry", "metadata": {"name": host.strip("*."), "namespace": "apps"}, "spec": spec})
        return self

    def sidecar(self, **spec: Any) -> Mesh:
        self.apply({"kind": "Sidecar", "metadata": {"name": "s", "namespace": "apps"}, "spec": spec})
        return self

    def plan(self, *, sidecar: bool = False, **traits: Any) -> OutboundPlan:
        key = ScopeKey("apps", Key("apps", "s") if sidecar else None)
        return self.get(outbound_plan, key, listen_form(Traits(**traits), ""))

    def names(self, **rest: Any) -> list[str]:
        return [listener.name for listener in self.plan(**rest).listeners]

    def reasons(self, **rest: Any) -> dict[str, str]:
        return {
            conflict.service.hostname.partition(".")[0]: conflict.reason for conflict in self.plan(**rest).conflicts
        }


def test_equal_addresses_are_told_of() -> None:
    mesh = Mesh().service("old", ("tcp", 1)).service("new", ("tcp", 1), created="2024-02-01T00:00:00Z")
    assert mesh.reasons() == {"new": "old.apps.svc.cluster.local has the same address and port 1, and is older"}


def test_http_never_conflicts() -> None:
    assert Mesh().service("a", ("http", 1)).service("b", ("grpc", 1)).plan().conflicts == ()


def test_servers_that_speak_first_share_no_port_with_http() -> None:
    mesh = Mesh().external("db.com", "MYSQL", 3306)
    mesh.service("web", ("http", 3306), created="2030-01-01T00:00:00Z")
    (listener,) = mesh.plan().listeners
    assert listener.http is None
    assert "speaks first" in mesh.reasons()["web"]
    late = Mesh().service("web", ("http", 3306))
    late.apply(
        {
            "kind": "ServiceEntry",
            "metadata": {"name": "db", "namespace": "apps", "creationTimestamp": "2030-01-01T00:00:00Z"},
            "spec": {"hosts": ["db.com"], "ports": [{"number": 3306, "name": "p", "protocol": "MYSQL"}]},
        }
    )
    assert "cannot share port 3306 with HTTP" in late.reasons()["db"]


def test_sockets_of_the_proxy_itself_are_not_given_away() -> None:
    mesh = Mesh().service("a", ("http", 15002), ("http-b", 15090), ("http-c", 80))
    mesh.mesh_config("proxyHttpPort: 15002")
    assert mesh.names(interception=Interception.NONE) == ["127.0.0.1_15090", "127.0.0.1_80"]
    assert "proxyHttpPort" in mesh.reasons(interception=Interception.NONE)["a"]
    egress = [
        {
            "port": {"number": 15090, "name": "h", "protocol": "HTTP"},
            "bind": "0.0.0.0",
            "captureMode": "NONE",
            "hosts": ["*/*"],
        }
    ]
    assert mesh.sidecar(egress=egress).names(sidecar=True) == []


def test_ingress_listeners_go_before_services_at_loopback() -> None:
    ingress = [
        {
            "port": {"number": 80, "name": "h", "protocol": "HTTP"},
            "bind": "127.0.0.1",
            "defaultEndpoint": "127.0.0.1:8080",
        }
    ]
    mesh = Mesh().service("a", ("http", 80), ("http-b", 81)).sidecar(ingress=ingress)
    assert mesh.names(sidecar=True, interception=Interception.NONE) == ["127.0.0.1_81"]
    assert "ingress listener" in mesh.reasons(sidecar=True, interception=Interception.NONE)["a"]


def test_wildcards_within_a_label_cannot_be_told_by_server_name() -> None:
    mesh = Mesh().external("*.a.com", "TLS", 443)
    (listener,) = mesh.plan().listeners
    assert listener.streams[0].server_names == ("*.a.com",)


def test_at_loopback_server_names_tell_what_addresses_would() -> None:
    """One service has the port for itself; several are told apart."""
    mesh = Mesh().external("a.com", "TLS", 443)
    (listener,) = mesh.plan(interception=Interception.NONE).listeners
    assert [(each.service.hostname, each.server_names) for each in listener.streams] == [("a.com", ())]
    mesh.external("b.com", "HTTPS", 443).external("c.com", "TLS", 443)
    plan = mesh.plan(interception=Interception.NONE)
    (listener,) = plan.listeners
    assert {each.service.hostname: each.server_names for each in listener.streams} == {
        "a.com": ("a.com",),
        "b.com": ("b.com",),
        "c.com": ("c.com",),
    }
    assert plan.conflicts == ()


def test_at_loopback_services_of_the_cluster_are_not_told_by_server_name() -> None:
    mesh = Mesh().service("a", ("tls", 443)).external("b.com", "TLS", 443)
    plan = mesh.plan(interception=Interception.NONE)
    assert [each.server_names for listener in plan.listeners for each in listener.streams] == [()]
    assert len(plan.conflicts) == 1


def test_automatic_addresses_only_for_applications_that_are_told_them() -> None:
    mesh = Mesh().external("db.com", "TCP", 5432, resolution="DNS")
    assert mesh.names() == ["0.0.0.0_5432"]
    (name,) = mesh.names(dns_capture=True)
    assert name.startswith("240.240.")


def test_several_addresses_of_one_service() -> None:
    mesh = Mesh().external("db.com", "TCP", 5432, "10.1.0.1", "10.1.0.2", "10.2.0.0/16")
    assert mesh.names() == ["0.0.0.0_5432", "10.1.0.1_5432", "10.1.0.2_5432"]


def test_namespaces_with_nothing_of_their_own_share_a_plan() -> None:
    mesh = Mesh().service("a", ("tcp", 1))
    form = listen_form(Traits(), "")
    assert mesh.get(outbound_plan, ScopeKey("", None), form).listeners == mesh.plan().listeners


def test_a_generic_http_proxy_takes_no_sockets_either() -> None:
    ingress = [
        {
            "port": {"number": 3128, "name": "h", "protocol": "HTTP"},
            "bind": "127.0.0.1",
            "defaultEndpoint": "127.0.0.1:8080",
        }
    ]
    egress = [{"port": {"number": 3128, "name": "p", "protocol": "HTTP_PROXY"}, "hosts": ["./*"]}]
    mesh = Mesh().service("a", ("http", 80)).sidecar(ingress=ingress, egress=egress)
    assert mesh.names(sidecar=True, interception=Interception.NONE) == []
    assert "ingress listener" in mesh.reasons(sidecar=True, interception=Interception.NONE)["*"]


def test_one_service_of_grpc_web_is_enough() -> None:
    (listener,) = Mesh().service("a", ("http", 80)).service("b", ("grpc-web", 80)).plan().listeners
    assert listener.http is not None
    assert listener.http.grpc_web
