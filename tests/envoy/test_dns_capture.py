"""A real Envoy that answers DNS queries from what it was sent, and asks a resolver for the rest."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dnslib import AAAA, QTYPE, RR, A, DNSRecord
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.network.dns_resolver.cares.v3 import cares_dns_resolver_pb2
from envoy.service.discovery.v3 import discovery_pb2

from lateen.model.proxy import Traits
from lateen.testing.free_port import free_port
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.testing.running_envoy import RunningEnvoy
from lateen.translate.listeners.dns import DNS
from lateen.translate.newer_types import DnsFilterConfig
from lateen.translate.resource import ResourceType

SERVICES = """
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
---
kind: Service
metadata: {name: dual, namespace: shop}
spec: {clusterIP: 10.0.0.2, clusterIPs: [10.0.0.2, "2001:db8::2"], ports: [{name: http, port: 80}]}
---
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, ports: [{name: tcp, port: 5432}]}
---
kind: ServiceEntry
metadata: {name: outside, namespace: shop}
spec: {hosts: [auto.example.com, "*.wild.example.com"], addresses: [192.0.2.1], resolution: NONE,
  ports: [{number: 443, name: tls, protocol: TLS}]}
"""


class Resolver(threading.Thread):
    """Knows the names that begin with `real`."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.asked: list[tuple[str, str]] = []

    def run(self) -> None:
        while True:
            data, client = self._socket.recvfrom(4096)
            if not data:
                return
            query = DNSRecord.parse(data)
            name, type_ = str(query.q.qname), QTYPE[query.q.qtype]
            self.asked.append((name, type_))
            answer = query.reply()
            if not name.startswith("real"):
                answer.header.rcode = 3
            elif type_ == "A":
                answer.add_answer(RR(name, QTYPE.A, rdata=A("192.0.2.99")))
            elif type_ == "AAAA":
                answer.add_answer(RR(name, QTYPE.AAAA, rdata=AAAA("2001:db8::99")))
            self._socket.sendto(answer.pack(), client)

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self.join()
        self._socket.close()


class World:
    def __init__(self, directory: Path) -> None:
        self.mesh = Mesh(SERVICES, _pods("10.1.0.1", "10.1.0.2"))
        self.resolver = Resolver()
        self.port = free_port()
        self._path = directory / "listeners.pb"
        self.write()

    @property
    def bootstrap(self) -> dict[str, object]:
        source = {"path_config_source": {"path": str(self._path)}, "resource_api_version": "V3"}
        return {"node": {"id": "test", "cluster": "test"}, "dynamic_resources": {"lds_config": source}}

    def write(self) -> None:
        """Sends Envoy what the mesh has, at a free port, and with a resolver that is not that of the machine."""
        proxy = self.mesh.proxy("client.shop", traits=Traits(dns_capture=True))
        listener = listener_pb2.Listener.FromString(self.mesh.resources(ResourceType.LDS, proxy)[DNS].body)
        listener.address.socket_address.port_value = self.port
        config = listener.listener_filters[0].typed_config
        found = DnsFilterConfig.FromString(config.value)
        chosen = found.client_config.typed_dns_resolver_config.typed_config
        resolver = cares_dns_resolver_pb2.CaresDnsResolverConfig.FromString(chosen.value)
        address = resolver.resolvers.add().socket_address
        address.address, address.port_value = "127.0.0.1", self.resolver.port
        chosen.value = resolver.SerializeToString()
        config.value = found.SerializeToString()
        response = discovery_pb2.DiscoveryResponse(type_url=ResourceType.LDS.value)
        response.resources.add().Pack(listener)
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(response.SerializeToString())
        os.rename(fresh, self._path)

    def ask(self, name: str, type_: str = "A") -> tuple[int, set[str]]:
        """The answer's code and its addresses."""
        query = DNSRecord.question(name, type_)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(60)
            client.sendto(query.pack(), ("127.0.0.1", self.port))
            answer = DNSRecord.parse(client.recv(65_535))
        assert answer.header.id == query.header.id
        return answer.header.rcode, {str(record.rdata) for record in answer.rr}


def _pods(*addresses: str) -> dict[str, object]:
    return endpoint_slice("db", "shop", ports={"tcp": 5432}, addresses=addresses)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("dns"))
    world.resolver.start()
    try:
        with RunningEnvoy(world.bootstrap) as envoy:
            envoy.until(lambda: DNS in envoy.listeners(), "listens")
            yield world
    finally:
        world.resolver.stop()


NOTHING: tuple[int, set[str]] = (3, set())


@pytest.mark.parametrize(
    ("name", "type_", "addresses"),
    [
        ("web.shop.svc.cluster.local", "A", {"10.0.0.1"}),
        ("WEB.Shop.svc.cluster.local", "A", {"10.0.0.1"}),
        ("web", "A", {"10.0.0.1"}),
        ("web.shop", "A", {"10.0.0.1"}),
        ("web.shop.shop.svc.cluster.local", "A", {"10.0.0.1"}),
        ("dual.shop", "A", {"10.0.0.2"}),
        ("db.shop.svc.cluster.local", "A", {"10.1.0.1", "10.1.0.2"}),
        ("auto.example.com", "A", {"192.0.2.1"}),
        ("auto.example.com.shop.svc.cluster.local", "A", {"192.0.2.1"}),
        ("a.b.wild.example.com", "A", {"192.0.2.1"}),
    ],
)
def test_names_of_the_mesh(world: World, name: str, type_: str, addresses: set[str]) -> None:
    before = len(world.resolver.asked)
    assert world.ask(name, type_) == (0, addresses)
    assert len(world.resolver.asked) == before


@pytest.mark.parametrize("name", ["web.shop.svc.cluster.local", "auto.example.com"])
def test_addresses_that_a_name_of_the_mesh_does_not_have(world: World, name: str) -> None:
    """Nobody else is asked for them: the connection would go past the mesh."""
    before = len(world.resolver.asked)
    assert world.ask(name, "AAAA") == NOTHING
    assert len(world.resolver.asked) == before


def test_other_names_are_asked_for(world: World) -> None:
    assert world.ask("real.example.org") == (0, {"192.0.2.99"})
    assert world.ask("real.example.org", "AAAA") == (0, {"2001:db8::99"})
    assert world.ask("none.example.org") == NOTHING
    # As they are: the workload's own resolver appends what is to be appended.
    assert ("none.example.org.", "A") in world.resolver.asked
    assert world.ask("none.shop.svc.cluster.local") == NOTHING
    assert {name for name, _ in world.resolver.asked} == {
        "real.example.org.",
        "none.example.org.",
        "none.shop.svc.cluster.local.",
    }


def test_other_types_are_refused(world: World) -> None:
    """Envoy cannot hand them on."""
    assert world.ask("real.example.org", "TXT") == (4, set())


def test_no_query_is_lost_while_endpoints_change(world: World) -> None:
    """Runs last: it changes the mesh."""
    for number in range(3, 8):
        address = f"10.1.0.{number}"
        world.mesh.apply(_pods(address))
        world.write()
        deadline = time.monotonic() + 60
        while world.ask("db.shop") != (0, {address}):
            assert world.ask("web.shop") == (0, {"10.0.0.1"})
            assert time.monotonic() < deadline
