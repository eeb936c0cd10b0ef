"""`lateen cluster up` again: on what runs, on what is gone, on what is half made; and what tells about it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lateen.cluster.layout import load
from lateen.testing.local_cluster import CommandFailed, LocalCluster

pytestmark = pytest.mark.cluster

WORK = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: web, image: nginx, ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {type: LoadBalancer, selector: {app: db}, ports: [{port: 80}]}
"""


# A container is ready, without a probe, before its program listens.
FETCH = (
    "curl", "--silent", "--fail", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "--max-time", "60",
)  # fmt: skip


def work(cluster: LocalCluster) -> None:
    cluster.apply(WORK)
    cluster.kubectl("rollout", "status", "statefulset/db", "--timeout=60s")
    cluster.wait_for("{.status.loadBalancer.ingress}", "service", "db")


def service_addresses(cluster: LocalCluster) -> tuple[str, str]:
    """Cluster IP and load balancer address."""
    service = cluster.get("service", "db")
    return service["spec"]["clusterIP"], service["status"]["loadBalancer"]["ingress"][0]["ip"]


def pods(cluster: LocalCluster) -> dict[str, tuple[str, int]]:
    """Every pod's IP and restarts, by name."""
    return {
        pod["metadata"]["name"]: (pod["status"]["podIP"], pod["status"]["containerStatuses"][0]["restartCount"])
        for pod in cluster.get("pods", "-A")["items"]
    }


def assert_serves(cluster: LocalCluster) -> None:
    """The StatefulSet is whole, and the host gets its page by both of the Service's addresses."""
    cluster.wait_for("{.status.readyReplicas}=2", "statefulset", "db")
    for address in service_addresses(cluster):
        done = subprocess.run([*FETCH, f"http://{address}/"], capture_output=True, text=True)
        assert "Welcome to nginx" in done.stdout, done.stderr


def traces(cluster: LocalCluster) -> list[str]:
    """What on this machine bears the cluster's name or is below its directory."""
    found = []
    for command in (["ip", "netns"], ["ip", "link"], ["nft", "list", "ruleset"], ["cat", "/proc/self/mountinfo"]):
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        found += [line for line in lines if cluster.name in line]
    return found + [str(pid) for pid in processes(cluster)] + [str(p) for p in Path("/run/lateen").glob(cluster.name)]


def processes(cluster: LocalCluster) -> list[int]:
    """The cluster's components and the shims of its pods."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(cluster.root).encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


@pytest.mark.timeout(400)
def test_again_and_with_more_nodes_and_after_the_loss_of_everything_but_the_directory(tmp_path: Path) -> None:
    with LocalCluster(nodes=2, home=tmp_path) as cluster:
        work(cluster)
        before, addresses = pods(cluster), service_addresses(cluster)
        running = {c: cluster.pid_of(c) for c in ("supervisor", "apiserver", "controllers", "fabric", "node-1")}

        cluster.up()
        assert {c: cluster.pid_of(c) for c in running} == running
        assert pods(cluster) == before

        cluster.lateen("up", "--nodes", "3", "--kubeconfig", str(cluster.kubeconfig))
        assert len(cluster.get("nodes")["items"]) == 3
        del running["supervisor"]
        assert {c: cluster.pid_of(c) for c in running} == running
        third = {"nodeName": f"{cluster.name}-node-3", "containers": [{"name": "web", "image": "nginx"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "third"}, "spec": third}
        cluster.apply(json.dumps(pod))
        cluster.kubectl("wait", "--for=condition=Ready", "pod/third", "--timeout=60s")
        (ip, _), (db, _) = pods(cluster)["third"], before["db-0"]
        assert "Welcome to nginx" in subprocess.run([*FETCH, f"http://{ip}/"], capture_output=True, text=True).stdout
        assert "Welcome to nginx" in cluster.kubectl("exec", "third", "--", *FETCH, f"http://{db}/")
        assert pods(cluster).items() >= before.items()
        with pytest.raises(CommandFailed, match="fewer is not possible"):
            cluster.up()

        report = json.loads(cluster.lateen("status", "-o", "json"))
        assert report["running"]
        assert report["nodes"] == 3
        assert {c["name"] for c in report["components"]} == {
            "supervisor", "apiserver", "controllers", "fabric", "node-1", "node-2", "node-3",
        }  # fmt: skip

        # As after the machine went down: no process, no namespace, no mount; the directory alone is left.
        os.kill(cluster.pid_of("supervisor"), signal.SIGKILL)
        for pid in processes(cluster):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for name in (cluster.name, *(f"{cluster.name}-node-{n}" for n in (1, 2, 3))):
            subprocess.run(["ip", "netns", "delete", f"lateen-{name}"], check=True)
        cluster.lateen("up", "--kubeconfig", str(cluster.kubeconfig))
        assert service_addresses(cluster) == addresses
        assert_serves(cluster)
        cluster.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")
        assert pods(cluster).keys() >= {"db-0", "db-1", "third"}

        cluster.down("--keep-state")
        assert traces(cluster) == []
        cluster.lateen("up", "--kubeconfig", str(cluster.kubeconfig))
        assert service_addresses(cluster) == addresses
        assert_serves(cluster)
        assert {"db-0", "db-1"} <= pods(cluster).keys()
    assert traces(cluster) == []


def test_a_half_made_cluster_can_be_completed_and_taken_down(tmp_path: Path) -> None:
    cluster = LocalCluster(home=tmp_path)
    command = [sys.executable, "-m", "lateen.cli.main", "cluster", "up", "--name", cluster.name]
    for step in ("Making the network", "Waiting for the API server"):
        starting = subprocess.Popen(
            [*command, "--kubeconfig", str(cluster.kubeconfig)],
            env=cluster.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        with starting:
            assert starting.stderr is not None
            # A step's line is printed when it is done: the next one has just begun.
            assert any(step in line for line in starting.stderr)
            starting.kill()
        if step == "Making the network":
            cluster.down()
            assert traces(cluster) == []
    cluster.up()
    assert len(cluster.get("nodes")["items"]) == 1
    cluster.close()
    assert traces(cluster) == []
    assert list(tmp_path.glob("clusters/*")) == []


@pytest.mark.timeout(400)
def test_a_taken_port_gives_another_index_or_says_so(tmp_path: Path) -> None:
    with LocalCluster(home=tmp_path) as cluster:
        layout = load(cluster.root)
        assert layout.api_url == json.loads(cluster.lateen("status", "-o", "json"))["api_url"]
        cluster.down("--keep-state")
        with socket.create_server(("127.0.0.1", layout.api_port)):
            with pytest.raises(CommandFailed, match=f"port {layout.api_port} of 127.0.0.1.*in use by another program"):
                cluster.up()
            other = LocalCluster(home=tmp_path)
            with other:
                assert load(other.root).index != layout.index
        cluster.up()


def test_logs_follow(cluster: LocalCluster) -> None:
    name = "lateen-follow-probe"
    following = subprocess.Popen(
        [sys.executable, "-m", "lateen.cli.main", "cluster", "logs", "--name", cluster.name, "-f", "supervisor"],
        env=cluster.environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert following.stdout is not None
        assert "started" in following.stdout.readline()
        with open(cluster.root / "logs" / "supervisor.log", "a") as log:
            log.write(f"{name}\n")
        assert any(name in line for line in following.stdout)
    finally:
        following.kill()
        following.wait()
    refused = subprocess.run(
        [sys.executable, "-m", "lateen.cli.main", "cluster", "logs", "--name", cluster.name, "nothing"],
        env=cluster.environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "components of" in refused.stderr


def test_egress_is_switched_on_and_off(tmp_path: Path) -> None:
    def rules() -> str:
        return subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout

    with LocalCluster(home=tmp_path, options=("--egress",)) as cluster:
        layout = load(cluster.root)
        forwarding = Path("/proc/sys/net/ipv4/conf") / layout.host_interface / "forwarding"
        defaults: Any = ["ip", "-n", layout.fabric_netns, "route", "show", "default"]
        assert f"table ip lateen-{cluster.name}\n" in rules()
        assert forwarding.read_text() == "1\n"
        assert str(layout.host_ipv4) in subprocess.run(defaults, capture_output=True, text=True, check=True).stdout
        cluster.lateen("up", "--no-egress", "--kubeconfig", str(cluster.kubeconfig))
        assert f"table ip lateen-{cluster.name}\n" not in rules()
        assert forwarding.read_text() == "0\n"
        assert subprocess.run(defaults, capture_output=True, text=True, check=True).stdout == ""
