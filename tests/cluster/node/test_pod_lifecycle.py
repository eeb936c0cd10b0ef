"""Probes, hooks, termination and lost sandboxes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lateen.cluster.images.catalog import load_image
from lateen.cluster.node.cleanup import shims_of
from lateen.cluster.node.shim import kernel
from lateen.cluster.objects import Obj
from lateen.cluster.testing.single_node import FOREVER, SingleNode, container

pytestmark = pytest.mark.cluster

_MS_SHARED = 1 << 20


def shared(node: SingleNode) -> tuple[Path, Obj, Obj]:
    path = node.layout.root / "shared"
    return path, {"name": "s", "hostPath": {"path": str(path)}}, {"name": "s", "mountPath": "/s"}


async def test_readiness_follows_its_probe(node: SingleNode) -> None:
    path, volume, mount = shared(node)
    probe = {"exec": {"command": ["test", "-e", "/s/ready"]}, "periodSeconds": 1, "failureThreshold": 1}
    key = await node.create(
        {"volumes": [volume], "containers": [container(FOREVER, volumeMounts=[mount], readinessProbe=probe)]}
    )
    pod = await node.until_phase(key, "Running")
    ready = next(c for c in pod["status"]["conditions"] if c["type"] == "Ready")
    assert ready["status"] == "False"
    assert ready["reason"] == "ContainersNotReady"
    assert ready["message"] == "containers with unready status: [main]"
    (path / "ready").touch()
    await node.until(key, lambda pod: pod["status"]["containerStatuses"][0]["ready"])


async def test_a_failed_liveness_probe_restarts(node: SingleNode) -> None:
    probe = {"tcpSocket": {"port": 1}, "periodSeconds": 1, "failureThreshold": 1}
    key = await node.create({"containers": [container(FOREVER, livenessProbe=probe)]})
    await node.until(key, lambda pod: "'restartCount': 1" in str(pod.get("status")))
    events = [(e["reason"], e["message"]) for e in node.api.events]
    assert ("Unhealthy", "Liveness probe failed: dial tcp 127.0.0.1:1: connect: connection refused") in events
    assert ("Killing", "Container main failed liveness probe, will be restarted") in events


async def test_post_start_holds_the_next_container(node: SingleNode) -> None:
    _, volume, mount = shared(node)
    hook = {"postStart": {"exec": {"command": ["sh", "-c", "sleep 0.3; echo hook >> /s/order"]}}}
    first = container(FOREVER, "first", volumeMounts=[mount], lifecycle=hook)
    second = container(f"echo second >> /s/order; {FOREVER}", "second", volumeMounts=[mount])
    key = await node.create({"volumes": [volume], "containers": [first, second]})
    await node.until(
        key, lambda pod: all(s["ready"] for s in pod.get("status", {}).get("containerStatuses", [{"ready": False}]))
    )
    wait = "until grep -q second /s/order; do sleep 0.02; done; cat /s/order"
    assert await node.execute(key, "second", "sh", "-c", wait) == (0, "hook\nsecond\n")


async def test_termination_runs_pre_stop_then_signals_then_kills(node: SingleNode) -> None:
    path, volume, mount = shared(node)
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook >> /s/order"]}}}
    script = "trap 'echo term >> /s/order' TERM; while :; do sleep 1000 & wait; done"
    key = await node.create(
        {"volumes": [volume], "containers": [container(script, volumeMounts=[mount], lifecycle=hook)]}
    )
    await node.until_phase(key, "Running")
    await node.api.delete_pod(key)
    pod = await node.until(key, lambda pod: "terminated" in pod["status"]["containerStatuses"][0]["state"])
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 137
    assert (path / "order").read_text().split() == ["hook", "term"]
    await node.until_gone(key)


async def test_deadline(node: SingleNode) -> None:
    key = await node.create({"activeDeadlineSeconds": 1, "containers": [container(FOREVER)]})
    pod = await node.until_phase(key, "Failed")
    assert pod["status"]["reason"] == "DeadlineExceeded"


async def test_a_lost_shim_takes_its_containers_and_is_replaced(node: SingleNode) -> None:
    key = await node.create({"containers": [container(f"sleep 31416 & {FOREVER}")]})
    before = await node.until_phase(key, "Running")
    directory = node.layout.node_root(1) / "pods" / before["metadata"]["uid"]
    for pid in shims_of(directory):
        os.kill(pid, signal.SIGKILL)
    await node.until(
        key,
        lambda pod: (
            pod["status"]["containerStatuses"][0]["restartCount"] == 1
            and "running" in pod["status"]["containerStatuses"][0]["state"]
        ),
    )
    assert await node.execute(key, "main", "true") == (0, "")
    assert "SandboxChanged" in {e["reason"] for e in node.api.events}


async def test_attach_gives_input_and_takes_output(node: SingleNode) -> None:
    spec = container("read line; echo got $line; sleep 0.1; exit 4", stdin=True, stdinOnce=True)
    key = await node.create({"restartPolicy": "Never", "containers": [spec]})
    await node.until_phase(key, "Running")
    process = await node.pods.attach("default", key.name, "main", stdin=True)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"words\n")
    assert await process.stdout.read() == b"got words\n"
    await process.wait()
    await process.close()
    await node.until_phase(key, "Failed")


async def test_a_user_s_own_image_runs_from_where_it_is(node: SingleNode, tmp_path: Path) -> None:
    program = tmp_path / "program.sh"
    program.write_text('#!/bin/sh\necho "$GREETING $@ from $PWD"\n')
    program.chmod(0o755)
    load_image(node.layout, "mine/app", [str(program)], env={"GREETING": "hello"}, working_directory="/srv")
    spec = {"name": "main", "image": "mine/app:2", "args": ["world"]}
    key = await node.create({"restartPolicy": "Never", "securityContext": {"runAsUser": 70001}, "containers": [spec]})
    await node.until_phase(key, "Succeeded")
    assert node.log(key, "main") == "hello world from /srv"


async def test_later_mounts_of_the_machine_appear_where_asked(node: SingleNode) -> None:
    path = node.layout.root / "machine"
    path.mkdir()
    kernel.mount(str(path), str(path), flags=kernel.MS_BIND)
    kernel.mount("", str(path), flags=_MS_SHARED)
    try:
        mount = {"name": "m", "mountPath": "/m", "mountPropagation": "HostToContainer"}
        key = await node.create(
            {
                "volumes": [{"name": "m", "hostPath": {"path": str(path)}}],
                "containers": [container(FOREVER, volumeMounts=[mount])],
            }
        )
        await node.until_phase(key, "Running")
        (path / "later").mkdir()
        kernel.mount("tmpfs", str(path / "later"), "tmpfs")
        (path / "later" / "file").touch()
        assert await node.execute(key, "main", "ls", "/m/later") == (0, "file\n")
        await node.api.delete_pod(key)
        await node.until_gone(key)
    finally:
        if (path / "later").is_mount():
            kernel.unmount(str(path / "later"))
        kernel.unmount(str(path))
