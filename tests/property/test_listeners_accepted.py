"""Whatever a mesh looks like: Envoy takes every listener, and none refers to a cluster or route that is not there.

Meshes are made of few hosts, addresses and ports, so that they clash in every way they can.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2

from lateen.model.proxy import Certificates, Interception, Proxy, Traits
from lateen.testing.certificates import Authority
from lateen.testing.envoy import accepts, decoded
from lateen.testing.mesh import Mesh, Rejected, endpoint_slice
from lateen.translate.resource import Resource, ResourceType

SEEDS = range(12)
PORTS = (80, 443, 5432, 9000)
PROTOCOLS = ("http", "tcp", "", "https", "tls", "mongo", "grpc", "mysql", "redis", "grpc-web")
HOSTS = ("a.com", "B.com", "*.wild.com", "x.wild.com", "*.com", "c.org")
RANGES = ("10.1.0.0/16", "10.1.2.3/16", "10.0.0.1", "10.2.0.1/32", "fd00::/64")
MODES = ("STRICT", "PERMISSIVE", "DISABLE")
TLS: tuple[dict[str, Any], ...] = (
    {"mode": "PASSTHROUGH"},
    {"mode": "AUTO_PASSTHROUGH"},
    {"mode": "ISTIO_MUTUAL"},
    {"mode": "SIMPLE", "credentialName": "c"},
    {"mode": "MUTUAL", "credentialName": "c"},
    {"mode": "SIMPLE", "serverCertificate": "/c", "privateKey": "/k"},
)


class Maker:
    """Makes resources by chance. Not all are valid, nor need they be: those that are not, are not taken."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def maybe(self, likelihood: float) -> bool:
        return self._chance.random() < likelihood

    def one(self, *choices: Any) -> Any:
        return self._chance.choice(choices)

    def some(self, choices: tuple[Any, ...], least: int, most: int) -> list[Any]:
        return self._chance.sample(choices, self._chance.randint(least, most))

    def times(self, least: int, most: int) -> range:
        return range(self._chance.randint(least, most))

    def resources(self) -> Iterator[dict[str, Any]]:
        for index in self.times(3, 9):
            yield from self.service(f"s{index}")
        for index in self.times(0, 6):
            yield {"kind": "ServiceEntry", "metadata": {"name": f"e{index}"}, "spec": self.service_entry()}
        for index in self.times(0, 5):
            yield {"kind": "VirtualService", "metadata": {"name": f"v{index}"}, "spec": self.virtual_service()}
        rule = {"host": "s0", "subsets": [{"name": "v1", "labels": {"v": "1"}}]}
        yield {"kind": "DestinationRule", "metadata": {"name": "d"}, "spec": rule}
        if self.maybe(0.6):
            yield {"kind": "Sidecar", "metadata": {"name": "s"}, "spec": self.sidecar()}
        levels = {str(port): {"mode": self.one(*MODES)} for port in self.some((80, 8080, 99), 1, 2)}
        peers = {"selector": {"matchLabels": {"app": "a"}}, "mtls": {"mode": self.one(*MODES)}, "portLevelMtls": levels}
        yield {"kind": "PeerAuthentication", "metadata": {"name": "p"}, "spec": peers}
        for name in self.some(("gw", "other", "third"), 0, 3):
            yield {"kind": "Gateway", "metadata": {"name": name, "namespace": "istio-system"}, "spec": self.gateway()}

    def service(self, name: str) -> Iterator[dict[str, Any]]:
        ports = []
        for port in self.some((*PORTS, 8080), 1, 3):
            protocol = self.one(*PROTOCOLS)
            ports.append({"name": f"{protocol or 'x'}-{port}", "port": port, "targetPort": self.one(port, 8080, 9090)})
        address = self.one("10.0.0.1", "10.0.0.2", "10.0.0.3", "None", "fd00::1")
        created = f"2024-01-0{self.one(1, 2, 3)}T00:00:00Z"
        metadata = {"name": name, "namespace": self.one("default", "other"), "creationTimestamp": created}
        spec = {"clusterIP": address, "selector": {"app": self.one("a", "b")}, "ports": ports}
        yield {"kind": "Service", "metadata": metadata, "spec": spec}
        targets = {port["name"]: port["targetPort"] for port in ports}
        yield endpoint_slice(name, ports=targets, addresses=("10.9.0.1", "10.9.0.2"))

    def service_entry(self) -> dict[str, Any]:
        ports = [
            {"number": port, "name": f"p{port}", "protocol": self.one("HTTP", "TCP", "TLS", "HTTPS", "MONGO", "UDP")}
            for port in self.some(PORTS, 1, 3)
        ]
        resolution = self.one("NONE", "DNS", "STATIC")
        return {
            "hosts": self.some(HOSTS, 1, 2),
            "ports": ports,
            "addresses": self.some(RANGES, 0, 3),
            "resolution": resolution,
        }

    def virtual_service(self) -> dict[str, Any]:
        hosts = self.some(("s0", "s1", "s2.default.svc.cluster.local", *HOSTS), 1, 2)
        spec: dict[str, Any] = {"hosts": hosts, "gateways": self.some(("mesh", "istio-system/gw"), 1, 2)}
        spec["tcp"] = [
            {"match": [self.match() for _ in self.times(0, 2)], "route": self.routes()} for _ in self.times(0, 3)
        ]
        spec["tls"] = [
            {"match": [{**self.match(), "sniHosts": [self.one(*hosts)]}], "route": self.routes()}
            for _ in self.times(0, 2)
        ]
        return spec

    def match(self) -> dict[str, Any]:
        port = {"port": self.one(*PORTS)} if self.maybe(0.6) else {}
        return {**port, **({"destinationSubnets": self.some(RANGES, 1, 2)} if self.maybe(0.5) else {})}

    def routes(self) -> list[dict[str, Any]]:
        return [{"destination": self.destination(), "weight": self.one(0, 1, 50)} for _ in self.times(1, 3)]

    def destination(self) -> dict[str, Any]:
        port = {"port": {"number": self.one(*PORTS)}} if self.maybe(0.5) else {}
        return {"host": self.one("s0", "s1", "a.com", "gone"), **port, **({"subset": "v1"} if self.maybe(0.2) else {})}

    def sidecar(self) -> dict[str, Any]:
        egress: list[dict[str, Any]] = []
        for port in self.some((80, 443, 5432, 0, 3128), 0, 3):
            protocol = self.one("HTTP", "TCP", "TLS", "HTTP_PROXY")
            listener = {"port": {"number": port, "name": f"n{port}", "protocol": protocol}, "hosts": ["*/*"]}
            bind = "unix:///tmp/x.sock" if port == 0 else self.one("", "127.0.0.1", "0.0.0.0", "127.0.0.3")
            egress.append({**listener, "bind": bind, "captureMode": self.one("DEFAULT", "NONE") if port else "DEFAULT"})
        ingress = [
            {
                "port": {"number": port, "name": f"i{port}", "protocol": self.one("HTTP", "TCP", "TLS", "")},
                "bind": self.one("", "127.0.0.1"),
                "captureMode": self.one("DEFAULT", "NONE"),
                "defaultEndpoint": "127.0.0.1:9",
            }
            for port in self.some((80, 8080, 9090), 0, 2)
        ]
        policy = {"mode": self.one("ALLOW_ANY", "REGISTRY_ONLY")}
        return {"egress": [*egress, {"hosts": ["*/*"]}], "ingress": ingress, "outboundTrafficPolicy": policy}

    def gateway(self) -> dict[str, Any]:
        servers = []
        for index in self.times(1, 4):
            protocol = self.one("HTTP", "HTTPS", "TLS", "TCP", "GRPC", "MONGO")
            port = {"number": self.one(80, 443, 9000), "name": f"n{index}", "protocol": protocol}
            hosts = self.some(("*", "a.com", "*.a.com", "ns/b.com", "./c.com", "*.com", "B.com", "default/*"), 1, 2)
            tls = {"tls": self.one(*TLS)} if protocol in ("HTTPS", "TLS") else {}
            servers.append(
                {"port": port, "hosts": hosts, "bind": self.one("", "", "0.0.0.0", "127.0.0.1", "::"), **tls}
            )
        return {"selector": {"istio": "ingressgateway"}, "servers": servers}


def made(seed: int) -> Mesh:
    mesh = Mesh()
    for resource in Maker(seed).resources():
        try:
            mesh.apply(resource)
        except Rejected:
            continue
    return mesh


def proxies(mesh: Mesh, certificates: Certificates) -> Iterator[Proxy]:
    for traits in (
        Traits(certificates=certificates),
        Traits(certificates=certificates, interception=Interception.NONE),
        Traits(certificates=certificates, ipv6=True, interception=Interception.TPROXY),
        Traits(certificates=certificates, dns_capture=True, privileged_ports=False),
    ):
        yield mesh.proxy("x.default", {"app": "a"}, traits=traits)
        yield mesh.gateway(traits=traits)


def references(listener: Resource) -> Iterator[tuple[ResourceType, str]]:
    """The clusters and routes that a listener refers to."""
    message = decoded(ResourceType.LDS, listener)
    for filter_ in (each for chain in (*message.filter_chains, message.default_filter_chain) for each in chain.filters):
        manager, proxy = hcm_pb2.HttpConnectionManager(), tcp_proxy_pb2.TcpProxy()
        if filter_.typed_config.Unpack(manager) and manager.HasField("rds"):
            yield ResourceType.RDS, manager.rds.route_config_name
        if filter_.typed_config.Unpack(proxy):
            clusters = [proxy.cluster] if proxy.cluster else [each.name for each in proxy.weighted_clusters.clusters]
            yield from ((ResourceType.CDS, cluster) for cluster in clusters)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    directory: Path = tmp_path_factory.mktemp("sds")
    return Authority().workload(directory, "spiffe://cluster.local/ns/default/sa/x")


def test_every_listener_is_accepted_and_refers_to_what_is_there(certificates: Certificates) -> None:
    listeners: list[Resource] = []
    for seed in SEEDS:
        mesh = made(seed)
        for proxy in proxies(mesh, certificates):
            held = {type_: mesh.resources(type_, proxy) for type_ in (ResourceType.CDS, ResourceType.RDS)}
            for name, listener in mesh.resources(ResourceType.LDS, proxy).items():
                listeners.append(listener)
                missing = [name_ for type_, name_ in references(listener) if name_ not in held[type_]]
                assert not missing, f"mesh {seed}, {proxy.role}: {name} refers to {missing}"
    assert len(listeners) > 25 * len(SEEDS)
    accepts({ResourceType.LDS: listeners})
