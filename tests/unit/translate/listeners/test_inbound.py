"""Inbound listeners: who is let in how, port by port; judged by Envoy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2

from lateen.api.objects import Key
from lateen.model.inbound_ports import inbound_conflicts
from lateen.model.proxy import InboundView, Interception, Traits
from lateen.testing import mesh as testing
from lateen.testing.certificates import Authority
from lateen.testing.envoy import accepts, decoded
from lateen.translate.listeners.inbound import listing
from lateen.translate.resource import Resource, ResourceType
from lateen.translate.secrets.inbound import listing as inbound_secrets

MESH_ALPN = ("istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2")
Way = tuple[str, str, tuple[str, ...], bool]
"""`http` or `tcp`; transport; ALPN; whether TLS ends here."""


def view(*, sidecar: Key | None = None, addresses: tuple[str, ...] = (), **traits: Any) -> InboundView:
    return InboundView("apps", (("app", "a"),), "sa", sidecar, "", "", Traits(**traits), addresses)


class Mesh(testing.Mesh):
    def service(self, name: str, *ports: dict[str, Any], created: str = "2024-01-01T00:00:00Z") -> Mesh:
        metadata = {"name": name, "namespace": "apps", "creationTimestamp": created}
        spec = {"clusterIP": "10.0.0.1", "selector": {"app": "a"}, "ports": list(ports)}
        self.apply({"kind": "Service", "metadata": metadata, "spec": spec})
        return self

    def mode(self, mode: str, **ports: str) -> Mesh:
        levels = {number.removeprefix("p"): {"mode": asked} for number, asked in ports.items()}
        spec = {"selector": {"matchLabels": {"app": "a"}}, "mtls": {"mode": mode}, "portLevelMtls": levels}
        metadata = {"name": "pa", "namespace": "apps"}
        spec = spec if levels else {"selector": spec["selector"], "mtls": spec["mtls"]}
        self.apply({"kind": "PeerAuthentication", "metadata": metadata, "spec": spec})
        return self

    def sidecar(self, *ingress: dict[str, Any]) -> Mesh:
        metadata = {"name": "s", "namespace": "apps"}
        self.apply({"kind": "Sidecar", "metadata": metadata, "spec": {"ingress": list(ingress)}})
        return self

    def made(self, seen: InboundView | None = None) -> list[Resource]:
        return [self.make(recipe) for recipe in self.engine.get(listing, seen or view())]

    def listeners(self, seen: InboundView | None = None) -> dict[str, Any]:
        return {resource.name: decoded(ResourceType.LDS, resource) for resource in self.made(seen)}


def port(number: int, name: str = "", target: int | None = None) -> dict[str, Any]:
    return {"port": number, "name": name, "targetPort": target or number}


def is_http(chain: Any) -> bool:
    return bool(chain.filters[-1].name == "envoy.filters.network.http_connection_manager")


def ways(listener: Any, number: int = 0) -> list[Way]:
    """How callers are let in at a port."""
    found = []
    for chain in listener.filter_chains:
        match = chain.filter_chain_match
        if match.destination_port.value == number:
            kind = "http" if is_http(chain) else "tcp"
            terminates = chain.HasField("transport_socket")
            found.append((kind, match.transport_protocol, tuple(match.application_protocols), terminates))
    return found


def chains(listener: Any, number: int) -> list[Any]:
    return [chain for chain in listener.filter_chains if chain.filter_chain_match.destination_port.value == number]


def cluster(chain: Any) -> str:
    if is_http(chain):
        manager = hcm_pb2.HttpConnectionManager()
        chain.filters[-1].typed_config.Unpack(manager)
        return str(manager.route_config.virtual_hosts[0].routes[0].route.cluster)
    proxy = tcp_proxy_pb2.TcpProxy()
    chain.filters[-1].typed_config.Unpack(proxy)
    return str(proxy.cluster)


def manager(chain: Any) -> Any:
    found = hcm_pb2.HttpConnectionManager()
    assert chain.filters[-1].typed_config.Unpack(found)
    return found


PLAIN_HTTP: Way = ("http", "raw_buffer", (), False)
PLAIN_TCP: Way = ("tcp", "raw_buffer", (), False)
FOREIGN_TLS: Way = ("tcp", "tls", (), False)
SNIFFED_HTTP: Way = ("http", "raw_buffer", ("http/1.1", "h2c"), False)
MESH_HTTP: Way = ("http", "tls", MESH_ALPN[2:], True)


@pytest.mark.parametrize(
    ("mode", "name", "expected"),
    [
        ("PERMISSIVE", "http", [("http", "tls", MESH_ALPN, True), PLAIN_HTTP]),
        ("PERMISSIVE", "tcp", [("tcp", "tls", MESH_ALPN, True), PLAIN_TCP, FOREIGN_TLS]),
        (
            "PERMISSIVE",
            "",
            [MESH_HTTP, ("tcp", "tls", MESH_ALPN[:2], True), SNIFFED_HTTP, PLAIN_TCP, FOREIGN_TLS],
        ),
        ("STRICT", "http", [("http", "tls", (), True)]),
        ("STRICT", "tcp", [("tcp", "tls", (), True)]),
        ("STRICT", "", [MESH_HTTP, ("tcp", "tls", (), True)]),
        ("DISABLE", "http", [PLAIN_HTTP]),
        ("DISABLE", "tcp", [PLAIN_TCP]),
        ("DISABLE", "", [SNIFFED_HTTP, PLAIN_TCP]),
    ],
)
def test_who_is_let_in_how(mode: str, name: str, expected: list[Way]) -> None:
    listener = Mesh().service("a", port(9000, name, 8080)).mode(mode).listeners()["virtualInbound"]
    assert ways(listener, 8080) == expected
    assert {cluster(chain) for chain in chains(listener, 8080)} == {"inbound|8080||"}


def test_other_ports_are_passed_on_as_the_workload_asks() -> None:
    listener = (
        Mesh()
        .service("a", port(80, "http"))
        .mode("STRICT", p9999="DISABLE", p80="PERMISSIVE")
        .listeners()["virtualInbound"]
    )
    assert ways(listener) == [MESH_HTTP, ("tcp", "tls", (), True)]
    assert ways(listener, 9999) == [SNIFFED_HTTP, PLAIN_TCP]
    assert {cluster(chain) for number in (0, 9999) for chain in chains(listener, number)} == {
        "InboundPassthroughCluster"
    }
    assert ways(listener, 80) == [("http", "tls", MESH_ALPN, True), PLAIN_HTTP]


def test_the_listener_itself() -> None:
    listener = Mesh().service("a", port(80, "http")).listeners()["virtualInbound"]
    assert listener.address.socket_address.port_value == 15006
    assert listener.filter_chains[0].name == "virtualInbound-blackhole"
    assert listener.filter_chains[0].filter_chain_match.destination_port.value == 15006
    assert cluster(listener.filter_chains[0]) == "BlackHoleCluster"
    names = [each.name.rpartition(".")[2] for each in listener.listener_filters]
    assert names == ["original_dst", "tls_inspector", "http_inspector"]
    assert listener.continue_on_listener_filters_timeout


def test_ports_are_looked_into_only_where_it_matters() -> None:
    mesh = Mesh().service("a", port(80, "http"), port(3306, "mysql"), port(9000)).mode("PERMISSIVE", p3306="DISABLE")
    tls, http = mesh.listeners()["virtualInbound"].listener_filters[1:]
    excluded = tls.filter_disabled.destination_port_range
    assert (excluded.start, excluded.end) == (3306, 3307), "its server may speak first"
    disabled = [rule.destination_port_range.start for rule in http.filter_disabled.or_match.rules]
    assert disabled == [80, 3306]
    only = mesh.mode("DISABLE", p80="STRICT").listeners()["virtualInbound"].listener_filters[1]
    assert only.filter_disabled.not_match.destination_port_range.start == 80


def test_http_knows_its_callers_and_its_routes() -> None:
    listener = Mesh().service("a", port(80, "grpc", 8080)).listeners()["virtualInbound"]
    found = manager(chains(listener, 8080)[0])
    assert found.stat_prefix == "inbound_0.0.0.0_8080;"
    assert found.forward_client_cert_details == hcm_pb2.HttpConnectionManager.APPEND_FORWARD
    told = found.set_current_client_cert_details
    assert (told.subject.value, told.uri, told.dns, told.cert, told.chain) == (True, True, True, False, False)
    assert not found.use_remote_address.value
    assert found.HasField("http2_protocol_options")
    assert found.route_config.name == "inbound|8080||"
    assert found.route_config.virtual_hosts[0].name == "inbound|http|80"
    operation = found.route_config.virtual_hosts[0].routes[0].decorator.operation
    assert operation == "a.apps.svc.cluster.local:80/*"
    names = [each.name for each in found.http_filters]
    assert "envoy.filters.http.stateful_session" not in names
    assert names[-1] == "envoy.filters.http.router"


def test_forwarded_certificates_as_configured() -> None:
    mesh = Mesh().service("a", port(80, "http"))
    mesh.mesh_config(
        "defaultConfig: {proxyHeaders: {forwardedClientCert: SANITIZE_SET, "
        "setCurrentClientCertDetails: {subject: false, cert: true}}}"
    )
    found = manager(chains(mesh.listeners()["virtualInbound"], 80)[0])
    assert found.forward_client_cert_details == hcm_pb2.HttpConnectionManager.SANITIZE_SET
    told = found.set_current_client_cert_details
    assert (told.subject.value, told.uri, told.cert) == (False, True, True)


def test_mutual_tls_takes_callers_of_the_mesh_alone() -> None:
    mesh = Mesh().service("a", port(80, "http")).mode("STRICT")
    mesh.mesh_config("{trustDomain: td, trustDomainAliases: [old], meshMTLS: {minProtocolVersion: TLSV1_3}}")
    context = tls_pb2.DownstreamTlsContext()
    chains(mesh.listeners()["virtualInbound"], 80)[0].transport_socket.typed_config.Unpack(context)
    assert context.require_client_certificate.value
    common = context.common_tls_context
    assert common.tls_certificate_sds_secret_configs[0].name == "default"
    combined = common.combined_validation_context
    assert combined.validation_context_sds_secret_config.name == "ROOTCA"
    matchers = combined.default_validation_context.match_typed_subject_alt_names
    assert [matcher.matcher.prefix for matcher in matchers] == ["spiffe://td/", "spiffe://old/"]
    assert common.tls_params.tls_minimum_protocol_version == common_pb2.TlsParameters.TLSv1_3


def test_of_several_services_the_oldest_says_what_a_port_speaks() -> None:
    mesh = (
        Mesh()
        .service("new", port(80, "tcp", 8080), created="2024-02-01T00:00:00Z")
        .service("old", port(81, "http", 8080))
    )
    assert ways(mesh.listeners()["virtualInbound"], 8080)[0][0] == "http"
    (conflict,) = mesh.get(inbound_conflicts, view())
    assert (conflict.service.hostname.partition(".")[0], conflict.number) == ("new", 8080)


def test_without_capture_only_a_sidecar_says_what_to_listen_for() -> None:
    mesh = Mesh().service("a", port(80, "http"))
    assert mesh.listeners(view(interception=Interception.NONE)) == {}
    mesh.sidecar({"port": {"number": 9080, "protocol": "HTTP", "name": "h"}, "defaultEndpoint": "127.0.0.1:8080"})
    seen = view(interception=Interception.NONE, sidecar=Key("apps", "s"), addresses=("10.1.1.1",))
    listener = mesh.listeners(seen)["10.1.1.1_9080"]
    assert listener.address.socket_address.address == "10.1.1.1"
    assert [each.name.rpartition(".")[2] for each in listener.listener_filters] == ["tls_inspector"]
    assert ways(listener) == [("http", "tls", MESH_ALPN, True), PLAIN_HTTP]
    path = listener.filter_chains[0].metadata.filter_metadata["istio"]["config"]
    assert path == "/apis/networking.istio.io/v1/namespaces/apps/sidecar/s"


def test_ingress_listeners_stand_in_for_services() -> None:
    mesh = Mesh().service("a", port(80, "http"), port(81, "http"))
    mesh.sidecar(
        {"port": {"number": 80, "protocol": "TCP", "name": "t"}},
        {"port": {"number": 9443, "protocol": "TCP", "name": "u"}, "bind": "127.0.0.5", "captureMode": "NONE"},
    )
    listeners = mesh.listeners(view(sidecar=Key("apps", "s")))
    assert sorted(listeners) == ["127.0.0.5_9443", "virtualInbound"]
    assert ways(listeners["virtualInbound"], 80)[0][0] == "tcp"
    assert ways(listeners["virtualInbound"], 81) == []


def test_own_tls_of_a_port_where_the_mesh_asks_for_none() -> None:
    tls = {"mode": "SIMPLE", "serverCertificate": "/c", "privateKey": "/k"}
    mesh = Mesh().sidecar({"port": {"number": 9443, "protocol": "HTTPS", "name": "h"}, "tls": tls})
    seen = view(sidecar=Key("apps", "s"))
    assert ways(mesh.listeners(seen)["virtualInbound"], 9443)[0] == ("tcp", "tls", MESH_ALPN, True)
    mesh.mode("DISABLE")
    listener = mesh.listeners(seen)["virtualInbound"]
    assert ways(listener, 9443) == [("http", "tls", (), True)]
    context = tls_pb2.DownstreamTlsContext()
    chains(listener, 9443)[0].transport_socket.typed_config.Unpack(context)
    (reference,) = context.common_tls_context.tls_certificate_sds_secret_configs
    assert reference.name == "file-cert:///c~/k"
    (recipe,) = mesh.engine.get(inbound_secrets, seen)
    assert recipe.name == reference.name
    assert decoded(ResourceType.SDS, mesh.make(recipe)).tls_certificate.private_key.filename == "/k"


def test_statistics_are_named_as_configured() -> None:
    mesh = Mesh().service("a", port(9, "tcp", 99)).mode("DISABLE")
    mesh.mesh_config("inboundClusterStatName: '%SERVICE%_%TARGET_PORT%'")
    proxy = tcp_proxy_pb2.TcpProxy()
    chains(mesh.listeners()["virtualInbound"], 99)[0].filters[-1].typed_config.Unpack(proxy)
    assert proxy.stat_prefix == "a.apps_99;"


def test_replicas_share_everything() -> None:
    mesh = Mesh().service("a", port(80, "http"))
    first = mesh.engine.get(listing, view())
    assert mesh.engine.get(listing, view(addresses=("10.1.1.1",))) == first


def test_envoy_accepts_them_all(tmp_path: Path) -> None:
    authority = Authority()
    certificates = authority.workload(tmp_path / "sds", "spiffe://cluster.local/ns/apps/sa/sa")
    pair = authority.issue("a.com")
    (tmp_path / "c").write_text(pair.certificate)
    (tmp_path / "k").write_text(pair.key)
    own = {"mode": "SIMPLE", "serverCertificate": str(tmp_path / "c"), "privateKey": str(tmp_path / "k")}
    ports = (port(80, "http"), port(81, "grpc"), port(82, "tcp"), port(83), port(84, "mongo"), port(85, "https"))
    found: list[Resource] = []
    for mode in ("STRICT", "PERMISSIVE", "DISABLE"):
        mesh = Mesh().service("a", *ports).mode(mode, p81="STRICT", p82="DISABLE", p99="PERMISSIVE", p98="STRICT")
        mesh.mesh_config("{trustDomainAliases: [old], meshMTLS: {minProtocolVersion: TLSV1_3}}")
        found += mesh.made(view(certificates=certificates))
        found += mesh.made(view(certificates=certificates, ipv6=True, interception=Interception.TPROXY))
        mesh.sidecar(
            {"port": {"number": 9443, "protocol": "HTTPS", "name": "h"}, "tls": own},
            {"port": {"number": 9444, "protocol": "TLS", "name": "t"}, "tls": own, "captureMode": "NONE"},
            {"port": {"number": 9080, "protocol": "HTTP", "name": "p"}, "defaultEndpoint": "unix:///run/a.sock"},
        )
        found += mesh.made(view(certificates=certificates, sidecar=Key("apps", "s")))
        none = view(certificates=certificates, sidecar=Key("apps", "s"), interception=Interception.NONE)
        found += mesh.made(none)
    assert len(found) == 3 * 7
    accepts({ResourceType.LDS: found})
