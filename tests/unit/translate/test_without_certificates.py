"""Proxies without certificates: plain text where the mesh's TLS is not demanded, refusal where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2
from google.protobuf import json_format

from lateen.api.objects import Key, ObjectRef
from lateen.api.schema.fault import Fault, Severity
from lateen.model.identity_demands import identity_demands
from lateen.model.proxy import ClientView, Interception, Proxy, Traits
from lateen.testing.certificates import Authority
from lateen.testing.envoy import accepts, decoded
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.translate.resource import Resource, ResourceType

CDS, LDS, SDS = ResourceType.CDS, ResourceType.LDS, ResourceType.SDS
NONE = Traits(certificates=None)
HOST = "web.shop.svc.cluster.local"
MUTUAL = {"tls": {"mode": "ISTIO_MUTUAL"}}
WEB = """
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIP: 10.0.0.1
  selector: {app: web}
  ports:
  - {name: http, port: 80, targetPort: 8080}
  - {name: tcp, port: 81, targetPort: 8081}
  - {name: unnamed, port: 82, targetPort: 8082}
---
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web, security.istio.io/tlsMode: istio}}
spec: {serviceAccountName: runner, nodeName: n, containers: [{name: c}]}
status: {podIP: 10.1.0.1, podIPs: [{ip: 10.1.0.1}]}
"""
SLICE = endpoint_slice("web", "shop", ports={"http": 8080, "tcp": 8081, "unnamed": 8082}, pods={"web-1": "10.1.0.1"})


def rule(host: str = HOST, **spec: Any) -> dict[str, Any]:
    return {"kind": "DestinationRule", "metadata": {"name": "r", "namespace": "shop"}, "spec": {"host": host, **spec}}


def entry(resolution: str, host: str = "a.example.com") -> dict[str, Any]:
    spec = {
        "hosts": [host],
        "resolution": resolution,
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
    }
    return {"kind": "ServiceEntry", "metadata": {"name": "e", "namespace": "shop"}, "spec": spec}


def client(mesh: Mesh) -> Proxy:
    return mesh.proxy("client.apps", traits=NONE)


def cluster(mesh: Mesh, name: str, proxy: Proxy | None = None) -> dict[str, Any]:
    found = decoded(CDS, mesh.resources(CDS, proxy or client(mesh))[name])
    return dict(json_format.MessageToDict(found, preserving_proto_field_name=True))


# --- towards services ---------------------------------------------------------------------------------------------


def test_mutual_tls_is_not_automatic() -> None:
    mesh = Mesh(WEB, SLICE)
    found = cluster(mesh, f"outbound|80||{HOST}")
    assert found["type"] == "EDS"
    assert "transport_socket_matches" not in found
    assert "transport_socket" not in found
    assert "transport_socket_matches" in cluster(mesh, f"outbound|80||{HOST}", mesh.proxy("client.apps"))


def test_a_tls_context_of_the_users_needs_no_identity() -> None:
    mesh = Mesh(WEB, SLICE, rule(trafficPolicy={"tls": {"mode": "SIMPLE"}}))
    context = cluster(mesh, f"outbound|80||{HOST}")["transport_socket"]["typed_config"]
    combined = context["common_tls_context"]["combined_validation_context"]
    secret = combined["validation_context_sds_secret_config"]["name"]
    assert secret in mesh.resources(SDS, client(mesh))


@pytest.mark.parametrize("kind", ["sidecar", "gateway"])
def test_where_it_is_demanded_nothing_is_sent(kind: str) -> None:
    mesh = Mesh(WEB, SLICE, rule(trafficPolicy=MUTUAL))
    proxy = client(mesh) if kind == "sidecar" else mesh.gateway(traits=NONE)
    found = cluster(mesh, f"outbound|80||{HOST}", proxy)
    assert found["name"] == f"outbound|80||{HOST}"
    assert found.get("type", "STATIC") == "STATIC"
    assert not found.keys() & {"eds_cluster_config", "load_assignment", "transport_socket", "transport_socket_matches"}
    assert found["metadata"]["filter_metadata"]["istio"]["services"][0]["host"] == HOST


def test_demanded_of_a_subset_it_is_of_that_subset() -> None:
    subsets = [{"name": "v1", "labels": {"v": "1"}, "trafficPolicy": MUTUAL}, {"name": "v2", "labels": {"v": "2"}}]
    mesh = Mesh(WEB, SLICE, rule(subsets=subsets))
    assert cluster(mesh, f"outbound|80|v1|{HOST}").get("type", "STATIC") == "STATIC"
    assert cluster(mesh, f"outbound|80|v2|{HOST}")["type"] == "EDS"
    assert cluster(mesh, f"outbound|80||{HOST}")["type"] == "EDS"


@pytest.mark.parametrize("resolution", ["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"])
def test_however_endpoints_would_be_found_none_are(resolution: str) -> None:
    host = "*.example.com" if resolution == "DYNAMIC_DNS" else "a.example.com"
    mesh = Mesh(entry(resolution, host), rule(host, trafficPolicy=MUTUAL))
    found = cluster(mesh, f"outbound|80||{host}")
    assert found.get("type", "STATIC") == "STATIC"
    assert not found.keys() & {"cluster_type", "load_assignment", "dns_lookup_family", "transport_socket"}


# --- for the workload ---------------------------------------------------------------------------------------------


def asked(mode: str, **ports: str) -> dict[str, Any]:
    levels = {number.removeprefix("p"): {"mode": each} for number, each in ports.items()}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "mtls": {"mode": mode}}
    if levels:
        spec["portLevelMtls"] = levels
    return {"kind": "PeerAuthentication", "metadata": {"name": "pa", "namespace": "shop"}, "spec": spec}


def server(mesh: Mesh, traits: Traits = NONE) -> Proxy:
    return mesh.proxy("web-1.shop", {"app": "web"}, addresses=("10.1.0.1",), traits=traits)


def chains(listener: Any, port: int) -> list[Any]:
    return [chain for chain in listener.filter_chains if chain.filter_chain_match.destination_port.value == port]


def stream(chain: Any) -> str:
    proxy = tcp_proxy_pb2.TcpProxy()
    assert chain.filters[-1].typed_config.Unpack(proxy)
    return str(proxy.cluster)


def test_permissive_and_disabled_are_the_same() -> None:
    made = []
    for mode, other in (("PERMISSIVE", "DISABLE"), ("DISABLE", "PERMISSIVE")):
        mesh = Mesh(WEB, SLICE, asked(mode, p8081=other, p99=other))
        made.append(decoded(LDS, mesh.resources(LDS, server(mesh))["virtualInbound"]))
    assert not any(chain.HasField("transport_socket") for listener in made for chain in listener.filter_chains)
    plain = Mesh(WEB, SLICE, asked("DISABLE", p8081="DISABLE", p99="DISABLE"))
    expected = decoded(LDS, plain.resources(LDS, server(plain, Traits()))["virtualInbound"])
    assert made == [expected, expected]


def test_strict_ports_refuse_and_others_do_not() -> None:
    mesh = Mesh(WEB, SLICE, asked("PERMISSIVE", p8080="STRICT", p99="STRICT"))
    listener = decoded(LDS, mesh.resources(LDS, server(mesh))["virtualInbound"])
    for port in (8080, 99):
        (chain,) = chains(listener, port)
        assert stream(chain) == "BlackHoleCluster"
        assert not chain.filter_chain_match.transport_protocol
    assert stream(chains(listener, 8081)[-1]) == "inbound|8081||"
    assert "BlackHoleCluster" not in {stream(chain) for chain in chains(listener, 0) if "http" not in chain.name}


def test_a_strict_workload_refuses_on_every_port() -> None:
    mesh = Mesh(WEB, SLICE, asked("STRICT"))
    listener = decoded(LDS, mesh.resources(LDS, server(mesh))["virtualInbound"])
    assert {stream(chain) for chain in listener.filter_chains} == {"BlackHoleCluster"}


def test_tls_of_the_sidecar_s_own_is_served_where_the_mesh_s_is_not_demanded(tmp_path: Path) -> None:
    tls = {"mode": "SIMPLE", "serverCertificate": str(tmp_path / "c"), "privateKey": str(tmp_path / "k")}
    sidecar = {
        "kind": "Sidecar",
        "metadata": {"name": "s", "namespace": "shop"},
        "spec": {"ingress": [{"port": {"number": 9443, "protocol": "HTTPS", "name": "h"}, "tls": tls}]},
    }
    mesh = Mesh(WEB, SLICE, sidecar)
    (chain,) = chains(decoded(LDS, mesh.resources(LDS, server(mesh))["virtualInbound"]), 9443)
    assert chain.HasField("transport_socket")


# --- gateways -----------------------------------------------------------------------------------------------------


def gateway(*modes: str, credential: str = "c", protocol: str = "HTTPS") -> dict[str, Any]:
    servers = [
        {
            "port": {"number": 443, "name": f"s-{mode.lower()}", "protocol": protocol},
            "hosts": [f"{mode.lower().replace('_', '-')}.com"],
            "tls": {"mode": mode, **({"credentialName": credential} if mode == "SIMPLE" else {})},
        }
        for mode in modes
    ]
    spec = {"selector": {"istio": "ingressgateway"}, "servers": servers}
    return {"kind": "Gateway", "metadata": {"name": "gw", "namespace": "istio-system"}, "spec": spec}


def test_servers_of_the_mesh_s_tls_refuse() -> None:
    mesh = Mesh(WEB, SLICE, gateway("SIMPLE", "ISTIO_MUTUAL"))
    listener = decoded(LDS, mesh.resources(LDS, mesh.gateway(traits=NONE))["0.0.0.0_443"])
    simple, mutual = listener.filter_chains
    assert simple.HasField("transport_socket")
    assert not mutual.HasField("transport_socket")
    assert list(mutual.filter_chain_match.server_names) == ["istio-mutual.com"]
    assert stream(mutual) == "BlackHoleCluster"


# --- who is told --------------------------------------------------------------------------------------------------


def told(mesh: Mesh, proxy: Proxy) -> list[tuple[ObjectRef, Fault]]:
    return [
        each for view in mesh.views(proxy) if isinstance(view, ClientView) for each in mesh.get(identity_demands, view)
    ]


def test_whoever_demands_it_is_told() -> None:
    port = {"port": {"number": 81}, **MUTUAL}
    subsets = [{"name": "v1", "labels": {"v": "1"}, "trafficPolicy": {**MUTUAL, "portLevelSettings": [port]}}]
    mesh = Mesh(WEB, SLICE, rule(trafficPolicy=MUTUAL, subsets=subsets), gateway("SIMPLE", "ISTIO_MUTUAL"))
    found = told(mesh, client(mesh))
    assert {ref for ref, _ in found} == {ObjectRef("DestinationRule", Key("shop", "r"))}
    assert [fault.path for _, fault in found] == [
        "spec.trafficPolicy.tls.mode",
        "spec.subsets[0].trafficPolicy.tls.mode",
        "spec.subsets[0].trafficPolicy.portLevelSettings[0].tls.mode",
    ]
    assert all(fault.severity is Severity.WARNING and "LATEEN_CERTIFICATES" in fault.message for _, fault in found)
    last, fault = told(mesh, mesh.gateway(traits=NONE))[-1]
    assert (last, fault.path) == (ObjectRef("Gateway", Key("istio-system", "gw")), "spec.servers[1].tls.mode")


def test_nobody_is_told_of_proxies_with_certificates() -> None:
    mesh = Mesh(WEB, SLICE, rule(trafficPolicy=MUTUAL), gateway("ISTIO_MUTUAL"))
    assert told(mesh, mesh.proxy("client.apps")) == []
    assert told(mesh, mesh.gateway()) == []


# --- Envoy's judgement --------------------------------------------------------------------------------------------


POLICIES: tuple[dict[str, Any] | None, ...] = (
    None,
    MUTUAL,
    {"proxyProtocol": {}},
    {**MUTUAL, "proxyProtocol": {}},
)


def test_envoy_accepts_them_all(tmp_path: Path) -> None:
    pair = Authority().issue("simple.com")
    secret = {
        "kind": "Secret",
        "metadata": {"name": "c", "namespace": "istio-system"},
        "stringData": {"tls.crt": pair.certificate, "tls.key": pair.key},
    }
    clusters: list[Resource] = []
    listeners: list[Resource] = []
    for mode in ("STRICT", "PERMISSIVE", "DISABLE"):
        for number, policy in enumerate(POLICIES):
            resources: list[str | dict[str, Any]] = [
                WEB,
                SLICE,
                secret,
                gateway("SIMPLE", "ISTIO_MUTUAL"),
                asked(mode, p8081="STRICT"),
            ]
            mesh = Mesh(*resources, *([rule(trafficPolicy=policy)] if policy else []))
            proxies = [client(mesh), mesh.gateway(traits=NONE)]
            if not number:
                proxies += [server(mesh), server(mesh, Traits(certificates=None, interception=Interception.TPROXY))]
            for proxy in proxies:
                clusters += mesh.resources(CDS, proxy).values()
                listeners += mesh.resources(LDS, proxy).values()
    for resolution in ("NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"):
        host = "*.example.com" if resolution == "DYNAMIC_DNS" else "a.example.com"
        for policy in (None, MUTUAL):
            mesh = Mesh(entry(resolution, host), *([rule(host, trafficPolicy=policy)] if policy else []))
            clusters += mesh.resources(CDS, client(mesh)).values()
    accepts({CDS: clusters, LDS: listeners})
