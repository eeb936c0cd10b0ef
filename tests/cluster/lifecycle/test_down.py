"""`lateen cluster down` leaves the machine as it was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lateen.testing.local_cluster import LocalCluster
from lateen.testing.machine import snapshot, snapshot_once_it_is

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(600)]

EVERYTHING = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx
        resources: {limits: {memory: 64Mi, cpu: 500m}}
        volumeMounts: [{name: memory, mountPath: /scratch}, {name: disk, mountPath: /data}]
      volumes:
      - {name: memory, emptyDir: {medium: Memory}}
      - {name: disk, emptyDir: {}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
"""

MANY = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: many}
spec:
  replicas: 12
  selector: {matchLabels: {app: many}}
  template:
    metadata: {labels: {app: many}}
    spec:
      containers:
      - name: idle
        image: example.org/pause
        volumeMounts: [{name: kept, mountPath: /kept}, {name: memory, mountPath: /scratch}]
      volumes:
      - {name: kept, hostPath: {path: DIRECTORY}}
      - {name: memory, emptyDir: {medium: Memory}}
"""


def use(cluster: LocalCluster) -> None:
    cluster.apply(EVERYTHING)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=240s", timeout=250)
    cluster.wait_for("{.status.loadBalancer.ingress}", "service/web", timeout=120)


def test_down_leaves_the_machine_as_it_was(tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    with LocalCluster(nodes=2, home=tmp_path) as first:
        use(first)
        with LocalCluster(home=tmp_path, options=("--peer", first.name, "--egress")) as second:
            use(second)
            assert snapshot(tmp_path) != before
    assert snapshot_once_it_is(before, tmp_path) == before


def test_down_cleans_up_after_a_crash_of_everything(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    before = snapshot(tmp_path)
    with LocalCluster(home=tmp_path) as cluster:
        use(cluster)
        cluster.apply(MANY.replace("DIRECTORY", str(kept)))
        cluster.kubectl("rollout", "status", "deployment/many", "--timeout=240s", timeout=250)
        busy = cluster.start_kubectl("exec", "-i", "deployment/many", "--", "sh", "-c", "setsid cat & echo begun; cat")
        assert busy.stdout is not None
        assert busy.stdout.readline() == "begun\n"
        for component in ("supervisor", "node-1", "fabric", "controllers", "apiserver"):
            subprocess.run(["kill", "-9", str(cluster.pid_of(component))], check=True)
    busy.wait(timeout=240)
    assert snapshot_once_it_is(before, tmp_path) == before
    # What pods had mounted of the machine's is still the machine's.
    assert (kept / "file").exists()


def test_state_survives_down_with_keep_state(tmp_path: Path) -> None:
    with LocalCluster(home=tmp_path) as cluster:
        cluster.kubectl("create", "configmap", "kept", "--from-literal=a=1")
        use(cluster)
        cluster.down("--keep-state")
        assert not cluster.kubeconfig.exists()
        cluster.up()
        assert cluster.get("configmap", "kept")["data"] == {"a": "1"}
        cluster.kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=240s", timeout=250)
