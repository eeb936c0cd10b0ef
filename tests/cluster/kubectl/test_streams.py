"""Logs, exec, attach, port-forward and cp, as kubectl streams them."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

WEB = Path(__file__).with_name("web.yaml")


def run_pod(cluster: LocalCluster, namespace: str, name: str, *command: str, image: str = "busybox") -> None:
    cluster.kubectl("run", name, f"--image={image}", "-n", namespace, "--restart=Never", "--command", "--", *command)
    cluster.wait_for("{.status.phase}=Running", f"pod/{name}", "-n", namespace)


def test_logs_tail_timestamps_and_follow_to_the_end(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    script = "for i in 1 2 3; do echo line $i; done; echo oops >&2; read end < /tmp/go; echo last"
    run_pod(cluster, namespace, "talker", "sh", "-c", f"mkfifo /tmp/go; {script}")
    deadline = time.monotonic() + 30
    while "oops" not in cluster.kubectl("logs", "talker", *n):
        assert time.monotonic() < deadline
    assert cluster.kubectl("logs", "talker", "--tail=2", *n).splitlines()[0] == "line 3"
    assert re.match(
        r"^\d{4}-\d\d-\d\dT[\d:.]+Z line 1$", cluster.kubectl("logs", "talker", "--timestamps", *n).split("\n")[0]
    )
    follower = cluster.start_kubectl("logs", "-f", "talker", *n)
    assert follower.stdout is not None
    seen = [follower.stdout.readline() for _ in range(4)]
    assert seen[0] == "line 1\n"
    cluster.kubectl("exec", "talker", *n, "--", "sh", "-c", "echo > /tmp/go")
    rest, _ = follower.communicate(timeout=30)
    assert rest == "last\n"
    assert follower.returncode == 0


def test_logs_of_the_previous_run(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.kubectl("run", "crasher", "--image=busybox", *n, "--command", "--", "sh", "-c", "echo run $$; exit 3")
    cluster.wait_for("{.status.containerStatuses[0].restartCount}=1", "pod/crasher", *n)
    assert cluster.kubectl("logs", "--previous", "crasher", *n).startswith("run")
    status = cluster.get("pod", "crasher", *n)["status"]["containerStatuses"][0]
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert status["lastState"]["terminated"]["reason"] == "Error"


def test_exec_passes_streams_and_the_exit_code(cluster: LocalCluster, namespace: str) -> None:
    run_pod(cluster, namespace, "box", "sleep", "1000")
    done = cluster.try_kubectl("exec", "box", "-n", namespace, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.returncode) == ("out\n", 7)
    assert "err" in done.stderr
    big = "x" * 300_000
    echoed = cluster.kubectl("exec", "-i", "box", "-n", namespace, "--", "cat", stdin=big)
    assert echoed == big


def test_exec_with_a_terminal(cluster: LocalCluster, namespace: str) -> None:
    run_pod(cluster, namespace, "box", "sleep", "1000")
    ours, theirs = pty.openpty()
    command = ["kubectl", "exec", "-it", "box", "-n", namespace, "--", "sh"]
    shell = subprocess.Popen(command, env=cluster.environment(), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        os.write(ours, b"tty && echo is-a-$((40+2))\n")
        assert "is-a-42" in read_until(ours, "is-a-42")
        os.write(ours, b"exit 5\n")
        assert shell.wait(timeout=30) == 5
    finally:
        shell.kill()
        os.close(ours)


def read_until(descriptor: int, wanted: str) -> str:
    seen = ""
    while wanted not in seen:
        ready, _, _ = select.select([descriptor], [], [], 30)
        assert ready, f"{wanted!r} did not come; got {seen!r}"
        seen += os.read(descriptor, 4096).decode()
    return seen


def test_attach_reads_and_writes_the_running_process(cluster: LocalCluster, namespace: str) -> None:
    out = cluster.kubectl(
        "run", "upper", "--image=busybox", "-n", namespace, "--restart=Never", "-i", "--quiet", "--rm", "--",
        "sh", "-c", "read line; echo got $line", stdin="hello\n",
    )  # fmt: skip
    assert "got hello" in out


def test_port_forward_to_a_pod_and_a_service(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.kubectl("apply", "-f", str(WEB), *n)
    cluster.kubectl("expose", "deployment", "web", "--port=8080", "--target-port=80", *n)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    for target, port in (("deployment/web", 80), ("service/web", 8080)):
        forward = cluster.start_kubectl("port-forward", target, f":{port}", *n)
        try:
            assert forward.stdout is not None
            local = re.search(r"127\.0\.0\.1:(\d+)", forward.stdout.readline())
            assert local is not None
            for _ in range(3):
                with urllib.request.urlopen(f"http://127.0.0.1:{local[1]}/", timeout=30) as response:
                    assert response.status == 200
        finally:
            forward.kill()
            forward.wait()


def test_cp_both_ways(cluster: LocalCluster, namespace: str, tmp_path: Path) -> None:
    run_pod(cluster, namespace, "box", "sleep", "1000")
    source = tmp_path / "there.txt"
    source.write_text("content\n")
    cluster.kubectl("cp", str(source), f"{namespace}/box:/tmp/there.txt")
    assert cluster.kubectl("exec", "box", "-n", namespace, "--", "cat", "/tmp/there.txt") == "content\n"
    cluster.kubectl("cp", f"{namespace}/box:/tmp/there.txt", str(tmp_path / "back.txt"))
    assert (tmp_path / "back.txt").read_text() == "content\n"
