"""Workloads behind the inbound side of real sidecars, each under policies of its own, and who calls them.

One Envoy stands for many workloads: each has a mesh and a loopback address of its own.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lateen.model.proxy import Interception, Proxy, Traits
from lateen.testing.certificates import Authority
from lateen.testing.free_port import free_port
from lateen.testing.mesh import Mesh

WITHOUT_METRICS = "defaultProviders: {metrics: []}\n"
"""MeshConfig: what metrics Envoy keeps is beside the point here."""
_SERVER = "spiffe://cluster.local/ns/default/sa/server"
_HTTP_ALPN = ("istio-http/1.1", "istio")
_TCP_ALPN = ("istio",)


class Caller(NamedTuple):
    """Who connects, and how."""

    identity: str = ""
    """A SPIFFE ID, shown in mutual TLS; empty for plain text."""
    address: str = "127.0.0.1"
    server_name: str = ""


class Ask(NamedTuple):
    """An HTTP request, sent exactly like this."""

    method: str = "GET"
    path: str = "/"
    host: str = "web"
    headers: tuple[tuple[str, str], ...] = ()


class Guards:
    """What all guarded workloads share: an authority, ports, and the applications behind them.

    Use as a context manager. HTTP is answered with 200 and the header `x-path`, the path that the application got;
    byte streams are echoed.
    """

    def __init__(self, directory: Path) -> None:
        self.authority = Authority("mesh")
        self.http_port = free_port()
        self.tcp_port = free_port()
        self._directory = directory
        self._certificates = self.authority.workload(directory / "server", _SERVER)
        self._contexts: dict[tuple[str, tuple[str, ...]], ssl.SSLContext] = {}
        self._stack = contextlib.ExitStack()
        self.http_application = 0
        """Where it listens at loopback."""
        self.tcp_application = 0

    def __enter__(self) -> Guards:
        self.http_application = self._stack.enter_context(_application(_Http))
        self.tcp_application = self._stack.enter_context(_application(_Echo))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def workload(
        self,
        policies: Sequence[Mapping[str, Any]],
        address: str,
        *,
        mode: str = "PERMISSIVE",
        config: str = WITHOUT_METRICS,
        stream: int = 0,
    ) -> tuple[Mesh, Proxy]:
        """A workload with one HTTP and one TCP port at a loopback address, for `static_bootstrap`.

        `stream` is the port of another application behind the TCP port; all workloads of one Envoy have the same.
        """
        ingress = [
            {
                "port": {"number": port, "name": name, "protocol": name.upper()},
                "bind": address,
                "captureMode": "NONE",
                "defaultEndpoint": f"127.0.0.1:{backend}",
            }
            for name, port, backend in (
                ("http", self.http_port, self.http_application),
                ("tcp", self.tcp_port, stream or self.tcp_application),
            )
        ]
        mesh = Mesh(
            {"kind": "Sidecar", "metadata": {"name": "web"}, "spec": {"ingress": ingress}},
            {"kind": "PeerAuthentication", "metadata": {"name": "mode"}, "spec": {"mtls": {"mode": mode}}},
        )
        mesh.mesh_config(config)
        mesh.apply(*policies)
        traits = Traits(interception=Interception.NONE, certificates=self._certificates)
        return mesh, mesh.proxy("web.default", {"app": "web"}, addresses=(address,), traits=traits)

    # --- calling ------------------------------------------------------------------------------------------------

    def ask(self, address: str, caller: Caller, ask: Ask) -> http.client.HTTPResponse:
        """One request on a connection of its own; the answer has been read. Raises OSError when there is none."""
        with self.connection(address, caller) as connection:
            return answer(connection, ask)

    @contextlib.contextmanager
    def connection(self, address: str, caller: Caller) -> Iterator[http.client.HTTPConnection]:
        """A connection for several requests."""
        connection = http.client.HTTPConnection("web")
        connection.sock = self.connect((address, self.http_port), caller, _HTTP_ALPN)
        try:
            yield connection
        finally:
            connection.close()

    def echoes(self, address: str, caller: Caller, *, alpn: tuple[str, ...] = _TCP_ALPN) -> bool:
        """Whether a byte stream gets through. Raises OSError when the connection itself is refused."""
        with self.connect((address, self.tcp_port), caller, alpn) as stream:
            try:
                stream.sendall(b"hello\n")
                return stream.recv(100) == b"hello\n"
            except (ConnectionError, ssl.SSLError):
                return False

    def connect(self, to: tuple[str, int], caller: Caller, alpn: tuple[str, ...]) -> socket.socket:
        """A connection, TLS and all."""
        plain = socket.create_connection(to, timeout=60, source_address=(caller.address, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not caller.identity:
            return plain
        context = self._contexts.get((caller.identity, alpn))
        if context is None:
            context = self._contexts[caller.identity, alpn] = self._context(caller.identity, alpn)
        try:
            return context.wrap_socket(plain, server_hostname=caller.server_name or None)
        except OSError:
            plain.close()
            raise

    def _context(self, identity: str, alpn: tuple[str, ...]) -> ssl.SSLContext:
        pair = self.authority.issue(identity)
        name = f"caller-{len(self._contexts)}"
        chain, key = self._directory / f"{name}.crt", self._directory / f"{name}.key"
        chain.write_text(pair.certificate)
        key.write_text(pair.key)
        context = ssl.create_default_context(cadata=self.authority.root)
        context.check_hostname = False
        context.set_alpn_protocols(list(alpn))
        context.load_cert_chain(chain, key)
        return context


def answer(connection: http.client.HTTPConnection, ask: Ask) -> http.client.HTTPResponse:
    """Sends a request and reads its answer to the end."""
    connection.putrequest(ask.method, ask.path, skip_host=True, skip_accept_encoding=True)
    for name, value in (("host", ask.host), ("content-length", "0"), *ask.headers):
        connection.putheader(name, value)
    connection.endheaders()
    found = connection.getresponse()
    found.read()
    return found


@contextlib.contextmanager
def _application(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


class _Http(socketserver.StreamRequestHandler):
    """Any method at all, without bodies."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while line := self.rfile.readline():
                while self.rfile.readline().strip():
                    pass
                path = line.split(b" ")[1]
                self.wfile.write(b"HTTP/1.1 200 OK\r\nx-path: " + path + b"\r\ncontent-length: 0\r\n\r\n")


class _Echo(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while line := self.rfile.readline():
                self.wfile.write(line)
