"""Applications that are their own proxies (proxyless gRPC): with one another, and with those that have Envoys."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lateen.testing.local_cluster import CommandFailed
from lateen.testing.local_mesh import REPOSITORY, LocalMesh

SAMPLE = REPOSITORY / "samples/grpc-echo"
STRICT = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
"""
SPLIT = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: echo}
spec:
  hosts: [echo]
  http:
  - route:
    - {destination: {host: echo, subset: v1}, weight: %d}
    - {destination: {host: echo, subset: v2}, weight: %d}
"""
EXPECTED = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: echo}
spec:
  host: echo
  trafficPolicy: {tls: {mode: ISTIO_MUTUAL, subjectAltNames: [%s]}}
"""


@contextlib.contextmanager
def _running(work: Callable[[], None], over: threading.Event) -> Iterator[None]:
    """Does some work beside, which ends soon after it is over; what it raises is raised here."""
    with ThreadPoolExecutor(1) as beside:
        done = beside.submit(work)
        try:
            yield
        finally:
            over.set()
    done.result()


class Echoes:
    """The sample in two namespaces: `alone` without Envoys, `beside` with them and nothing but mutual TLS."""

    def __init__(self, mesh: LocalMesh, alone: str, beside: str) -> None:
        self.mesh = mesh
        self.alone = alone
        self.beside = beside

    def call(self, namespace: str, target: str, count: int = 1, word: str = "ahoy") -> list[str]:
        """From v1 of a namespace: who answered each call, or what went wrong."""
        command = ("grpc-echo", "call", target, word, "-n", str(count))
        answers = self.mesh.exec(namespace, "deploy/echo-v1", "app", *command).splitlines()
        return [answer.partition(" ")[0] if answer.endswith(f": {word}") else answer for answer in answers]

    def until(self, namespace: str, target: str, wanted: set[str]) -> None:
        """Until so many calls are answered by all of these and nobody else."""

        def answered() -> bool:
            if (found := set(self.call(namespace, target, 12))) != wanted:
                raise CommandFailed(f"answers: {found}")
            return True

        self.mesh.until(answered, f"{wanted} at {target}")

    def logged(self, namespace: str) -> str:
        return "".join(
            self.mesh.kubectl("logs", "-n", namespace, f"deploy/echo-{v}", "-c", "app") for v in ("v1", "v2")
        )

    def address(self, namespace: str) -> str:
        return str(self.mesh.get("pods", "-n", namespace, "-l", "version=v1")["items"][0]["status"]["podIP"])


@pytest.fixture(scope="module")
def echoes(mesh: LocalMesh) -> Iterator[Echoes]:
    alone, beside = mesh.namespace(), mesh.namespace()
    for namespace, file in ((alone, "grpc-echo-proxyless.yaml"), (beside, "grpc-echo.yaml")):
        mesh.label_for_injection(namespace)
        mesh.apply_file(SAMPLE / file, "-n", namespace)
    mesh.apply(STRICT, "-n", beside)
    for namespace in (alone, beside):
        mesh.until_available(namespace)
    yield Echoes(mesh, alone, beside)
    mesh.kubectl("delete", "namespace", alone, beside, "--wait=false")


@pytest.fixture
def rules(echoes: Echoes) -> Iterator[None]:
    """What tests say of the service goes with them, and the sample's own rule is back."""
    yield
    echoes.mesh.kubectl("delete", "virtualservices", "--all", "-n", echoes.alone)
    echoes.mesh.apply_file(SAMPLE / "grpc-echo-proxyless.yaml", "-n", echoes.alone)


def _identity(namespace: str) -> str:
    return f"spiffe://cluster.local/ns/{namespace}/sa/default"


def test_there_is_no_envoy_in_such_a_pod(echoes: Echoes) -> None:
    pod = echoes.mesh.pod(echoes.alone, "version=v1")
    programs = echoes.mesh.exec(
        echoes.alone, pod, "istio-proxy", "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'"
    )  # fmt: skip
    assert "lateen.agent.keeper" in programs
    assert "envoy-rev.json" not in programs


def test_both_sides_of_a_call_prove_who_they_are(echoes: Echoes, rules: None) -> None:
    echoes.until(echoes.alone, "xds:///echo:7070", {"v1", "v2"})
    assert f"Echo 'ahoy' of {_identity(echoes.alone)}\n" in echoes.logged(echoes.alone)
    echoes.mesh.apply(EXPECTED % "spiffe://cluster.local/ns/elsewhere/sa/default", "-n", echoes.alone)
    echoes.mesh.until(
        lambda: all(said.startswith("UNAVAILABLE") for said in echoes.call(echoes.alone, "xds:///echo:7070", 2)),
        "a server that is somebody else to be refused",
    )
    echoes.mesh.apply(EXPECTED % _identity(echoes.alone), "-n", echoes.alone)
    echoes.until(echoes.alone, "xds:///echo:7070", {"v1", "v2"})


def test_plaintext_is_refused(echoes: Echoes) -> None:
    echoes.until(echoes.alone, "xds:///echo:7070", {"v1", "v2"})
    (said,) = echoes.call(echoes.alone, f"{echoes.address(echoes.alone)}:7070", word="in the clear")
    assert said.startswith("UNAVAILABLE"), said
    assert "in the clear" not in echoes.logged(echoes.alone)


def test_a_call_that_fails_is_no_more_than_that(echoes: Echoes) -> None:
    target = ("grpc-echo", "call", "xds:///echo:7070", "ahoy")
    said = echoes.mesh.exec(echoes.alone, "deploy/echo-v1", "app", *target, "--fail-with", "5", "-n", "4")
    assert said.splitlines() == ["NOT_FOUND: as asked"] * 4
    echoes.until(echoes.alone, "xds:///echo:7070", {"v1", "v2"})
    for pod in echoes.mesh.get("pods", "-n", echoes.alone)["items"]:
        assert [each["restartCount"] for each in pod["status"]["containerStatuses"]] == [0]


def test_calls_by_weight(echoes: Echoes, rules: None) -> None:
    for v1, v2, wanted in ((0, 100, {"v2"}), (100, 0, {"v1"}), (50, 50, {"v1", "v2"})):
        echoes.mesh.apply(SPLIT % (v1, v2), "-n", echoes.alone)
        echoes.until(echoes.alone, "xds:///echo:7070", wanted)


def test_a_server_behind_a_sidecar_knows_the_caller(echoes: Echoes) -> None:
    echoes.until(echoes.alone, f"xds:///echo.{echoes.beside}.svc.cluster.local:7070", {"v1", "v2"})
    assert f"Echo 'ahoy' of {_identity(echoes.alone)}\n" in echoes.logged(echoes.beside)


def test_a_client_behind_a_sidecar_is_known_to_the_server(echoes: Echoes) -> None:
    echoes.until(echoes.beside, f"echo.{echoes.alone}:7070", {"v1", "v2"})
    assert f"Echo 'ahoy' of {_identity(echoes.beside)}\n" in echoes.logged(echoes.alone)


def test_no_call_fails_while_a_certificate_is_replaced(echoes: Echoes) -> None:
    mesh, address = echoes.mesh, echoes.address(echoes.alone)

    def run(container: str, command: str) -> str:
        return mesh.exec(echoes.alone, "deploy/echo-v1", container, "sh", "-c", command)

    def presented() -> str:
        handshake = f"openssl s_client -connect {address}:7070 -alpn h2 </dev/null 2>/dev/null"
        return run("app", f"{handshake} | openssl x509 -noout -serial")

    def written() -> str:
        return run("app", "openssl x509 -noout -serial -in /var/lib/istio/data/cert-chain.pem")

    mesh.kubectl("scale", "deploy/echo-v2", "-n", echoes.alone, "--replicas=0")
    echoes.until(echoes.alone, "xds:///echo:7070", {"v1"})
    before = written()
    assert presented() == before
    answers: list[str] = []
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            answers.extend(echoes.call(echoes.alone, "xds:///echo:7070", 3))

    with _running(load, over):
        # An agent that finds no certificate asks for one at once.
        run("istio-proxy", "rm /etc/istio/proxy/sds/default.yaml; kill -9 $(cat /proc/1/task/1/children)")
        mesh.until(lambda: presented() == written() != before, "a certificate that is new in the file and at the port")
    mesh.kubectl("scale", "deploy/echo-v2", "-n", echoes.alone, "--replicas=1")
    assert set(answers) == {"v1"}


def test_without_an_agent_it_is_plaintext(mesh: LocalMesh, room: str) -> None:
    text = (SAMPLE / "grpc-echo-proxyless.yaml").read_text().replace("grpc-agent", "grpc-simple")
    mesh.apply(text.replace("tlsMode: istio", "tlsMode: disabled"), "-n", room)
    mesh.until_available(room)
    simple = Echoes(mesh, room, room)
    simple.until(room, "xds:///echo:7070", {"v1", "v2"})
    assert "Echo 'ahoy'\n" in simple.logged(room)
