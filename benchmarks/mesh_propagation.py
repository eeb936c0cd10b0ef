"""How long a change takes to reach traffic: from `kubectl apply` to the first request that goes by it."""

from __future__ import annotations

import http.client
import statistics
import subprocess
import threading
import time
from collections.abc import Sequence

from benchmarks.result import Result
from lateen.testing.local_mesh import LocalMesh

CHANGES = 100
_GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: bench, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [bench.example.com]}]
"""
_ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: bench, namespace: default}}
spec:
  hosts: [bench.example.com]
  gateways: [bench]
  http: [{{directResponse: {{status: 200, body: {{string: "{turn}"}}}}}}]
"""
_SETTINGS = '{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "bench"}}, "data": {{"turn": "{turn}"}}}}'


def measure() -> Sequence[Result]:
    """A VirtualService of the ingress gateway is applied again and again with another answer, while a client asks
    without pause: until the first new answer, counted from the start of `kubectl apply`, and from its end (the API
    server has answered, and kubectl has ended). The floor is `kubectl apply` of a ConfigMap of that size."""
    with LocalMesh(nodes=1) as mesh:
        mesh.install("--set", "profile=demo")
        mesh.apply(_GATEWAY)
        address = mesh.gateway_address()
        whole, after, floor = [], [], []
        for turn in range(CHANGES):
            floor.append(_apply(mesh, _SETTINGS.format(turn=turn))[1])
            seen = threading.Thread(target=_wait_for, args=(address, str(turn), found := []))
            seen.start()
            started, taken = _apply(mesh, _ROUTE.format(turn=turn))
            seen.join()
            whole.append(found[0] - started)
            after.append(max(found[0] - started - taken, 0.0))
        rows = (("from the start of kubectl apply", whole), ("from its end", after))
        found_rows = []
        for what, durations in rows:
            for which, value in (("median", statistics.median(durations)), ("99th percentile", _tail(durations))):
                name = f"until the first request goes by it, {what}, {which}"
                found_rows.append(
                    Result(name, value * 1e3, "ms", "kubectl apply of a ConfigMap", statistics.median(floor) * 1e3)
                )
        return found_rows


def _apply(mesh: LocalMesh, manifest: str) -> tuple[float, float]:
    """When it began and how long it took, seconds."""
    started = time.perf_counter()
    subprocess.run(
        ["kubectl", "apply", "-f", "-"],
        input=manifest, text=True, env=mesh.environment(), check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return started, time.perf_counter() - started


def _wait_for(address: str, answer: str, found: list[float]) -> None:
    """Asks until the answer comes, and says when it did."""
    connection = http.client.HTTPConnection(address, timeout=10)
    while True:
        try:
            connection.request("GET", "/", headers={"host": "bench.example.com"})
            if connection.getresponse().read().decode() == answer:
                found.append(time.perf_counter())
                connection.close()
                return
        except (OSError, http.client.HTTPException):
            connection.close()


def _tail(durations: Sequence[float]) -> float:
    return statistics.quantiles(durations, n=100)[98]
