"""A real Envoy follows `lateen istiod`, which follows a real cluster: pods answer, and kubectl decides which."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from lateen.testing.certificates import Authority
from lateen.testing.free_port import free_port
from lateen.testing.istiod import IstiodProcess
from lateen.testing.local_cluster import LocalCluster
from lateen.testing.running_envoy import RunningEnvoy, ads_bootstrap

pytestmark = pytest.mark.cluster

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web-{version}, labels: {{app: web}}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: web, version: {version}}}}}
  template:
    metadata: {{labels: {{app: web, version: {version}}}}}
    spec:
      containers:
      - name: web
        image: hashicorp/http-echo
        args: [-text={version}, -listen=:8080]
        ports: [{{containerPort: 8080}}]
        readinessProbe: {{httpGet: {{port: 8080}}, periodSeconds: 1}}
        lifecycle: {{preStop: {{sleep: {{seconds: 2}}}}}}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  selector: {{app: web}}
  ports: [{{name: http, port: {port}, targetPort: 8080}}]
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec:
  host: web
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
"""
ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: web}}
spec:
  hosts: [web]
  http:
  - route: [{{destination: {{host: web, subset: {subset}}}}}]
"""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def envoy(
    control: LocalCluster, room: str, definitions: str, port: int, tmp_path: Path
) -> Iterator[tuple[RunningEnvoy, IstiodProcess]]:
    """The sidecar of a client in the namespace; the client is the test."""
    control.apply(definitions)
    for version in ("v1", "v2"):
        control.kubectl("apply", "-n", room, "-f", "-", stdin=DEPLOYMENT.format(version=version))
    control.kubectl("apply", "-n", room, "-f", "-", stdin=SERVICE.format(port=port))
    for version in ("v1", "v2"):
        control.kubectl("rollout", "status", "-n", room, f"deployment/web-{version}")
    files = Authority().workload(tmp_path, f"spiffe://cluster.local/ns/{room}/sa/client")
    metadata = {
        "NAMESPACE": room,
        "INTERCEPTION_MODE": "NONE",
        "CLUSTER_ID": "Kubernetes",
        "LATEEN_CERTIFICATES": {"workload": files.workload, "roots": files.roots},
    }
    with IstiodProcess("--kubeconfig", str(control.kubeconfig), "--namespace", room) as istiod:
        xds = int(istiod.until_ready()["xds"].rpartition(":")[2])
        node = f"sidecar~127.0.0.1~client.{room}~{room}.svc.cluster.local"
        with RunningEnvoy(ads_bootstrap(node, xds, metadata=metadata)) as running:
            yield running, istiod


def ask(port: int) -> str:
    """The version that answers, or the status of an error."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/", headers={"host": f"web:{port}"})
        answer = connection.getresponse()
        text = answer.read().decode().strip()
        return text if answer.status == 200 else str(answer.status)
    finally:
        connection.close()


def answers(port: int, count: int = 12) -> set[str]:
    return {ask(port) for _ in range(count)}


def test_traffic_follows_kubectl(
    control: LocalCluster, room: str, port: int, envoy: tuple[RunningEnvoy, IstiodProcess]
) -> None:
    running, _ = envoy
    running.until(lambda: answers(port) == {"v1", "v2"}, "both versions answer without any rules")
    control.kubectl("apply", "-n", room, "-f", "-", stdin=RULE)
    for subset in ("v1", "v2"):
        control.kubectl("apply", "-n", room, "-f", "-", stdin=ROUTE.format(subset=subset))
        running.until(lambda wanted={subset}: answers(port) == wanted, f"only {subset} answers")
    control.kubectl("delete", "-n", room, "virtualservice", "web")
    running.until(lambda: answers(port) == {"v1", "v2"}, "both versions again")


def test_scaling_and_restarts_lose_no_request(
    control: LocalCluster, room: str, port: int, envoy: tuple[RunningEnvoy, IstiodProcess]
) -> None:
    """Pods come and go by scaling and a rolling restart, and the API server is killed in between."""
    running, istiod = envoy
    running.until(lambda: answers(port) == {"v1", "v2"}, "both versions answer")
    counted: Counter[str] = Counter()
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            counted[ask(port)] += 1

    loaders = [threading.Thread(target=load) for _ in range(3)]
    for loader in loaders:
        loader.start()
    try:
        cluster = next(name for name in running.clusters() if name.startswith(f"outbound|{port}||web.{room}."))
        for replicas in (4, 1):
            control.kubectl("scale", "-n", room, "deployment/web-v1", f"--replicas={replicas}")
            control.kubectl("rollout", "status", "-n", room, "deployment/web-v1")
            running.until(lambda n=replicas: len(running.endpoints(cluster)) == n + 1, f"{replicas} replicas")
        control.until_replaced("apiserver", control.kill("apiserver"))
        control.until_succeeds("rollout", "restart", "-n", room, "deployment/web-v2")
        control.kubectl("rollout", "status", "-n", room, "deployment/web-v2")
        running.until(lambda: len(running.endpoints(cluster)) == 2, "the old pod is gone")
        assert istiod.process.poll() is None
    finally:
        stop.set()
        for loader in loaders:
            loader.join()
    assert set(counted) == {"v1", "v2"}, counted
