"""The other samples in the mesh: TCP by weights, circuit breaking, gRPC balanced by call, WebSockets."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Iterator

import pytest

from lateen.testing.local_mesh import LocalMesh

CIRCUIT_BREAKER = """kubectl apply -n %s -f - <<EOF
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: httpbin
spec:
  host: httpbin
  trafficPolicy:
    connectionPool:
      tcp:
        maxConnections: 1
      http:
        http1MaxPendingRequests: 1
        maxRequestsPerConnection: 1
    outlierDetection:
      consecutive5xxErrors: 1
      interval: 1s
      baseEjectionTime: 3m
      maxEjectionPercent: 100
EOF
"""
_CALLERS = "6"
"""Each of Envoy's two threads may have one connection: of so many callers one has at least three, and lets two wait."""
SAMPLES = (
    "tcp-echo/tcp-echo-services.yaml",
    "httpbin/httpbin.yaml",
    "httpbin/sample-client/fortio-deploy.yaml",
    "grpc-echo/grpc-echo.yaml",
    "websockets/app.yaml",
    "curl/curl.yaml",
)


class Samples:
    def __init__(self, mesh: LocalMesh, namespace: str) -> None:
        self.mesh = mesh
        self.namespace = namespace

    def run(self, workload: str, container: str, *command: str) -> str:
        return self.mesh.exec(self.namespace, f"deploy/{workload}", container, *command)

    def shell(self, line: str) -> str:
        """In the pod of curl."""
        return self.run("curl", "curl", "sh", "-c", line)


@pytest.fixture(scope="module")
def samples(mesh: LocalMesh) -> Iterator[Samples]:
    namespace = mesh.namespace()
    mesh.label_for_injection(namespace)
    for sample in SAMPLES:
        mesh.shell(f"kubectl apply -n {namespace} -f samples/{sample}")
    mesh.until_available(namespace)
    yield Samples(mesh, namespace)
    mesh.kubectl("delete", "namespace", namespace, "--wait=false")


def _prefixes(address: str, connections: int) -> Counter[str]:
    """Which version answered, on so many connections to port 31400 of the gateway."""
    seen: Counter[str] = Counter()
    for _ in range(connections):
        with socket.create_connection((address, 31400), timeout=30) as connection:
            connection.sendall(b"ahoy\n")
            with connection.makefile() as answer:
                prefix, _, said = answer.readline().partition(" ")
            if said != "ahoy\n":
                raise ConnectionError(f"answered with {prefix!r} and {said!r}")
            seen[prefix] += 1
    return seen


def test_tcp_traffic_shifting(samples: Samples) -> None:
    mesh, n = samples.mesh, f"-n {samples.namespace}"
    mesh.shell(f"kubectl apply {n} -f samples/tcp-echo/tcp-echo-all-v1.yaml")
    address = mesh.gateway_address()
    mesh.until(lambda: _prefixes(address, 1) == {"one": 1}, "an answer at the gateway's TCP port")
    assert _prefixes(address, 40) == {"one": 40}
    assert samples.shell(f"(date; sleep 1) | nc {address} 31400").startswith("one ")

    mesh.shell(f"kubectl apply {n} -f samples/tcp-echo/tcp-echo-20-v2.yaml")
    mesh.until(lambda: _prefixes(address, 20)["two"], "the first connections to v2")
    seen = _prefixes(address, 200)
    assert set(seen) == {"one", "two"}
    assert 8 <= seen["two"] <= 80, "40 are expected, and others than these once in 10^10 times"
    assert samples.shell("(echo x; sleep 1) | nc tcp-echo 9000") in ("one x\n", "two x\n"), "within the mesh, too"


def test_circuit_breaking(samples: Samples) -> None:
    def load(requests: int) -> dict[str, int]:
        command = ("load", "-c", _CALLERS, "-qps", "0", "-n", str(requests), "-loglevel", "Warning")
        told = samples.run("fortio-deploy", "fortio", "/usr/bin/fortio", *command, "http://httpbin:8000/get")
        return {code: int(count) for code, count in re.findall(r"Code +(\d+) : (\d+) ", told)}

    curl = ("/usr/bin/fortio", "curl", "-quiet", "http://httpbin:8000/get")
    first = samples.mesh.until(lambda: samples.run("fortio-deploy", "fortio", *curl), "an answer of httpbin")
    assert first.startswith("HTTP/1.1 200 OK")
    assert load(30) == {"200": 30}
    samples.mesh.shell(CIRCUIT_BREAKER % samples.namespace)

    def some_turned_away() -> dict[str, int]:
        codes = load(60)
        return codes if "503" in codes else {}

    tripped = samples.mesh.until(some_turned_away, "requests that the circuit breaker turned away")
    assert tripped["200"] > 0
    assert sum(tripped.values()) == 60
    stats = samples.run("fortio-deploy", "istio-proxy", "pilot-agent", "request", "GET", "stats")
    overflow = re.search(r"^cluster\.outbound\|8000\|\|httpbin\..*\.upstream_rq_pending_overflow: (\d+)$", stats, re.M)
    assert overflow, [line for line in stats.splitlines() if "httpbin" in line][:20]
    assert int(overflow[1]) >= tripped["503"]


def test_grpc_calls_of_one_connection_are_spread(samples: Samples) -> None:
    def calls() -> list[str]:
        answers = samples.run("echo-v1", "app", "grpc-echo", "call", "echo:7070", "ahoy", "-n", "40").splitlines()
        return answers if {answer.partition(" ")[0] for answer in answers} == {"v1", "v2"} else []

    answers = samples.mesh.until(calls, "answers of both versions on one connection")
    assert len(answers) == 40
    assert all(answer.endswith(": ahoy") for answer in answers), answers


def test_websockets_pass_both_proxies(samples: Samples) -> None:
    upgrade = "-H 'Upgrade: websocket' -H 'Connection: Upgrade' -H 'Sec-WebSocket-Version: 13'"
    key = "-H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='"
    # curl says that it stopped waiting for what follows the handshake.
    ask = f"curl -s -i --http1.1 --max-time 3 {upgrade} {key} tornado:8888/ws || true"

    def handshake() -> str:
        return told if (told := samples.shell(ask)).startswith("HTTP/1.1 101 Switching Protocols") else ""

    told = samples.mesh.until(handshake, "the handshake of a WebSocket")
    assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in told, "the server's answer to the key"
