"""Listeners of gateways: chains per server, TLS modes, VirtualServices behind byte streams; judged by Envoy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2

from lateen.api.networking.gateway import TLSmode
from lateen.model.endpoint import Locality
from lateen.model.proxy import Certificates, GatewayView, Traits
from lateen.testing import mesh as testing
from lateen.testing.certificates import Authority
from lateen.testing.envoy import accepts, decoded
from lateen.translate.listeners.gateway import listing
from lateen.translate.resource import Resource, ResourceType


def view(**traits: Any) -> GatewayView:
    return GatewayView("edge", (("app", "gw"),), "sa", Locality(), "", "", "", Traits(**traits))


def server(number: int, protocol: str, *hosts: str, tls: dict[str, Any] | None = None, **rest: Any) -> dict[str, Any]:
    port = {"number": number, "name": f"{protocol.lower()}-{number}-{(hosts or ('*',))[0]}", "protocol": protocol}
    return {"port": port, "hosts": list(hosts or ("*",)), **({"tls": tls} if tls else {}), **rest}


class Mesh(testing.Mesh):
    def gateway_of(self, *servers: dict[str, Any], name: str = "gw") -> Mesh:
        spec = {"selector": {"app": "gw"}, "servers": list(servers)}
        self.apply({"kind": "Gateway", "metadata": {"name": name, "namespace": "edge"}, "spec": spec})
        return self

    def service(self, name: str, *ports: int) -> Mesh:
        listed = [{"name": f"tcp-{number}", "port": number} for number in ports]
        spec = {"clusterIP": "10.0.0.1", "ports": listed}
        self.apply({"kind": "Service", "metadata": {"name": name, "namespace": "apps"}, "spec": spec})
        return self

    def routes(self, name: str, *hosts: str, namespace: str = "apps", **routes: Any) -> Mesh:
        spec = {"hosts": list(hosts), "gateways": ["edge/gw"], **routes}
        self.apply({"kind": "VirtualService", "metadata": {"name": name, "namespace": namespace}, "spec": spec})
        return self

    def made(self, seen: GatewayView | None = None) -> list[Resource]:
        return [self.make(recipe) for recipe in self.engine.get(listing, seen or view())]

    def listeners(self, seen: GatewayView | None = None) -> dict[str, Any]:
        return {resource.name: decoded(ResourceType.LDS, resource) for resource in self.made(seen)}


def to(host: str, port: int, **rest: Any) -> dict[str, Any]:
    return {"destination": {"host": f"{host}.apps.svc.cluster.local", "port": {"number": port}}, **rest}


def manager(chain: Any) -> Any:
    found = hcm_pb2.HttpConnectionManager()
    assert chain.filters[-1].typed_config.Unpack(found)
    return found


def cluster(chain: Any) -> str:
    found = tcp_proxy_pb2.TcpProxy()
    assert chain.filters[-1].typed_config.Unpack(found)
    return str(found.cluster)


def tls_of(chain: Any) -> Any:
    found = tls_pb2.DownstreamTlsContext()
    assert chain.transport_socket.typed_config.Unpack(found)
    return found


def names(chain: Any) -> list[str]:
    return list(chain.filter_chain_match.server_names)


def test_plain_http_has_one_chain_for_all_servers() -> None:
    mesh = Mesh().gateway_of(server(80, "HTTP", "a.com"), server(80, "HTTP", "b.com", tls={"httpsRedirect": True}))
    listener = mesh.listeners()["0.0.0.0_80"]
    (chain,) = listener.filter_chains
    found = manager(chain)
    assert found.rds.route_config_name == "http.80"
    assert found.use_remote_address.value
    assert found.forward_client_cert_details == hcm_pb2.HttpConnectionManager.SANITIZE_SET
    assert found.set_current_client_cert_details.cert
    assert list(listener.listener_filters) == []


def test_https_servers_are_chosen_by_server_name() -> None:
    simple = {"mode": "SIMPLE", "credentialName": "c"}
    mesh = Mesh().gateway_of(
        server(443, "HTTPS", "a.com", "*.b.com", tls=simple), server(443, "HTTPS", "*", tls=simple)
    )
    listener = mesh.listeners()["0.0.0.0_443"]
    first, rest = listener.filter_chains
    assert names(first) == ["a.com", "*.b.com"]
    assert names(rest) == []
    assert manager(first).rds.route_config_name == "https.443.https-443-a.com.gw.edge"
    context = tls_of(first)
    assert list(context.common_tls_context.alpn_protocols) == ["h2", "http/1.1"]
    assert context.common_tls_context.tls_certificate_sds_secret_configs[0].name == "kubernetes://c"
    assert context.common_tls_context.tls_certificate_sds_secret_configs[0].sds_config.HasField("ads")
    assert not context.require_client_certificate.value
    assert not context.common_tls_context.HasField("combined_validation_context")
    assert [each.name for each in listener.listener_filters] == ["envoy.filters.listener.tls_inspector"]


def test_client_certificates() -> None:
    mutual = {
        "mode": "MUTUAL",
        "credentialName": "c",
        "subjectAltNames": ["spiffe://x/y"],
        "verifyCertificateSpki": ["NvqYIYSbgK2vCJpQhObf77vv+bQWtc5ek5RIOwPiC9A="],
        "verifyCertificateHash": ["df6ff72fe9116521268f6f2dd4966f51df479883fe7037b39f75916ac3049d1a"],
        "minProtocolVersion": "TLSV1_3",
        "maxProtocolVersion": "TLSV1_3",
    }
    mesh = Mesh().gateway_of(
        server(443, "HTTPS", "a.com", tls=mutual),
        server(443, "HTTPS", "b.com", tls={**mutual, "mode": "OPTIONAL_MUTUAL", "caCertCredentialName": "ca"}),
        server(443, "HTTPS", "c.com", tls={"mode": "ISTIO_MUTUAL"}),
    )
    required, optional, own = [tls_of(chain) for chain in mesh.listeners()["0.0.0.0_443"].filter_chains]
    assert [each.require_client_certificate.value for each in (required, optional, own)] == [True, False, True]
    checks = required.common_tls_context.combined_validation_context
    assert checks.validation_context_sds_secret_config.name == "kubernetes://c-cacert"
    matchers = checks.default_validation_context.match_typed_subject_alt_names
    assert {matcher.matcher.exact for matcher in matchers} == {"spiffe://x/y"}
    assert len(checks.default_validation_context.verify_certificate_spki) == 1
    assert len(checks.default_validation_context.verify_certificate_hash) == 1
    parameters = required.common_tls_context.tls_params
    assert parameters.tls_minimum_protocol_version == common_pb2.TlsParameters.TLSv1_3
    reference = optional.common_tls_context.combined_validation_context.validation_context_sds_secret_config
    assert reference.name == "kubernetes://ca-cacert"
    certificate = own.common_tls_context.tls_certificate_sds_secret_configs[0]
    assert (certificate.name, certificate.sds_config.path_config_source.path) == (
        "default",
        Certificates().workload,
    )


def test_mesh_wide_tls_defaults_give_way_to_the_servers_own() -> None:
    simple = {"mode": "SIMPLE", "credentialName": "c"}
    own = {**simple, "minProtocolVersion": "TLSV1_1", "cipherSuites": ["AES128-SHA", "unknown", "AES128-SHA"]}
    mesh = Mesh().gateway_of(server(443, "HTTPS", "a.com", tls=simple), server(443, "HTTPS", "b.com", tls=own))
    mesh.mesh_config("tlsDefaults: {minProtocolVersion: TLSV1_3, cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256]}")
    defaults, special = [
        tls_of(chain).common_tls_context.tls_params for chain in mesh.listeners()["0.0.0.0_443"].filter_chains
    ]
    assert defaults.tls_minimum_protocol_version == common_pb2.TlsParameters.TLSv1_3
    assert list(defaults.cipher_suites) == ["ECDHE-RSA-AES128-GCM-SHA256"]
    assert special.tls_minimum_protocol_version == common_pb2.TlsParameters.TLSv1_1
    assert list(special.cipher_suites) == ["AES128-SHA"]


def test_tcp_goes_where_the_first_fitting_virtual_service_says() -> None:
    mesh = Mesh().service("db", 5432).gateway_of(server(9000, "TCP"), server(9001, "MONGO"))
    assert mesh.listeners() == {}, "nothing is behind them yet"
    mesh.routes(
        "v",
        "*",
        tcp=[
            {"match": [{"port": 9000}], "route": [to("db", 5432)]},
            {"match": [{"port": 9001}], "route": [to("db", 5432, weight=1), to("gone", 1, weight=3)]},
        ],
    )
    listeners = mesh.listeners()
    assert cluster(listeners["0.0.0.0_9000"].filter_chains[0]) == "outbound|5432||db.apps.svc.cluster.local"
    assert [each.name for each in listeners["0.0.0.0_9001"].filter_chains[0].filters] == [
        "envoy.filters.network.mongo_proxy",
        "envoy.filters.network.tcp_proxy",
    ]


def test_hosts_and_namespaces_limit_who_may_bind() -> None:
    mesh = Mesh().service("db", 5432).gateway_of(server(9000, "TCP", "./*"))
    mesh.routes("v", "*", tcp=[{"route": [to("db", 5432)]}])
    assert mesh.listeners() == {}
    mesh.routes("w", "x.com", namespace="edge", tcp=[{"route": [to("db", 5432)]}])
    assert list(mesh.listeners()) == ["0.0.0.0_9000"]


def test_tls_around_byte_streams() -> None:
    mesh = Mesh().service("db", 5432)
    mesh.gateway_of(server(9443, "TLS", "db.com", tls={"mode": "SIMPLE", "credentialName": "c"}))
    mesh.routes("v", "db.com", tcp=[{"route": [to("db", 5432)]}])
    (chain,) = mesh.listeners()["0.0.0.0_9443"].filter_chains
    assert names(chain) == ["db.com"]
    assert cluster(chain) == "outbound|5432||db.apps.svc.cluster.local"
    assert list(tls_of(chain).common_tls_context.alpn_protocols) == []


def test_passthrough_by_server_name_of_which_the_first_counts() -> None:
    mesh = Mesh().service("a", 443).service("b", 443)
    mesh.gateway_of(server(443, "TLS", "*.com", tls={"mode": "PASSTHROUGH"}))
    mesh.routes(
        "v",
        "a.com",
        "b.com",
        tls=[
            {"match": [{"sniHosts": ["a.com"]}, {"sniHosts": ["b.com"], "port": 444}], "route": [to("a", 443)]},
            {"match": [{"sniHosts": ["a.com"]}, {"sniHosts": ["b.com"], "port": 443}], "route": [to("b", 443)]},
        ],
    )
    listener = mesh.listeners()["0.0.0.0_443"]
    assert {tuple(names(chain)): cluster(chain) for chain in listener.filter_chains} == {
        ("a.com",): "outbound|443||a.apps.svc.cluster.local",
        ("b.com",): "outbound|443||b.apps.svc.cluster.local",
    }
    assert not any(chain.HasField("transport_socket") for chain in listener.filter_chains)


def test_auto_passthrough_leads_to_whatever_cluster_the_server_name_names() -> None:
    mesh = Mesh().service("a", 80)
    mesh.gateway_of(server(15443, "TLS", "*.apps.svc.cluster.local", tls={"mode": "AUTO_PASSTHROUGH"}))
    subsets = [{"name": "v1", "labels": {"version": "1"}}]
    rule = {"host": "a.apps.svc.cluster.local", "subsets": subsets}
    mesh.apply({"kind": "DestinationRule", "metadata": {"name": "a", "namespace": "apps"}, "spec": rule})
    mesh.apply({"kind": "Service", "metadata": {"name": "x", "namespace": "other"}, "spec": {"ports": [{"port": 80}]}})
    chains = mesh.listeners()["0.0.0.0_15443"].filter_chains
    assert sorted(names(chain)[0] for chain in chains) == [
        "outbound_.80_._.a.apps.svc.cluster.local",
        "outbound_.80_.v1_.a.apps.svc.cluster.local",
    ]
    assert all(names(chain) == [cluster(chain)] for chain in chains)
    assert all("istio" in chain.filter_chain_match.application_protocols for chain in chains)


def test_low_ports_need_privileges_and_every_family_is_bound() -> None:
    mesh = Mesh().gateway_of(server(80, "HTTP"), server(8080, "HTTP"))
    assert list(mesh.listeners(view(privileged_ports=False))) == ["0.0.0.0_8080"]
    both = mesh.listeners(view(ipv6=True))["0.0.0.0_8080"]
    assert [each.address.socket_address.address for each in both.additional_addresses] == ["::"]


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> dict[str, str]:
    """Paths of a certificate, its key, its authority and a list of revocations."""
    pair = authority.issue("a.com")
    content = {"cert": pair.certificate, "key": pair.key, "ca": authority.root, "crl": authority.revocations()}
    for name, data in content.items():
        (tmp_path / name).write_text(data)
    return {name: str(tmp_path / name) for name in content}


def test_policies_judge_what_gateways_forward_but_not_what_is_between_workloads_of_two_networks() -> None:
    mesh = Mesh().service("db", 5432)
    mesh.apply({"kind": "AuthorizationPolicy", "metadata": {"name": "nothing", "namespace": "edge"}, "spec": {}})
    mesh.gateway_of(
        server(15443, "TLS", "*.local", tls={"mode": "AUTO_PASSTHROUGH"}),
        server(16443, "TLS", "*.com", tls={"mode": "PASSTHROUGH"}),
    )
    mesh.routes("v", "*.com", tls=[{"match": [{"sniHosts": ["x.com"]}], "route": [to("db", 5432)]}])
    found = mesh.listeners()
    [between], [outside] = found["0.0.0.0_15443"].filter_chains, found["0.0.0.0_16443"].filter_chains
    assert [each.name for each in outside.filters] == ["envoy.filters.network.rbac", "envoy.filters.network.tcp_proxy"]
    assert [each.name for each in between.filters] == ["envoy.filters.network.tcp_proxy"]


def test_envoy_accepts_every_mode(files: dict[str, str], authority: Authority, tmp_path: Path) -> None:
    pair = {"serverCertificate": files["cert"], "privateKey": files["key"]}
    several = {"mode": "MUTUAL", "tlsCertificates": [{**pair, "caCertificates": files["ca"]}]}
    modes: list[dict[str, Any]] = [
        {"mode": "SIMPLE", **pair},
        {"mode": "SIMPLE", "credentialNames": ["rsa", "ecdsa"]},
        {"mode": "MUTUAL", **pair, "caCertificates": files["ca"], "caCrl": files["crl"]},
        {"mode": "MUTUAL", "credentialName": "c", "subjectAltNames": ["a", "spiffe://x/y"]},
        {"mode": "OPTIONAL_MUTUAL", "credentialName": "c", "caCertCredentialName": "ca"},
        several,
        {"mode": "ISTIO_MUTUAL"},
    ]
    assert {TLSmode(mode["mode"]) for mode in modes} | {TLSmode.PASSTHROUGH, TLSmode.AUTO_PASSTHROUGH} == set(TLSmode)
    mesh = Mesh().service("db", 5432)
    mesh.mesh_config("defaultConfig: {gatewayTopology: {numTrustedProxies: 2, proxyProtocol: {}}}")
    mesh.gateway_of(
        server(80, "HTTP"),
        server(81, "GRPC-WEB", bind="10.0.0.1"),
        server(0, "HTTP", bind="unix:///tmp/gateway.sock"),
        *(server(443, "HTTPS", f"h{index}.com", tls=mode) for index, mode in enumerate(modes)),
        *(server(9443, "TLS", f"t{index}.com", tls=mode) for index, mode in enumerate(modes)),
        server(15443, "TLS", "*.local", tls={"mode": "AUTO_PASSTHROUGH"}),
        server(16443, "TLS", "*.com", tls={"mode": "PASSTHROUGH"}),
        server(9000, "TCP"),
    )
    mesh.routes(
        "v",
        "*.com",
        tcp=[{"route": [to("db", 5432)]}],
        tls=[{"match": [{"sniHosts": ["x.com"]}], "route": [to("db", 5432)]}],
    )
    certificates = authority.workload(tmp_path / "sds", "spiffe://cluster.local/ns/edge/sa/sa")
    found = [resource for six in (False, True) for resource in mesh.made(view(ipv6=six, certificates=certificates))]
    assert len(found) == 2 * 8
    accepts({ResourceType.LDS: found})
