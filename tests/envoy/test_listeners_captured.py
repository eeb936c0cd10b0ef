"""Captured traffic: connections redirected to 15001 and 15006 get to where they were going, as the listeners say.

Everything runs in a network namespace of its own, which ends with the process in it: this very file, run as a program.
Whoever has the application's user ID is redirected; the proxy and the backends are not.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any

import pytest

pytestmark = pytest.mark.cluster

APPLICATION = 4242
WORKLOAD = "10.1.1.1"
UNKNOWN = "10.9.9.9"
RULES = f"""
table ip capture {{
  chain output {{
    type nat hook output priority -100;
    meta skuid {APPLICATION} ip daddr {WORKLOAD} meta l4proto tcp redirect to :15006
    meta skuid {APPLICATION} ip daddr != 127.0.0.0/8 meta l4proto tcp redirect to :15001
  }}
}}
"""


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What the application got, by case."""
    ran = subprocess.run(
        ["unshare", "--net", sys.executable, __file__], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def test_http_by_the_service_s_address(seen: dict[str, Any]) -> None:
    assert seen["http"] == {"status": 200, "backend": "web", "server": "envoy"}


def test_http_by_name_counts_over_the_address(seen: dict[str, Any]) -> None:
    assert seen["http by name"]["backend"] == "web"


def test_byte_streams_by_the_service_s_address(seen: dict[str, Any]) -> None:
    assert seen["tcp"] == "hello from db"


def test_undeclared_ports(seen: dict[str, Any]) -> None:
    assert seen["undeclared"] == {"status": 200, "backend": "web", "server": "envoy"}


def test_unknown_addresses_are_reached(seen: dict[str, Any]) -> None:
    assert seen["unknown"] == "hello from unknown"


def test_http_to_unknown_addresses_on_a_port_of_services(seen: dict[str, Any]) -> None:
    assert seen["unknown http"]["backend"] == "elsewhere"


def test_the_proxy_s_own_port_leads_nowhere(seen: dict[str, Any]) -> None:
    assert seen["own port"] == ""


def test_inbound_http_gets_to_the_port_it_was_for(seen: dict[str, Any]) -> None:
    assert seen["inbound"] == {"status": 200, "backend": "workload", "server": "istio-envoy"}


def test_inbound_ports_of_no_service_are_passed_on(seen: dict[str, Any]) -> None:
    assert seen["inbound unknown"]["backend"] == "bare"


def test_inbound_strict_ports_refuse_plain_text(seen: dict[str, Any]) -> None:
    assert seen["inbound strict"]["status"] == 0


MESH = f"""
kind: Service
metadata: {{name: web}}
spec:
  clusterIP: 10.0.0.1
  ports: [{{name: http, port: 80}}, {{name: "", port: 9000}}]
---
kind: Service
metadata: {{name: db}}
spec: {{clusterIP: 10.0.0.2, ports: [{{name: tcp, port: 5432}}]}}
---
kind: Service
metadata: {{name: own}}
spec:
  clusterIP: 10.0.0.3
  selector: {{app: own}}
  ports: [{{name: http, port: 80, targetPort: 8080}}, {{name: http-strict, port: 81, targetPort: 8082}}]
---
kind: PeerAuthentication
metadata: {{name: own}}
spec: {{selector: {{matchLabels: {{app: own}}}}, portLevelMtls: {{8082: {{mode: STRICT}}}}}}
---
kind: Pod
metadata: {{name: own, labels: {{app: own}}}}
status: {{podIP: {WORKLOAD}, phase: Running}}
"""


def inside() -> None:
    """Runs in the namespace: sets it up, asks as the application, and prints what came."""
    from lateen.model.proxy import Traits
    from lateen.testing.certificates import Authority
    from lateen.testing.mesh import Mesh, endpoint_slice
    from lateen.testing.running_envoy import RunningEnvoy
    from lateen.testing.static_bootstrap import static_bootstrap

    for command in (
        ["ip", "link", "set", "lo", "up"],
        *(["ip", "address", "add", f"{address}/32", "dev", "lo"] for address in (WORKLOAD, UNKNOWN)),
        ["ip", "route", "add", "default", "dev", "lo"],
    ):
        subprocess.run(command, check=True)
    subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True)
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        web = stack.enter_context(http_server("web", "127.0.0.1", 0))
        db = stack.enter_context(greeter("db", "127.0.0.1", 0))
        stack.enter_context(greeter("unknown", UNKNOWN, 7000))
        stack.enter_context(http_server("elsewhere", UNKNOWN, 80))
        stack.enter_context(http_server("workload", WORKLOAD, 8080))
        stack.enter_context(http_server("bare", WORKLOAD, 8081))
        stack.enter_context(http_server("strict", WORKLOAD, 8082))
        mesh = Mesh(
            MESH,
            endpoint_slice("web", ports={"http": web, "": web}, addresses=("127.0.0.1",)),
            endpoint_slice("db", ports={"tcp": db}, addresses=("127.0.0.1",)),
        )
        certificates = Authority().workload(directory / "sds", "spiffe://cluster.local/ns/default/sa/default")
        proxy = mesh.proxy("own.default", {"app": "own"}, traits=Traits(certificates=certificates))
        envoy = stack.enter_context(RunningEnvoy(static_bootstrap((mesh, proxy))))
        envoy.until(lambda: len(envoy.addresses()) >= 2, "the ports of redirection are listened on")
        print(json.dumps({name: as_application(ask) for name, ask in CASES.items()}))


CASES: dict[str, Callable[[], Any]] = {
    "http": lambda: get("10.0.0.1", 80, "web"),
    "http by name": lambda: get("10.0.0.77", 80, "web.default.svc.cluster.local"),
    "tcp": lambda: first_line("10.0.0.2", 5432),
    "undeclared": lambda: get("10.0.0.1", 9000, "web"),
    "unknown": lambda: first_line(UNKNOWN, 7000),
    "unknown http": lambda: get(UNKNOWN, 80, "elsewhere.example.com"),
    "own port": lambda: first_line("10.0.0.99", 15001),
    "inbound": lambda: get(WORKLOAD, 8080, "own"),
    "inbound unknown": lambda: get(WORKLOAD, 8081, "own"),
    "inbound strict": lambda: get(WORKLOAD, 8082, "own"),
}


def as_application(ask: Callable[[], Any]) -> Any:
    """The answer of a child that has the application's user ID."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.setuid(APPLICATION)
        os.write(writing, json.dumps(ask()).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading) as answer:
        return json.loads(answer.read() or "null")


def get(address: str, port: int, host: str) -> dict[str, Any]:
    import http.client

    connection = http.client.HTTPConnection(address, port, timeout=60)
    try:
        connection.request("GET", "/", headers={"host": host})
        answer = connection.getresponse()
        body = answer.read().decode()
        return {"status": answer.status, "backend": body, "server": answer.getheader("server")}
    except (OSError, http.client.HTTPException) as error:
        return {"status": 0, "error": repr(error)}


def first_line(address: str, port: int) -> str:
    """What the server says first; empty when it closes the connection instead."""
    with contextlib.suppress(ConnectionError), socket.create_connection((address, port), timeout=60) as connection:
        return connection.makefile().readline().strip()
    return ""


class _Unnamed(ThreadingHTTPServer):
    """Asks nobody for the name of its address: the machine's resolver cannot be reached from here."""

    def server_bind(self) -> None:
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "", self.server_address[1]


@contextlib.contextmanager
def http_server(name: str, address: str, port: int) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(name)))
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, *args: object) -> None:
            """Says nothing."""

    server = _Unnamed((address, port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


@contextlib.contextmanager
def greeter(name: str, address: str, port: int) -> Iterator[int]:
    server = socket.create_server((address, port))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                connection.sendall(f"hello from {name}\n".encode())
                connection.close()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


if __name__ == "__main__":
    inside()
