"""What a sidecar costs a pod: time until it is ready, and memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from benchmarks.result import Result, against, counted
from lateen.testing.local_mesh import LocalMesh
from lateen.testing.pod_processes import processes

PODS = 15


def measure() -> Sequence[Result]:
    """From `kubectl run` of a pod with one container to its being Ready, with and without a sidecar in turns (native
    sidecar: the application starts when the proxy is ready: certificate, configuration). Memory of keeper, agent and
    Envoy of such a pod, proportional set size (what processes share is counted by share), a while after the start."""
    with LocalMesh(nodes=1) as mesh:
        mesh.install("--set", "profile=minimal")
        for namespace in ("plain", "meshed"):
            mesh.kubectl("create", "namespace", namespace)
        mesh.label_for_injection("meshed")
        taken: dict[str, list[float]] = {"plain": [], "meshed": []}
        for number in range(PODS):
            for namespace, durations in taken.items():
                durations.append(_until_ready(mesh, namespace, f"pod-{number}"))
        results = [
            against("pod with sidecar, kubectl run to Ready", taken["meshed"], "without", taken["plain"]),
            against("the slowest", [max(taken["meshed"])], "without", [max(taken["plain"])]),
        ]
        pods = [f"pod-{number}" for number in range(PODS)]
        agents = [_mebibytes(pod, "lateen") for pod in pods]
        envoys = [_mebibytes(pod, "envoy/_bin/envoy") for pod in pods]
        results.append(counted("keeper and agent of a sidecar", statistics.median(agents), "MiB"))
        results.append(counted("Envoy of a sidecar", statistics.median(envoys), "MiB"))
        istiod = mesh.pod("istio-system", "app=istiod")
        results.append(counted("istiod with its front", _mebibytes(istiod, ""), "MiB"))
        return results


def _until_ready(mesh: LocalMesh, namespace: str, name: str) -> float:
    started = time.perf_counter()
    mesh.kubectl("run", name, "-n", namespace, "--image=busybox", "--", "sleep", "infinity")
    mesh.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "-n", namespace, "--timeout=60s")
    return time.perf_counter() - started


def _mebibytes(pod: str, words: str) -> float:
    return sum(each.proportional_bytes for each in processes(pod, words)) / 2**20
