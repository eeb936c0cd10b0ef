"""Outbound listeners: their chains, and Envoy's judgement of all of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2

from lateen.api.objects import Key
from lateen.model.endpoint import Locality
from lateen.model.proxy import Interception, OutboundView, Traits
from lateen.testing import mesh as testing
from lateen.testing.envoy import accepts, decoded
from lateen.testing.mesh import endpoint_slice
from lateen.translate.listeners.outbound import listing
from lateen.translate.resource import Resource, ResourceType


def view(*, sidecar: Key | None = None, labels: tuple[tuple[str, str], ...] = (), **traits: Any) -> OutboundView:
    return OutboundView("apps", labels, sidecar, Locality(), "", "", "", Traits(**traits))


class Mesh(testing.Mesh):
    def service(self, name: str, *ports: dict[str, Any], ip: str | None = "10.0.0.1", created: str = "") -> Mesh:
        metadata = {"name": name, "namespace": "apps", **({"creationTimestamp": created} if created else {})}
        spec = {"clusterIP": ip or "None", "selector": {"app": name}, "ports": ports}
        self.apply({"kind": "Service", "metadata": metadata, "spec": spec})
        return self

    def add(self, kind: str, name: str, spec: dict[str, Any]) -> Mesh:
        self.apply({"kind": kind, "metadata": {"name": name, "namespace": "apps"}, "spec": spec})
        return self

    def external(self, name: str, host: str, *ports: tuple[int, str], addresses: tuple[str, ...] = ()) -> Mesh:
        listed = [{"number": number, "name": f"p{number}", "protocol": protocol} for number, protocol in ports]
        spec = {"hosts": [host], "ports": listed, "addresses": list(addresses), "resolution": "NONE"}
        return self.add("ServiceEntry", name, spec)

    def config(self, **fields: Any) -> Mesh:
        self.mesh_config(json.dumps(fields))
        return self

    def made(self, seen: OutboundView | None = None) -> list[Resource]:
        recipes = self.engine.get(listing, seen or view())
        return [self.engine.get(recipe.query, *recipe.args) for recipe in recipes]

    def listeners(self, seen: OutboundView | None = None) -> dict[str, Any]:
        found = self.made(seen)
        assert all(recipe.name == resource.name for recipe, resource in zip(self.listed(seen), found, strict=True))
        return {resource.name: decoded(ResourceType.LDS, resource) for resource in found}

    def listed(self, seen: OutboundView | None = None) -> Any:
        return self.engine.get(listing, seen or view())


def port(number: int, name: str = "", protocol: str = "TCP") -> dict[str, Any]:
    return {"port": number, "name": name, "protocol": protocol}


def filters(chain: Any) -> list[str]:
    return [each.name.rpartition(".")[2] for each in chain.filters]


def config_of(chain: Any) -> Any:
    """The last filter's configuration."""
    any_ = chain.filters[-1].typed_config
    message = (hcm_pb2.HttpConnectionManager if "http_connection" in any_.type_url else tcp_proxy_pb2.TcpProxy)()
    any_.Unpack(message)
    return message


def inspectors(listener: Any) -> list[str]:
    return [each.name.rpartition(".")[2] for each in listener.listener_filters]


def tcp_targets(listener: Any) -> dict[tuple[str, ...], str]:
    """Clusters by what their chains match; `()` for the default."""
    found = {}
    for chain in listener.filter_chains:
        if filters(chain)[-1] == "tcp_proxy":
            match = chain.filter_chain_match
            prefixes = [f"{p.address_prefix}/{p.prefix_len.value}" for p in match.prefix_ranges]
            found[tuple(prefixes) + tuple(match.server_names)] = config_of(chain).cluster
    if listener.HasField("default_filter_chain"):
        found[()] = config_of(listener.default_filter_chain).cluster
    return found


def test_http_services_share_one_listener_per_port() -> None:
    mesh = Mesh().service("a", port(80, "http")).service("b", port(80, "grpc"), port(81, "http"), ip="10.0.0.2")
    listeners = mesh.listeners()
    assert sorted(listeners) == ["0.0.0.0_80", "0.0.0.0_81", "virtualOutbound"]
    shared = listeners["0.0.0.0_80"]
    assert not shared.bind_to_port.value
    assert inspectors(shared) == ["tls_inspector", "http_inspector"]
    (chain,) = shared.filter_chains
    assert list(chain.filter_chain_match.application_protocols) == ["http/1.1", "h2c"]
    assert chain.filter_chain_match.transport_protocol == "raw_buffer"
    manager = config_of(chain)
    assert manager.rds.route_config_name == "80"
    assert manager.HasField("stream_idle_timeout")
    assert manager.stream_idle_timeout.seconds == 0
    names = [each.name.rpartition(".")[2] for each in manager.http_filters]
    assert names == ["grpc_stats", "fault", "cors", "stateful_session", "safe_retries", "router"]
    assert config_of(shared.default_filter_chain).cluster == "PassthroughCluster"


def test_byte_streams_have_a_listener_at_their_address() -> None:
    listeners = Mesh().service("a", port(5432, "tcp"), port(27017, "mongo")).listeners()
    assert sorted(listeners) == ["10.0.0.1_27017", "10.0.0.1_5432", "virtualOutbound"]
    plain, mongo = listeners["10.0.0.1_5432"], listeners["10.0.0.1_27017"]
    assert inspectors(plain) == [], "a server that speaks first must not wait"
    assert filters(plain.filter_chains[0]) == ["tcp_proxy"]
    assert config_of(plain.filter_chains[0]).cluster == "outbound|5432||a.apps.svc.cluster.local"
    assert filters(mongo.filter_chains[0]) == ["mongo_proxy", "tcp_proxy"]


def test_undeclared_ports_are_looked_into_and_announced() -> None:
    listener = Mesh().service("a", port(9000)).listeners()["10.0.0.1_9000"]
    assert inspectors(listener) == ["tls_inspector", "http_inspector"]
    (chain,) = listener.filter_chains
    manager = config_of(chain)
    assert manager.rds.route_config_name == "a.apps.svc.cluster.local:9000"
    assert "envoy.filters.http.set_filter_state" in [each.name for each in manager.http_filters]
    assert config_of(listener.default_filter_chain).cluster == "outbound|9000||a.apps.svc.cluster.local"


def test_http_is_announced_wherever_the_other_side_has_to_look_for_it() -> None:
    def announces(mesh: Mesh, name: str) -> bool:
        manager = config_of(mesh.listeners(view(interception=Interception.NONE))[name].filter_chains[0])
        return "envoy.filters.http.set_filter_state" in [each.name for each in manager.http_filters]

    mesh = Mesh().service("a", port(80, "http")).service("b", port(81, "http")).service("c", port(81))
    assert not announces(mesh, "127.0.0.1_80")
    assert announces(mesh, "127.0.0.1_81")
    mesh.external("ext", "ext.example.com", (81, "HTTP"))
    assert not announces(mesh, "127.0.0.1_81"), "those outside would be asked for what they do not know"


def test_well_known_server_first_ports_are_not_looked_into() -> None:
    assert inspectors(Mesh().service("db", port(3306)).listeners()["10.0.0.1_3306"]) == []


def test_detection_has_no_timeout_unless_configured() -> None:
    mesh = Mesh().service("a", port(9000), port(5432, "tcp"))
    listeners = mesh.listeners()
    assert all(listeners[name].HasField("listener_filters_timeout") for name in ("10.0.0.1_9000", "10.0.0.1_5432"))
    assert listeners["10.0.0.1_9000"].listener_filters_timeout.ToMilliseconds() == 0
    mesh.config(protocolDetectionTimeout="100ms")
    listeners = mesh.listeners()
    assert listeners["10.0.0.1_9000"].listener_filters_timeout.ToMilliseconds() == 100
    assert listeners["10.0.0.1_9000"].continue_on_listener_filters_timeout
    assert listeners["10.0.0.1_5432"].listener_filters_timeout.ToMilliseconds() == 0


def test_http_and_byte_streams_meet_on_a_port_without_addresses() -> None:
    mesh = Mesh().service("web", port(8000, "http")).external("ext", "db.example.com", (8000, "TCP"))
    listener = mesh.listeners()["0.0.0.0_8000"]
    assert tcp_targets(listener) == {(): "outbound|8000||db.example.com"}
    assert [filters(chain) for chain in listener.filter_chains] == [["http_connection_manager"]]


def test_address_ranges_and_server_names_share_a_port() -> None:
    mesh = Mesh().external("range", "range.example.com", (443, "TCP"), addresses=("10.1.0.0/16",))
    mesh.external("one", "one.example.com", (443, "TCP"), addresses=("10.2.0.1/32",))
    mesh.external("tls", "tls.example.com", (443, "TLS")).external("https", "https.example.com", (443, "HTTPS"))
    listeners = mesh.listeners()
    assert tcp_targets(listeners["0.0.0.0_443"]) == {
        ("10.1.0.0/16",): "outbound|443||range.example.com",
        ("tls.example.com",): "outbound|443||tls.example.com",
        ("https.example.com",): "outbound|443||https.example.com",
        (): "PassthroughCluster",
    }
    assert inspectors(listeners["0.0.0.0_443"]) == ["tls_inspector"]
    assert "10.2.0.1_443" in listeners


def test_headless_services_of_byte_streams_are_listened_for_at_each_endpoint() -> None:
    mesh = Mesh().service("db", port(5432, "tcp"), port(80, "http"), ip=None)
    assert sorted(mesh.listeners()) == ["0.0.0.0_80", "virtualOutbound"]
    slices = endpoint_slice("db", "apps", ports={"tcp": 5432, "http": 80}, addresses=("10.9.0.1", "10.9.0.2"))
    mesh.apply(slices)
    assert sorted(mesh.listeners()) == ["0.0.0.0_80", "10.9.0.1_5432", "10.9.0.2_5432", "virtualOutbound"]


def test_other_endpoints_do_not_matter() -> None:
    mesh = Mesh().service("a", port(80, "http"), port(5432, "tcp"))
    before = mesh.listed()
    count = mesh.engine.statistics().queries["outbound.client_listing"].computed
    mesh.apply(endpoint_slice("a", "apps", ports={"http": 80, "tcp": 5432}, addresses=("10.9.0.1",)))
    assert mesh.listed() == before
    assert mesh.engine.statistics().queries["outbound.client_listing"].computed == count


def test_of_two_services_at_one_place_the_older_wins() -> None:
    mesh = Mesh().service("new", port(1, "tcp"), created="2024-02-01T00:00:00Z")
    mesh.service("old", port(1, "tcp"), created="2024-01-01T00:00:00Z")
    assert tcp_targets(mesh.listeners()["10.0.0.1_1"]) == {(): "outbound|1||old.apps.svc.cluster.local"}


def test_udp_has_no_listener() -> None:
    assert sorted(Mesh().service("dns", port(53, "dns", "UDP")).listeners()) == ["virtualOutbound"]


def test_without_capture_ports_are_bound_at_loopback() -> None:
    mesh = Mesh().service("a", port(80, "http"), port(5432, "tcp")).service("b", port(80, "http"), ip="10.0.0.2")
    listeners = mesh.listeners(view(interception=Interception.NONE))
    assert sorted(listeners) == ["127.0.0.1_5432", "127.0.0.1_80"]
    http = listeners["127.0.0.1_80"]
    assert not http.HasField("bind_to_port")
    assert inspectors(http) == []
    assert config_of(http.filter_chains[0]).rds.route_config_name == "80"


def test_unprivileged_proxies_bind_no_low_ports() -> None:
    mesh = Mesh().service("a", port(80, "http"), port(8080, "http"))
    assert sorted(mesh.listeners(view(interception=Interception.NONE, privileged_ports=False))) == ["127.0.0.1_8080"]
    assert "0.0.0.0_80" in mesh.listeners(view(privileged_ports=False))


def test_both_families() -> None:
    mesh = Mesh().service("a", port(80, "http")).service("b", port(5, "tcp"), ip="fd00::1")
    both = mesh.listeners(view(ipv6=True))
    assert [a.address.socket_address.address for a in both["0.0.0.0_80"].additional_addresses] == ["::"]
    assert [a.address.socket_address.address for a in both["virtualOutbound"].additional_addresses] == ["::"]
    assert "fd00::1_5" in both
    six = mesh.listeners(view(ipv4=False, ipv6=True))
    assert sorted(six) == ["::_80", "fd00::1_5", "virtualOutbound"]


@pytest.mark.parametrize(
    ("policy", "cluster"),
    [({"mode": "ALLOW_ANY"}, "PassthroughCluster"), ({"mode": "REGISTRY_ONLY"}, "BlackHoleCluster")],
)
def test_unknown_destinations(policy: dict[str, Any], cluster: str) -> None:
    mesh = Mesh().config(outboundTrafficPolicy=policy).service("a", port(80, "http"))
    listeners = mesh.listeners()
    virtual = listeners["virtualOutbound"]
    assert virtual.use_original_dst.value
    assert virtual.address.socket_address.port_value == 15001
    black_hole, rest = virtual.filter_chains
    assert black_hole.filter_chain_match.destination_port.value == 15001
    assert config_of(black_hole).cluster == "BlackHoleCluster"
    assert config_of(rest).cluster == cluster
    assert tcp_targets(listeners["0.0.0.0_80"]) == {(): cluster}


def test_unknown_destinations_through_an_egress_proxy() -> None:
    policy = {"mode": "ALLOW_ANY", "egressProxy": {"host": "proxy.apps.svc.cluster.local", "port": {"number": 9090}}}
    mesh = Mesh().service("proxy", port(9090, "tcp")).add("Sidecar", "s", {"outboundTrafficPolicy": policy})
    seen = view(sidecar=Key("apps", "s"))
    virtual = mesh.listeners(seen)["virtualOutbound"]
    assert config_of(virtual.filter_chains[1]).cluster == "outbound|9090||proxy.apps.svc.cluster.local"


def test_egress_listeners_of_a_sidecar() -> None:
    mesh = Mesh().service("a", port(80, "http"), port(5432, "tcp")).service("b", port(80, "http"), ip="10.0.0.2")
    egress = [
        {"port": {"number": 80, "protocol": "HTTP", "name": "h"}, "hosts": ["./a.apps.svc.cluster.local"]},
        {
            "port": {"number": 5432, "protocol": "TCP", "name": "t"},
            "bind": "127.0.0.7",
            "captureMode": "NONE",
            "hosts": ["./*"],
        },
        {"port": {"number": 0, "protocol": "HTTP", "name": "u"}, "bind": "unix:///run/app.sock", "hosts": ["./*"]},
        {"port": {"number": 3128, "protocol": "HTTP_PROXY", "name": "p"}, "hosts": ["./*"]},
        {"hosts": ["./*"]},
    ]
    mesh.add("Sidecar", "s", {"egress": egress})
    listeners = mesh.listeners(view(sidecar=Key("apps", "s")))
    assert sorted(listeners) == [
        "0.0.0.0_3128",
        "0.0.0.0_80",
        "10.0.0.1_5432",
        "127.0.0.7_5432",
        "unix:///run/app.sock_0",
        "virtualOutbound",
    ]
    assert not listeners["127.0.0.7_5432"].HasField("bind_to_port")
    socket = listeners["unix:///run/app.sock_0"]
    assert socket.address.pipe.path == "/run/app.sock"
    assert config_of(socket.filter_chains[0]).rds.route_config_name == "unix:///run/app.sock"
    proxy = config_of(listeners["0.0.0.0_3128"].filter_chains[0])
    assert proxy.http_protocol_options.allow_absolute_url.value


def test_tcp_routes_by_subnet_port_and_weight() -> None:
    mesh = Mesh().service("a", port(9, "tcp")).service("b", port(9, "tcp"), ip="10.0.0.2")
    to = [{"destination": {"host": "b"}, "weight": 30}, {"destination": {"host": "nowhere"}, "weight": 70}]
    routes = [
        {"match": [{"port": 10}], "route": [{"destination": {"host": "nowhere"}}]},
        {"match": [{"destinationSubnets": ["10.7.0.0/16"]}], "route": [{"destination": {"host": "b"}}]},
        {"match": [{"sourceLabels": {"app": "x"}}], "route": [{"destination": {"host": "nowhere"}}]},
        {"match": [{"port": 9}], "route": to},
        {"route": [{"destination": {"host": "a"}}]},
    ]
    mesh.add("VirtualService", "v", {"hosts": ["a"], "tcp": routes})
    listener = mesh.listeners()["10.0.0.1_9"]
    assert tcp_targets(listener)[("10.7.0.0/16",)] == "outbound|9||b.apps.svc.cluster.local"
    weighted = config_of(listener.default_filter_chain)
    assert weighted.stat_prefix == "v.apps"
    assert [(c.name, c.weight) for c in weighted.weighted_clusters.clusters] == [
        ("outbound|9||b.apps.svc.cluster.local", 30),
        ("BlackHoleCluster", 70),
    ]
    path = listener.default_filter_chain.metadata.filter_metadata["istio"]["config"]
    assert path == "/apis/networking.istio.io/v1/namespaces/apps/virtual-service/v"
    labelled = mesh.listeners(view(labels=(("app", "x"),)))["10.0.0.1_9"]
    assert config_of(labelled.default_filter_chain).cluster == "BlackHoleCluster"


def test_tls_routes_by_server_name() -> None:
    mesh = Mesh().service("a", port(443, "https")).service("b", port(443, "tls"), ip="10.0.0.2")
    match = {"sniHosts": ["x.example.com", "*.y.example.com"], "port": 443}
    mesh.add(
        "VirtualService",
        "v",
        {
            "hosts": ["a", "x.example.com", "*.y.example.com"],
            "tls": [{"match": [match], "route": [{"destination": {"host": "b", "subset": "s"}}]}],
        },
    )
    mesh.add("DestinationRule", "b", {"host": "b", "subsets": [{"name": "s", "labels": {"v": "1"}}]})
    listener = mesh.listeners()["10.0.0.1_443"]
    assert tcp_targets(listener) == {
        ("x.example.com", "*.y.example.com"): "outbound|443|s|b.apps.svc.cluster.local",
        (): "PassthroughCluster",
    }
    assert inspectors(listener) == ["tls_inspector"]


def test_connection_policy_of_destination_rules() -> None:
    policy = {
        "connectionPool": {"tcp": {"idleTimeout": "7s", "maxConnectionDuration": "60s"}},
        "loadBalancer": {"consistentHash": {"useSourceIp": True}},
        "tunnel": {"protocol": "POST", "targetHost": "fd00::5", "targetPort": 443},
    }
    mesh = Mesh().service("a", port(9, "tcp")).add("DestinationRule", "a", {"host": "a", "trafficPolicy": policy})
    proxy = config_of(mesh.listeners()["10.0.0.1_9"].filter_chains[0])
    assert proxy.idle_timeout.seconds == 7
    assert proxy.max_downstream_connection_duration.seconds == 60
    assert proxy.hash_policy[0].HasField("source_ip")
    assert (proxy.tunneling_config.hostname, proxy.tunneling_config.use_post) == ("[fd00::5]:443", True)


def test_statistics_are_named_as_configured() -> None:
    mesh = Mesh().config(outboundClusterStatName="%SERVICE%_%SERVICE_PORT_NAME%").service("a", port(9, "tcp"))
    assert config_of(mesh.listeners()["10.0.0.1_9"].filter_chains[0]).stat_prefix == "a.apps_tcp;"


def test_the_http_proxy_port() -> None:
    listeners = Mesh().config(proxyHttpPort=15002).listeners()
    manager = config_of(listeners["127.0.0.1_15002"].filter_chains[0])
    assert manager.rds.route_config_name == "http_proxy"


def everything() -> Mesh:
    """A mesh with every form of outbound listener in it."""
    mesh = Mesh().config(
        proxyHttpPort=15002,
        pathNormalization={"normalization": "DECODE_AND_MERGE_SLASHES"},
        defaultConfig={
            "proxyHeaders": {
                "server": {"disabled": True},
                "requestId": {"disabled": True},
                "envoyDebugHeaders": {"disabled": True},
                "preserveHttp1HeaderCase": True,
                "xForwardedPort": {"enabled": True},
            }
        },
    )
    mesh.service("a", port(80, "http"), port(9000), port(5432, "tcp"), port(27017, "mongo"), port(6379, "redis"))
    mesh.service("w", port(8081, "grpc-web"), port(443, "https"), ip="10.0.0.3")
    mesh.external("range", "range.example.com", (443, "TCP"), (80, "TCP"), addresses=("10.1.0.0/16", "10.4.0.0/16"))
    mesh.external("tls", "tls.example.com", (443, "TLS")).external("wild", "*.wild.example.com", (443, "HTTPS"))
    routes = [
        {"match": [{"destinationSubnets": ["10.7.0.0/16", "10.8.0.1"]}], "route": [{"destination": {"host": "a"}}]},
        {"route": [{"destination": {"host": "a"}, "weight": 1}, {"destination": {"host": "w"}, "weight": 2}]},
    ]
    mesh.add("VirtualService", "v", {"hosts": ["a"], "tcp": routes})
    policy = {
        "connectionPool": {"tcp": {"idleTimeout": "7s", "maxConnectionDuration": "60s"}},
        "loadBalancer": {"consistentHash": {"useSourceIp": True}},
        "tunnel": {"targetHost": "example.com", "targetPort": 443},
    }
    return mesh.add("DestinationRule", "a", {"host": "a", "trafficPolicy": policy})


def test_envoy_accepts_them_all() -> None:
    mesh = everything()
    egress = [
        {"port": {"number": 0, "protocol": "HTTP", "name": "u"}, "bind": "unix:///tmp/app.sock", "hosts": ["./*"]},
        {"port": {"number": 3128, "protocol": "HTTP_PROXY", "name": "p"}, "hosts": ["./*"]},
        {"hosts": ["*/*"]},
    ]
    mesh.add("Sidecar", "s", {"egress": egress})
    views = [
        view(),
        view(sidecar=Key("apps", "s")),
        view(interception=Interception.NONE),
        view(interception=Interception.TPROXY, ipv6=True),
        view(ipv4=False, ipv6=True),
    ]
    found = [resource for seen in views for resource in mesh.made(seen)]
    assert len(found) > 40
    accepts({ResourceType.LDS: found})


def test_an_egress_port_that_a_service_does_not_have_leads_nowhere() -> None:
    mesh = Mesh().service("a", port(80, "tcp"), port(81, "tcp-b"))
    egress = [{"port": {"number": 0, "protocol": "TCP", "name": "u"}, "bind": "unix:///run/app.sock", "hosts": ["./*"]}]
    mesh.add("Sidecar", "s", {"egress": egress})
    listener = mesh.listeners(view(sidecar=Key("apps", "s")))["unix:///run/app.sock_0"]
    assert config_of(listener.filter_chains[0]).cluster == "BlackHoleCluster"
