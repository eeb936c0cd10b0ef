"""DNS capture end to end: queries redirected by our rules, answered by the Envoy that holds our listeners."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from dnslib import QTYPE, RR, A, DNSRecord
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.network.dns_resolver.cares.v3 import cares_dns_resolver_pb2
from envoy.service.discovery.v3 import discovery_pb2

from lateen.capture.command import capture
from lateen.model.names import PASSTHROUGH_CLUSTER
from lateen.model.proxy import Traits
from lateen.testing.mesh import Mesh
from lateen.testing.namespaces import Namespace, connect, namespace
from lateen.testing.running_envoy import RunningEnvoy
from lateen.translate.listeners.dns import DNS, DNS_OVER_TCP, PORT
from lateen.translate.newer_types import DnsFilterConfig
from lateen.translate.resource import ResourceType

pytestmark = pytest.mark.cluster

SERVER = "10.77.0.1"
"""The pod's resolver, in another namespace."""
APPLICATION = 1000
WEB = """
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
"""


class Pod:
    """A pod with DNS capture, whose proxy is root: whoever else is in it is captured."""

    def __init__(self, place: Namespace, asked: list[tuple[str, str]]) -> None:
        self.place = place
        self.asked = asked
        """What the resolver was asked for: how, and the name."""

    def connected(self, kind: int, address: tuple[str, int]) -> socket.socket:
        found = self.place.socket(socket.AF_INET, kind, uid=APPLICATION, gid=APPLICATION)
        found.settimeout(60)
        found.connect(address)
        return found

    def ask(self, name: str, kind: int = socket.SOCK_DGRAM) -> str:
        """The address of the answer, to a query to the pod's resolver."""
        query = DNSRecord.question(name).pack()
        with self.connected(kind, (SERVER, 53)) as client:
            client.sendall(query if kind == socket.SOCK_DGRAM else len(query).to_bytes(2, "big") + query)
            answer = client.recv(4096)
        return str(DNSRecord.parse(answer if kind == socket.SOCK_DGRAM else answer[2:]).rr[0].rdata)


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with namespace() as place, namespace() as world:
        connect((place, "eth0", "77.0.2"), (world, "eth0", "77.0.1"))
        place.command("ip", "route", "add", "default", "via", SERVER)
        asked: list[tuple[str, str]] = []
        _serve(world, asked)
        words = ["-u", "0", "-i", "*", "--redirect-dns", "--capture-all-dns", "--log_output_level=error"]
        argv = ["--network-namespace", place.path, *words]
        result = place.run(lambda: CliRunner().invoke(capture, argv))
        assert (result.exit_code, result.output) == (0, "")
        envoy = RunningEnvoy(_bootstrap(tmp_path_factory.mktemp("dns")))
        try:
            place.run(envoy.start)
            place.run(lambda: envoy.until(lambda: {DNS, DNS_OVER_TCP} <= envoy.listeners().keys(), "listeners"))
            yield Pod(place, asked)
        finally:
            envoy.stop()


def _serve(world: Namespace, asked: list[tuple[str, str]]) -> None:
    """A resolver that knows one address, until its sockets are gone with the test's process."""
    datagrams, connections = (world.socket(socket.AF_INET, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM))
    for each in (datagrams, connections):
        each.bind((SERVER, 53))
    connections.listen()

    def answer(query: bytes, how: str) -> bytes:
        found = DNSRecord.parse(query)
        asked.append((how, str(found.q.qname)))
        reply = found.reply()
        reply.add_answer(RR(found.q.qname, QTYPE.A, rdata=A("192.0.2.77")))
        packed: bytes = reply.pack()
        return packed

    def serve_datagrams() -> None:
        while True:
            query, client = datagrams.recvfrom(4096)
            datagrams.sendto(answer(query, "UDP"), client)

    def serve_connections() -> None:
        while True:
            client, _ = connections.accept()
            with client:
                if query := client.recv(4096):
                    reply = answer(query[2:], "TCP")
                    client.sendall(len(reply).to_bytes(2, "big") + reply)

    serving: tuple[Callable[[], None], ...] = (serve_datagrams, serve_connections)
    for each_of in serving:
        threading.Thread(target=each_of, daemon=True).start()


def _bootstrap(directory: Path) -> dict[str, Any]:
    """What the mesh sends, from files, with the pod's resolver rather than that of this machine."""
    mesh = Mesh(WEB)
    proxy = mesh.proxy("client.shop", traits=Traits(dns_capture=True))
    listeners = mesh.resources(ResourceType.LDS, proxy)
    named = listener_pb2.Listener.FromString(listeners[DNS].body)
    config = named.listener_filters[0].typed_config
    found = DnsFilterConfig.FromString(config.value)
    chosen = found.client_config.typed_dns_resolver_config.typed_config
    resolver = cares_dns_resolver_pb2.CaresDnsResolverConfig.FromString(chosen.value)
    server = resolver.resolvers.add().socket_address
    server.address, server.port_value = SERVER, 53
    chosen.value = resolver.SerializeToString()
    config.value = found.SerializeToString()
    bodies = {
        ResourceType.LDS: (named.SerializeToString(), listeners[DNS_OVER_TCP].body),
        ResourceType.CDS: (mesh.resources(ResourceType.CDS, proxy)[PASSTHROUGH_CLUSTER].body,),
    }
    sources = {}
    for type_, listed in bodies.items():
        response = discovery_pb2.DiscoveryResponse(type_url=type_.value)
        for body in listed:
            response.resources.add(type_url=type_.value, value=body)
        path = directory / f"{type_.name}.pb"
        path.write_bytes(response.SerializeToString())
        source = {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}
        sources[f"{type_.name.lower()}_config"] = source
    return {"node": {"id": "test", "cluster": "test"}, "dynamic_resources": sources}


def test_names_of_the_mesh_are_answered_in_the_pod(pod: Pod) -> None:
    assert pod.ask("web.shop") == "10.0.0.1"
    assert ("UDP", "web.shop.") not in pod.asked


def test_other_names_are_asked_for_by_the_proxy(pod: Pod) -> None:
    assert pod.ask("real.example.org") == "192.0.2.77"
    assert ("UDP", "real.example.org.") in pod.asked


def test_queries_over_tcp_go_where_they_were_going(pod: Pod) -> None:
    assert pod.ask("tcp.example.org", socket.SOCK_STREAM) == "192.0.2.77"
    assert ("TCP", "tcp.example.org.") in pod.asked


def test_the_port_itself_is_no_way_around_in_circles(pod: Pod) -> None:
    with pod.connected(socket.SOCK_STREAM, ("127.0.0.1", PORT)) as client:
        client.sendall(b"x")
        with contextlib.suppress(ConnectionError):
            assert client.recv(1) == b""
