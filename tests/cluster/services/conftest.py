"""A stage for Services: clients and servers on both nodes, and ways to ask from wherever packets come from."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lateen.cluster.layout import Layout, load
from lateen.testing.local_cluster import LocalCluster

PROBE = Path(__file__).with_name("probe.py")


def server(name: str, node: str, labels: dict[str, str], **container: Any) -> dict[str, Any]:
    """A pod of `agnhost netexec`: HTTP on the port `http` (8080), UDP on the port `datagrams` (8081)."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "netexec",
                    "image": "example.org/agnhost:2.47",
                    "args": ["netexec", "--http-port=8080", "--udp-port=8081"],
                    "ports": [
                        {"name": "http", "containerPort": 8080},
                        {"name": "datagrams", "containerPort": 8081, "protocol": "UDP"},
                    ],
                    **container,
                }
            ],
        },
    }


class Stage:
    """A namespace with servers `a` (node 1) and `b` (node 2), both `app=web`, and clients `near` and `far` there."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.cluster = cluster
        self.layout: Layout = load(cluster.root)
        self.nodes = (self.layout.node(1), self.layout.node(2))
        self.namespace = cluster.namespace()

    def set_up(self) -> None:
        one, two = (node.name for node in self.nodes)
        self.apply(
            server("a", one, {"app": "web", "pod": "a"}),
            server("b", two, {"app": "web", "pod": "b"}),
            server("near", one, {"pod": "near"}),
            server("far", two, {"pod": "far"}),
        )
        self.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")

    def kubectl(self, *arguments: str, **options: Any) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments, **options)

    def get(self, *arguments: str) -> Any:
        return self.cluster.get(*arguments, "-n", self.namespace)

    def watch(self, kind: str, name: str, path: str) -> Iterator[str]:
        """What a JSON path gives for an object, now and after every change."""
        watching = self.cluster.start_kubectl(
            "get", kind, name, "-n", self.namespace, "-w", "-o", f"jsonpath={path}{{'\\n'}}"
        )
        try:
            assert watching.stdout is not None
            yield from (line.rstrip("\n") for line in watching.stdout)
        finally:
            watching.kill()
            watching.wait()

    def apply(self, *objects: dict[str, Any]) -> None:
        document = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.cluster.apply(json.dumps(document), "-n", self.namespace)

    def pod_ips(self, name: str) -> tuple[str, str]:
        """IPv4, IPv6."""
        first, second = self.get("pod", name)["status"]["podIPs"]
        return first["ip"], second["ip"]

    def command(self, source: str, *argv: str) -> list[str]:
        """The command that runs a Python program at `source`: a pod's name, `node1`, `node2` or `host`."""
        python = [sys.executable, "-I", *argv]
        if source == "host":
            return python
        if source in ("node1", "node2"):
            return ["nsenter", f"--net=/run/netns/{self.nodes[int(source[-1]) - 1].netns}", "--", *python]
        return ["kubectl", "exec", "-i", "-n", self.namespace, source, "--", *python]

    def run(self, source: str, *argv: str) -> str:
        """What a Python program at `source` prints."""
        done = subprocess.run(
            self.command(source, *argv),
            env=self.cluster.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=170,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def expect(self, source: str, *requests: dict[str, Any]) -> None:
        """Asks at `source`; each request's `expect` must come true."""
        outcomes = json.loads(self.run(source, "-c", PROBE.read_text(), json.dumps(requests)))
        wanted = [sorted(request["expect"]) for request in requests]
        missed = [(r, found) for r, found, w in zip(requests, outcomes, wanted, strict=True) if found != w]
        assert not missed, f"asked at {source}: {missed}"


def at(address: str, port: int, path: str = "") -> str:
    """`host:port/path` for either family."""
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{port}/{path}" if path else f"{host}:{port}"


def hostname(address: str, port: int, *expect: str, **options: Any) -> dict[str, Any]:
    """A request for the name of the pod that answers; repeated enough for every one of several to have its turn."""
    return {
        "http": at(address, port, "hostname"),
        "expect": list(expect),
        "times": 16 if len(expect) > 1 else 1,
    } | options


def client_address(address: str, port: int, *expect: str) -> dict[str, Any]:
    """A request for the source address that the pod sees."""
    return {"http": at(address, port, "clientip"), "expect": list(expect)}


def udp_hostname(address: str, port: int, *expect: str) -> dict[str, Any]:
    return {"udp": at(address, port), "send": "hostname", "expect": list(expect), "times": 16 if len(expect) > 1 else 1}


@pytest.fixture(scope="module")
def stage(cluster: LocalCluster) -> Iterator[Stage]:
    made = Stage(cluster)
    made.set_up()
    yield made
    cluster.kubectl("delete", "namespace", made.namespace, "--wait=false")
