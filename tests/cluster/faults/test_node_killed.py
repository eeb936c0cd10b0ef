"""`kill -9` of a node's process under load: its pods go on as they are, and what happened meanwhile is told truly."""

from __future__ import annotations

import datetime as dt
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from lateen.cluster.objects import parse_timestamp
from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

STEADY = """
n=0
while :; do n=$((n+1)); echo line $n; sleep 0.02; done
"""
LATE = """
until [ -e /shared/go ]; do sleep 0.05; done
touch /shared/gone
exit 42
"""


def pod(name: str, node: str, script: str, **fields: Any) -> str:
    container = {"name": "main", "image": "busybox", "command": ["sh", "-c", script], **fields.pop("container", {})}
    spec = {"nodeName": node, "terminationGracePeriodSeconds": 1, "containers": [container], **fields}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def main_status(fragile: LocalCluster, name: str, *n: str) -> Any:
    return fragile.get("pod", name, *n)["status"]["containerStatuses"][0]


class ExecStream(threading.Thread):
    """Exec sessions one after the other: those cut off by a kill fail, no other may give a wrong answer."""

    def __init__(self, fragile: LocalCluster, *arguments: str) -> None:
        super().__init__(daemon=True)
        self._fragile = fragile
        self._arguments = arguments
        self.right = 0
        self.wrong: list[str] = []
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.is_set():
            done = self._fragile.try_kubectl("exec", *self._arguments, "--", "sh", "-c", "echo first; echo second")
            if done.returncode == 0:
                self.right += 1
                if done.stdout != "first\nsecond\n":
                    self.wrong.append(done.stdout)
            self.stop.wait(0.1)


def test_pods_outlive_their_node_process(fragile: LocalCluster, room: str, tmp_path: Path) -> None:
    n = ("-n", room)
    node = f"{fragile.name}-node-1"
    fragile.kubectl("create", "configmap", "settings", "--from-literal=value=before", *n)
    steady = pod(
        "steady", node, STEADY,
        container={
            "livenessProbe": {
                "exec": {"command": ["test", "!", "-e", "/tmp/sick"]}, "periodSeconds": 1, "failureThreshold": 1,
                "timeoutSeconds": 30,
            },
            "volumeMounts": [{"name": "settings", "mountPath": "/settings"}],
        },
        volumes=[{"name": "settings", "configMap": {"name": "settings"}}],
    )  # fmt: skip
    late = pod(
        "late", node, LATE,
        container={"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]},
        volumes=[{"name": "shared", "hostPath": {"path": str(tmp_path)}}],
        restartPolicy="Never",
    )  # fmt: skip
    for manifest in (steady, late):
        fragile.apply(manifest, *n)
    fragile.kubectl("wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s", *n)
    before = main_status(fragile, "steady", *n)

    # Killed twice while pods are created and exec sessions run.
    sessions = ExecStream(fragile, "steady", *n)
    sessions.start()
    for kill in range(2):
        for number in range(5):
            fragile.apply(pod(f"short-{kill}-{number}", node, "exit 7", restartPolicy="Never"), *n)
            if number == 2:
                pid = fragile.kill("node-1")
        fragile.until_replaced("node-1", pid)
        for number in range(5):
            fragile.wait_for("{.status.phase}=Failed", "pod", f"short-{kill}-{number}", *n)
    sessions.stop.set()
    sessions.join(60)
    assert sessions.wrong == []
    assert sessions.right > 0
    statuses = [
        item["status"]["containerStatuses"][0]
        for item in fragile.get("pods", *n)["items"]
        if item["metadata"]["name"].startswith("short-")
    ]
    assert [(status["state"]["terminated"]["exitCode"], status["restartCount"]) for status in statuses] == [(7, 0)] * 10

    # Down for longer: nobody is there to start the node again. A container ends, a source changes.
    others = {name: fragile.pid_of(name) for name in ("apiserver", "controllers", "fabric", "node-2")}
    fragile.kill("supervisor")
    fragile.kill("node-1")
    (tmp_path / "go").touch()
    fragile.kubectl("patch", "configmap", "settings", "-p", '{"data": {"value": "after"}}', *n)
    # The pod's own last act: it ends right after.
    wait_for_file(tmp_path / "gone")
    back = dt.datetime.now(dt.UTC)
    fragile.up()
    assert {name: fragile.pid_of(name) for name in others} == others
    fragile.wait_for("{.status.phase}=Failed", "pod", "late", *n)
    ended = main_status(fragile, "late", *n)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (42, "Error")
    assert parse_timestamp(ended["finishedAt"]) <= back

    # As if nothing had been.
    after = main_status(fragile, "steady", *n)
    assert (after["containerID"], after["restartCount"], after["state"]) == (
        before["containerID"], 0, before["state"],
    )  # fmt: skip
    lines = fragile.until_succeeds("logs", "steady", *n).splitlines()
    assert lines == [f"line {number}" for number in range(1, len(lines) + 1)]
    script = "until [ $(cat /settings/value) = after ]; do sleep 0.05; done; echo seen"
    assert fragile.kubectl("exec", "steady", *n, "--", "sh", "-c", script) == "seen\n"

    # Probes go on: the liveness probe of an adopted container still restarts it.
    fragile.kubectl("exec", "steady", *n, "--", "touch", "/tmp/sick")
    fragile.wait_for("{.status.containerStatuses[0].restartCount}=1", "pod", "steady", *n)
    assert "Liveness probe failed" in fragile.kubectl("get", "events", *n)


def wait_for_file(path: Path) -> None:
    """Bounded by the test's own time-out."""
    pause = threading.Event()
    while not path.exists():
        pause.wait(0.02)
