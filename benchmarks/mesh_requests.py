"""What a request pays for its sidecars: latency and CPU, against the same pods without."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.processes import cpu_seconds, processes_of
from benchmarks.result import Result
from lateen.testing.local_mesh import LocalMesh

REQUESTS = 2000
ROUNDS = 7
_PODS = Path(__file__).parent / "pods"
_MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: server}
spec:
  selector: {app: server}
  ports: [{name: http, port: 8000}]
---
apiVersion: v1
kind: Pod
metadata: {name: server, labels: {app: server}}
spec:
  containers:
  - {name: main, image: example.org/bench-server}
---
apiVersion: v1
kind: Pod
metadata: {name: client, labels: {app: client}}
spec:
  containers:
  - {name: main, image: busybox, command: [sleep, infinity]}
"""
CASES = {"no sidecar": ("plain", "plain"), "one sidecar": ("plain", "meshed"), "two sidecars": ("meshed", "meshed")}
"""By name: the namespaces of client and server. One sidecar is the server's, reached in plain text; two speak mTLS."""


def measure() -> Sequence[Result]:
    """One client on one connection, one request at a time, to a server that does nothing; client and server are
    processes in pods on one node of a local cluster. Median and 99th percentile of the latency (median of the rounds),
    and CPU time per request of the whole cluster's pods: application, Envoy and agent. The floor is the same without
    sidecars, in the same run, the cases taking turns."""
    with LocalMesh(nodes=1) as mesh:
        mesh.install("--set", "profile=minimal")
        mesh.lateen("load-image", "example.org/bench-server", "--", sys.executable, str(_PODS / "server.py"), "8000")
        for namespace in ("plain", "meshed"):
            mesh.kubectl("create", "namespace", namespace)
        mesh.label_for_injection("meshed")
        for namespace in ("plain", "meshed"):
            mesh.apply(_MANIFEST, "-n", namespace)
            mesh.kubectl("wait", "--for=condition=Ready", "pod", "--all", "-n", namespace, "--timeout=60s")
        for clients, servers in CASES.values():
            mesh.until(lambda c=clients, s=servers: _run(mesh, c, s, 200), "the server answers")
        return _results(mesh)


def _run(mesh: LocalMesh, clients: str, servers: str, count: int) -> list[float]:
    said = mesh.exec(
        clients, "client", "main", sys.executable, str(_PODS / "client.py"), f"server.{servers}", "8000", str(count)
    )
    return [float(each) for each in json.loads(said)]


def _results(mesh: LocalMesh) -> list[Result]:
    medians: dict[str, list[float]] = {name: [] for name in CASES}
    tails: dict[str, list[float]] = {name: [] for name in CASES}
    cpu: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, (clients, servers) in CASES.items():
            pods = processes_of(mesh.root).containers
            before = cpu_seconds(pods)
            taken = _run(mesh, clients, servers, REQUESTS)
            # The client is a process of its own, gone by now: its share is the same in all cases but for waiting.
            cpu[name].append((cpu_seconds(pods) - before) / REQUESTS * 1e6)
            medians[name].append(statistics.median(taken))
            tails[name].append(statistics.quantiles(taken, n=100)[98])
    found = []
    plain, *others = CASES
    for what, of in (("latency, median", medians), ("latency, 99th percentile", tails), ("CPU per request", cpu)):
        floor = statistics.median(of[plain])
        found += [Result(f"{what}: {name}", statistics.median(of[name]), "us", plain, floor) for name in others]
    return found
