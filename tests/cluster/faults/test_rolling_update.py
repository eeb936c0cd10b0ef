"""A rolling update while one process of the cluster after the other is killed: it completes, nobody notices."""

from __future__ import annotations

import pytest

from lateen.testing.local_cluster import LocalCluster
from lateen.testing.traffic import Traffic

pytestmark = pytest.mark.cluster

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  minReadySeconds: 2
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 40
      containers:
      - name: web
        image: nginx
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 20}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""


def test_no_call_fails_while_every_process_is_killed(fragile: LocalCluster, room: str) -> None:
    n = ("-n", room)
    fragile.apply(WEB, *n)
    fragile.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    old = {pod["metadata"]["uid"] for pod in fragile.get("pods", *n)["items"]}
    traffic = [Traffic(fragile, room, f"traffic-{k}", "web", node=f"{fragile.name}-node-{k}") for k in (1, 2)]
    for client in traffic:
        client.start()

    fragile.kubectl("rollout", "restart", "deployment/web", *n)
    fragile.wait_for("{.status.updatedReplicas}=1", "deployment", "web", *n)
    for component in ("controllers", "fabric", "node-1", "apiserver", "node-2"):
        pid = fragile.kill(component)
        fragile.until_replaced(component, pid)
    status = fragile.start_kubectl("rollout", "status", "deployment/web", "--timeout=90s", *n)
    kept = {name: fragile.pid_of(name) for name in ("apiserver", "controllers", "fabric", "node-1", "node-2")}
    fragile.kill("supervisor")
    fragile.up()
    assert {name: fragile.pid_of(name) for name in kept} == kept
    output, _ = status.communicate(timeout=100)
    if status.returncode != 0:
        # It may have asked while the API server was not back yet.
        fragile.kubectl("rollout", "status", "deployment/web", "--timeout=90s", *n)
    for client in traffic:
        client.until_more(50)

    pods = [p for p in fragile.get("pods", "-l", "app=web", *n)["items"] if "deletionTimestamp" not in p["metadata"]]
    assert len(pods) == 3, output
    assert not old & {pod["metadata"]["uid"] for pod in pods}
    assert {pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods} == {0}
    for client in traffic:
        assert client.tally().failures == ()
