"""`kill -9` of a pod's shim: its containers die with it, and the pod goes on as its restart policy says."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

SCRIPT = "echo started >> /data/starts; trap 'exit 0' TERM; sleep 1000000 & wait"


def pod(name: str, policy: str) -> str:
    container = {
        "name": "main",
        "image": "busybox",
        "command": ["sh", "-c", SCRIPT],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    spec = {
        "restartPolicy": policy,
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def shim_of(pod: Any) -> int:
    """The process on this machine that was started for the pod's directory."""
    uid = pod["metadata"]["uid"].encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"lateen.cluster.node.shim" in b" ".join(words) and any(word.endswith(b"/" + uid) for word in words):
            return int(path.parent.name)
    raise AssertionError(f"no shim for pod {pod['metadata']['name']}")


def descendants(pid: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(path.parent.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.add(child)
            waiting.append(child)
    return found


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_pod_without_its_shim(fragile: LocalCluster, room: str) -> None:
    n = ("-n", room)
    policies = {"always": "Always", "failing": "OnFailure", "never": "Never"}
    for name, policy in policies.items():
        fragile.apply(pod(name, policy), *n)
    fragile.kubectl("wait", "pod", *policies, "--for=condition=Ready", "--timeout=60s", *n)
    before = {name: fragile.get("pod", name, *n) for name in policies}
    processes: set[int] = set()
    for found in before.values():
        shim = shim_of(found)
        # The shell and its sleep, at least.
        below = descendants(shim)
        assert len(below) >= 2
        processes |= below | {shim}
        os.kill(shim, signal.SIGKILL)
    # Bounded by the test's own time-out.
    pause = threading.Event()
    while any(running(pid) for pid in processes):
        pause.wait(0.02)

    for name in ("always", "failing"):
        fragile.wait_for("{.status.containerStatuses[0].restartCount}=1", "pod", name, *n)
        fragile.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=60s", *n)
        after = fragile.get("pod", name, *n)
        status, old = after["status"]["containerStatuses"][0], before[name]["status"]["containerStatuses"][0]
        assert after["metadata"]["uid"] == before[name]["metadata"]["uid"]
        assert status["containerID"] != old["containerID"]
        assert status["lastState"]["terminated"]["exitCode"] == 137
        assert status["lastState"]["terminated"]["containerID"] == old["containerID"]
        # What the pod keeps between its containers is there still.
        assert fragile.kubectl("exec", name, *n, "--", "cat", "/data/starts") == "started\nstarted\n"
    fragile.wait_for("{.status.phase}=Failed", "pod", "never", *n)
    state = fragile.get("pod", "never", *n)["status"]["containerStatuses"][0]
    assert (state["state"]["terminated"]["exitCode"], state["restartCount"]) == (137, 0)
    assert "SandboxChanged" in fragile.kubectl("get", "events", *n)
