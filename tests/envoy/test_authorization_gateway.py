"""Authorization at a real gateway: clients' own certificates, TLS that is passed through, plain byte streams."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lateen.model.proxy import Traits
from lateen.testing.certificates import Authority
from lateen.testing.free_port import free_port
from lateen.testing.guarded_workload import WITHOUT_METRICS, Guards
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.testing.running_envoy import RunningEnvoy
from lateen.testing.static_bootstrap import static_bootstrap

CLIENT = "spiffe://clients.org/ns/shop/sa/buyer"

MESH = """
kind: AuthorizationPolicy
metadata: {name: edge, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  rules:
  - from: [{source: {principals: [clients.org/ns/shop/sa/buyer]}}]
    to: [{operation: {hosts: [mutual.com], ports: ["%(https)d"]}}]
  - to: [{operation: {ports: ["%(tls)d"]}}]
    when: [{key: connection.sni, values: [a.pass.com]}]
---
kind: Gateway
metadata: {name: gw, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: %(https)d, name: https, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: [mutual.com]
    tls: {mode: MUTUAL, serverCertificate: %(files)s/crt, privateKey: %(files)s/key, caCertificates: %(files)s/ca}
  - port: {number: %(tls)d, name: tls, protocol: TLS}
    bind: 127.0.0.1
    hosts: ["*.pass.com"]
    tls: {mode: PASSTHROUGH}
  - {port: {number: %(tcp)d, name: tcp, protocol: TCP}, bind: 127.0.0.1, hosts: ["*"]}
---
kind: VirtualService
metadata: {name: all, namespace: default}
spec:
  hosts: ["*"]
  gateways: [istio-system/gw]
  http: [{route: [{destination: {host: web}}]}]
  tls:
  - match: [{sniHosts: ["*.pass.com"], port: %(tls)d}]
    route: [{destination: {host: echo}}]
  tcp:
  - match: [{port: %(tcp)d}]
    route: [{destination: {host: echo}}]
---
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
---
kind: Service
metadata: {name: echo, namespace: default}
spec: {clusterIP: 10.0.0.2, ports: [{name: tcp, port: 80}]}
"""


class Edge(NamedTuple):
    ports: dict[str, int]
    servers: Authority
    clients: Authority
    directory: Path

    def context(self, *names: str, authority: Authority | None = None) -> ssl.SSLContext:
        """Of a client with a certificate of these names."""
        context = ssl.create_default_context(cadata=self.servers.root)
        context.set_alpn_protocols(["http/1.1"])
        if names:
            pair = (authority or self.clients).issue(*names)
            chain, key = self.directory / "client.crt", self.directory / "client.key"
            chain.write_text(pair.certificate)
            key.write_text(pair.key)
            context.load_cert_chain(chain, key)
        return context

    def get(self, context: ssl.SSLContext, host: str = "mutual.com") -> int:
        plain = socket.create_connection(("127.0.0.1", self.ports["https"]), timeout=60)
        connection = http.client.HTTPConnection("gateway")
        connection.sock = context.wrap_socket(plain, server_hostname="mutual.com")
        with contextlib.closing(connection):
            connection.request("GET", "/", headers={"host": host})
            return connection.getresponse().status

    def passes(self, port: str, said: bytes) -> bool:
        """Whether what a client says comes to the application, which gives it back."""
        with socket.create_connection(("127.0.0.1", self.ports[port]), timeout=60) as stream:
            stream.sendall(said)
            with contextlib.suppress(ConnectionError):
                return bool(stream.recv(100))
        return False


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    directory = tmp_path_factory.mktemp("edge")
    found = Edge({name: free_port() for name in ("https", "tls", "tcp")}, Authority("s"), Authority("c"), directory)
    pair = found.servers.issue("mutual.com")
    for name, content in (("crt", pair.certificate), ("key", pair.key), ("ca", found.clients.root)):
        (directory / name).write_text(content)
    with Guards(directory / "guards") as guards:
        mesh = Mesh(
            MESH % {**found.ports, "files": directory},
            endpoint_slice("web", ports={"http": guards.http_application}, addresses=("127.0.0.1",)),
            endpoint_slice("echo", ports={"tcp": guards.tcp_application}, addresses=("127.0.0.1",)),
        )
        mesh.mesh_config(WITHOUT_METRICS)
        with RunningEnvoy(static_bootstrap((mesh, mesh.gateway(traits=Traits(certificates=None))))) as envoy:
            envoy.until(lambda: len(envoy.addresses()) >= 3, "all listeners listen")
            yield found


def hello(name: str) -> bytes:
    """What a client of TLS says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client: Any = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def test_the_client_s_identity(edge: Edge) -> None:
    assert edge.get(edge.context(CLIENT)) == 200
    assert edge.get(edge.context(CLIENT), host="MUTUAL.COM") == 200
    assert edge.get(edge.context(CLIENT), host="other.com") == 403


@pytest.mark.parametrize(
    "names",
    [
        ("spiffe://clients.org/ns/shop/sa/buyer-2",),
        ("spiffe://clients.org/ns/shop/sa/buye",),
        ("https://clients.org/ns/shop/sa/buyer",),
        ("clients.org",),
        ("spiffe://other.org/ns/shop/sa/buyer",),
    ],
)
def test_what_is_not_the_client_s_identity(edge: Edge, names: tuple[str, ...]) -> None:
    assert edge.get(edge.context(*names)) == 403


def test_certificates_of_others_do_not_come_as_far(edge: Edge) -> None:
    for context in (edge.context(), edge.context(CLIENT, authority=edge.servers)):
        with pytest.raises(OSError):
            edge.get(context)


def test_server_names_of_tls_that_is_passed_through(edge: Edge) -> None:
    assert edge.passes("tls", hello("a.pass.com") + b"\n")
    assert edge.passes("tls", hello("A.Pass.com") + b"\n")
    assert not edge.passes("tls", hello("b.pass.com") + b"\n")


def test_byte_streams(edge: Edge) -> None:
    assert not edge.passes("tcp", b"hello\n")
    assert not edge.passes("tcp", hello("a.pass.com") + b"\n"), "the server name of a port that looks for none"
