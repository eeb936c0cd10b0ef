"""The disk with the cluster's state is full: writes are refused and say why, the rest goes on, nothing is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

REFUSED = "the cluster's state could not be written to disk: database or disk is full"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 24 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(path: Path) -> None:
    with open(path, "wb", buffering=0) as file:
        free = os.statvfs(path).f_bavail
        while free:
            file.write(bytes(free * os.statvfs(path).f_frsize))
            free = os.statvfs(path).f_bavail


def test_a_full_disk(small_disk: Path) -> None:
    with LocalCluster(home=small_disk) as cluster:
        cluster.kubectl("create", "configmap", "before", "--from-literal=value=1")
        cluster.kubectl("create", "deployment", "web", "--image=nginx")
        cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        pods = cluster.get("pods")["items"]

        filler = small_disk / "filler"
        fill(filler)
        for arguments in (
            ("create", "configmap", "during", "--from-literal=value=1"),
            ("patch", "configmap", "before", "-p", '{"data": {"value": "2"}}'),
            ("delete", "configmap", "before"),
        ):
            refused = cluster.try_kubectl(*arguments)
            assert refused.returncode != 0
            assert REFUSED in refused.stderr
        readiness = cluster.try_kubectl("get", "--raw", "/readyz")
        assert readiness.returncode != 0
        assert cluster.get("configmap", "before")["data"] == {"value": "1"}

        # Reads go on even if the API server has to start on the full disk.
        pid = cluster.kill("apiserver")
        # Its PID file cannot be written now: that it is there shows by its answers.
        cluster.until_succeeds("get", "--raw", "/livez/ping")
        assert cluster.get("configmap", "before")["data"] == {"value": "1"}
        assert REFUSED in cluster.try_kubectl("create", "configmap", "during").stderr

        filler.unlink()
        cluster.kubectl("create", "configmap", "after", "--from-literal=value=1")
        cluster.until_replaced("apiserver", pid)
        names = {item["metadata"]["name"] for item in cluster.get("configmaps")["items"]}
        assert names == {"before", "after", "kube-root-ca.crt"}
        cluster.kubectl("scale", "deployment/web", "--replicas=2")
        cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        now = {pod["metadata"]["name"]: pod for pod in cluster.get("pods")["items"]}
        for pod in pods:
            same = now[pod["metadata"]["name"]]["status"]["containerStatuses"][0]
            assert same["containerID"] == pod["status"]["containerStatuses"][0]["containerID"]
            assert same["restartCount"] == 0
