"""Whole proxies in meshes of every form of service and Sidecar: all resource types together, judged by Envoy."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.model.proxy import Certificates, Interception, Proxy, Traits
from lateen.testing.envoy import accepts, decoded
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.translate.resource import Resource, ResourceType

EVERY_PORT = [
    {"number": 80, "name": "http", "protocol": "HTTP"},
    {"number": 443, "name": "tls", "protocol": "TLS"},
]


def entry(name: str, resolution: str, hosts: list[str], **spec: Any) -> dict[str, Any]:
    return {
        "kind": "ServiceEntry",
        "metadata": {"name": name, "namespace": "apps"},
        "spec": {"hosts": hosts, "resolution": resolution, "ports": EVERY_PORT, **spec},
    }


SERVICES: list[str | dict[str, Any]] = [
    """
    kind: Service
    metadata: {name: web, namespace: apps}
    spec:
      clusterIP: 10.0.0.1
      clusterIPs: [10.0.0.1, "2001:db8::1"]
      selector: {app: client}
      ports:
      - {name: http, port: 80, targetPort: named}
      - {name: grpc, port: 9000}
      - {name: tcp-db, port: 5432}
      - {name: mongo, port: 27017}
      - {port: 8443, appProtocol: https, name: secure}
      - {port: 7000, name: unknown}
      - {name: dns, port: 53, protocol: UDP}
    ---
    kind: Service
    metadata: {name: headless, namespace: apps}
    spec: {clusterIP: None, selector: {app: client}, ports: [{name: http, port: 81}, {name: tcp, port: 82}]}
    ---
    kind: Service
    metadata: {name: alias, namespace: other}
    spec: {type: ExternalName, externalName: web.apps.svc.cluster.local, ports: [{name: http, port: 80}]}
    ---
    kind: Service
    metadata: {name: hidden, namespace: other, annotations: {networking.istio.io/exportTo: "."}}
    spec: {clusterIP: 10.0.0.2, ports: [{name: http, port: 80}]}
    ---
    kind: Pod
    metadata: {name: client, namespace: apps, labels: {app: client, security.istio.io/tlsMode: istio}}
    spec: {containers: [{name: c, ports: [{name: named, containerPort: 8080}]}]}
    status: {podIP: 10.1.0.1, podIPs: [{ip: 10.1.0.1}, {ip: "2001:db8:1::1"}]}
    """,
    endpoint_slice("web", "apps", ports={"http": 8080, "grpc": 9000, "tcp-db": 5432}, pods={"client": "10.1.0.1"}),
    endpoint_slice("web", "apps", ports={"http": 8080}, pods={"client": "2001:db8:1::1"}, name="web-6"),
    endpoint_slice("headless", "apps", ports={"http": 81, "tcp": 82}, pods={"client": "10.1.0.1"}),
    entry("none", "NONE", ["*.none.example.com"]),
    entry("cidr", "NONE", ["cidr.example.com"], addresses=["192.0.2.0/24"]),
    entry("static", "STATIC", ["static.example.com"], endpoints=[{"address": "10.5.0.1"}], addresses=["10.6.0.1"]),
    entry("dns", "DNS", ["dns.example.com"]),
    entry("robin", "DNS_ROUND_ROBIN", ["robin.example.com"], endpoints=[{"address": "one.example.com"}]),
    entry("dynamic", "DYNAMIC_DNS", ["*.dynamic.example.com"]),
    entry(
        "selected",
        "STATIC",
        ["in.example.com"],
        location="MESH_INTERNAL",
        workloadSelector={"labels": {"app": "client"}},
    ),
    entry(
        "socket",
        "STATIC",
        ["socket.example.com"],
        ports=EVERY_PORT[:1],
        endpoints=[{"address": "unix:///run/app.sock"}],
    ),
]

SIDECARS: dict[str, dict[str, Any]] = {
    "none": {},
    "everything": {"egress": [{"hosts": ["*/*"]}]},
    "nothing": {"egress": [{"hosts": ["~/*"]}]},
    "narrow": {"egress": [{"hosts": ["./web.apps.svc.cluster.local", "*/dns.example.com"]}]},
    "by port": {
        "egress": [
            {"port": {"number": 80, "protocol": "HTTP", "name": "http"}, "hosts": ["./*"]},
            {"port": {"number": 5432, "protocol": "TCP", "name": "tcp"}, "bind": "127.0.0.9", "hosts": ["apps/*"]},
            {"hosts": ["*/*.example.com"]},
        ]
    },
    "refusing": {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}},
    "through a proxy": {
        "outboundTrafficPolicy": {
            "mode": "ALLOW_ANY",
            "egressProxy": {"host": "web.apps.svc.cluster.local", "port": {"number": 80}},
        }
    },
    "ingress": {
        "ingress": [
            {"port": {"number": 9080, "protocol": "HTTP", "name": "a"}, "defaultEndpoint": "127.0.0.1:8080"},
            {"port": {"number": 9081, "protocol": "TCP", "name": "b"}, "defaultEndpoint": "unix:///run/app.sock"},
            {
                "port": {"number": 9082, "protocol": "HTTP", "name": "c"},
                "connectionPool": {"http": {"http2MaxRequests": 7}, "tcp": {"maxConnections": 3}},
            },
        ],
        "inboundConnectionPool": {"tcp": {"maxConnections": 5}},
    },
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Envoy wants the files to be there."""
    directory = tmp_path_factory.mktemp("certificates")
    paths = [directory / name for name in ("workload.yaml", "roots.yaml")]
    for path in paths:
        path.write_text("resources: []\n")
    return Certificates(workload=str(paths[0]), roots=str(paths[1]))


def mesh_with(sidecar: dict[str, Any]) -> Mesh:
    mesh = Mesh(*SERVICES)
    if sidecar:
        mesh.apply({"kind": "Sidecar", "metadata": {"name": "s", "namespace": "apps"}, "spec": sidecar})
    return mesh


def held(mesh: Mesh, proxy: Proxy) -> dict[ResourceType, dict[str, Resource]]:
    return {type_: mesh.resources(type_, proxy) for type_ in ResourceType}


def proxies(mesh: Mesh, certificates: Certificates) -> list[Proxy]:
    return [
        mesh.proxy("client.apps", traits=Traits(certificates=certificates)),
        mesh.proxy("client.apps", traits=Traits(certificates=certificates, ipv6=True, dns_capture=True)),
        mesh.proxy("client.apps", traits=Traits(certificates=certificates, interception=Interception.NONE)),
        mesh.proxy("stranger.other", traits=Traits(certificates=certificates)),
        mesh.gateway("gateway.apps", traits=Traits(certificates=certificates)),
    ]


def test_envoy_accepts_every_proxy(certificates: Certificates) -> None:
    found: dict[ResourceType, list[Resource]] = {type_: [] for type_ in ResourceType}
    for sidecar in SIDECARS.values():
        mesh = mesh_with(sidecar)
        for proxy in proxies(mesh, certificates):
            for type_, resources in held(mesh, proxy).items():
                found[type_].extend(resources.values())
    accepts(found)


@pytest.mark.parametrize("sidecar", SIDECARS, ids=str)
def test_eds_clusters_and_assignments_are_the_same(sidecar: str, certificates: Certificates) -> None:
    mesh = mesh_with(SIDECARS[sidecar])
    for proxy in proxies(mesh, certificates):
        resources = held(mesh, proxy)
        clusters = [decoded(ResourceType.CDS, each) for each in resources[ResourceType.CDS].values()]
        eds = {each.eds_cluster_config.service_name or each.name for each in clusters if each.type == each.EDS}
        assert eds == set(resources[ResourceType.EDS])


def test_a_sidecar_narrows_every_type(certificates: Certificates) -> None:
    traits = Traits(certificates=certificates)
    sizes = {}
    for name in ("nothing", "narrow", "everything"):
        mesh = mesh_with(SIDECARS[name])
        resources = held(mesh, mesh.proxy("client.apps", traits=traits))
        sizes[name] = {type_: set(resources[type_]) for type_ in (ResourceType.CDS, ResourceType.EDS, ResourceType.RDS)}
    for type_ in sizes["narrow"]:
        assert sizes["nothing"][type_] < sizes["narrow"][type_] < sizes["everything"][type_]


def test_the_same_mesh_makes_the_same_bytes(certificates: Certificates) -> None:
    one, other = mesh_with({}), mesh_with({})
    proxy = one.proxy("client.apps", traits=Traits(certificates=certificates))
    assert held(one, proxy) == held(other, proxy)
