"""The life of a pod as its author sees it: start and stop order, hooks, probes, crashes, limits, termination."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

_TRAP = "trap 'echo %s >> /shared/order; exit 0' TERM; echo %s >> /shared/order; touch /tmp/up; sleep infinity & wait"


def _ordered(name: str, **more: Any) -> dict[str, Any]:
    script = _TRAP % (f"{name}-", f"{name}+")
    mounts = [{"name": "shared", "mountPath": "/shared"}]
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script], "volumeMounts": mounts, **more}


def _pod(name: str, *containers: dict[str, Any], **spec: Any) -> str:
    whole = {"terminationGracePeriodSeconds": 3, "containers": list(containers), **spec}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole})


def _box(script: str, name: str = "main", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script], **more}


def _wait(cluster: LocalCluster, namespace: str, pod: str, condition: str) -> None:
    """`condition=NAME`, or `{PATH}=VALUE` of the pod."""
    if condition.startswith("{"):
        cluster.wait_for(condition, f"pod/{pod}", "-n", namespace, timeout=80)
    else:
        cluster.kubectl("wait", f"pod/{pod}", f"--for={condition}", "--timeout=80s", "-n", namespace)


def _reasons(cluster: LocalCluster, namespace: str, pod: str) -> list[str]:
    events = cluster.get("events", "--field-selector", f"involvedObject.name={pod}", "-n", namespace)["items"]
    return [e["reason"] for e in events]


def test_start_and_stop_in_order(cluster: LocalCluster, namespace: str, tmp_path: Path) -> None:
    n = ("-n", namespace)
    patient = {"periodSeconds": 1, "timeoutSeconds": 30, "failureThreshold": 60}
    probe = {"exec": {"command": ["test", "-e", "/tmp/up"]}, **patient}
    first = _ordered("first", restartPolicy="Always", startupProbe=probe)
    second = _ordered("second", restartPolicy="Always", startupProbe=probe)
    init = {**_ordered("init"), "command": ["sh", "-c", "echo init >> /shared/order"]}
    hooks = {
        "postStart": {"exec": {"command": ["sh", "-c", "echo main-post-start >> /shared/order"]}},
        "preStop": {"exec": {"command": ["sh", "-c", "echo main-pre-stop >> /shared/order"]}},
    }
    main = _ordered("main", lifecycle=hooks, readinessProbe=probe)
    volumes = [{"name": "shared", "hostPath": {"path": str(tmp_path)}}]
    whole = _pod("p", main, initContainers=[first, init, second], volumes=volumes, terminationGracePeriodSeconds=60)
    cluster.apply(whole, *n)
    _wait(cluster, namespace, "p", "condition=Ready")
    order = (tmp_path / "order").read_text().split()
    assert order[:3] == ["first+", "init", "second+"]
    assert sorted(order[3:]) == ["main+", "main-post-start"]
    assert cluster.kubectl("get", "pod", "p", *n).splitlines()[1].split()[:3] == ["p", "3/3", "Running"]
    cluster.kubectl("delete", "pod", "p", *n)
    ended = (tmp_path / "order").read_text().split()[5:]
    assert ended == ["main-pre-stop", "main-", "second-", "first-"]


def test_every_kind_of_probe(cluster: LocalCluster, namespace: str) -> None:
    """One container is ready by each kind, one is not, one is restarted."""
    n = ("-n", namespace)
    web = {"name": "web", "image": "nginx"}
    fast = {"periodSeconds": 1, "failureThreshold": 1}
    port = {"ports": [{"name": "http", "containerPort": 80}]}
    headers = [{"name": "X-Asked", "value": "yes"}]
    cluster.apply(
        _pod("http", {**web, **port, "readinessProbe": {"httpGet": {"port": "http", "httpHeaders": headers}}}), *n
    )
    cluster.apply(_pod("tcp", {**web, "readinessProbe": {"tcpSocket": {"port": 80}, **fast}}), *n)
    cluster.apply(_pod("exec", _box("sleep infinity", readinessProbe={"exec": {"command": ["true"]}, **fast})), *n)
    cluster.apply(_pod("unready", {**web, "readinessProbe": {"httpGet": {"port": 80, "path": "/no/such"}, **fast}}), *n)
    cluster.apply(_pod("grpc", {**web, "readinessProbe": {"grpc": {"port": 80}, **fast}}), *n)
    cluster.apply(_pod("slow", _box("sleep infinity", startupProbe={"exec": {"command": ["false"]}, **fast})), *n)
    for name in ("http", "tcp", "exec"):
        _wait(cluster, namespace, name, "condition=Ready")
    _wait(cluster, namespace, "slow", "{.status.containerStatuses[0].restartCount}=1")
    expected = {
        "unready": "Readiness probe failed: HTTP probe failed with statuscode: 404",
        "grpc": "Readiness probe failed: ",
        "slow": "Startup probe failed: ",
    }
    said: dict[str, set[str]] = {}
    watch = cluster.start_kubectl("get", "events", "--watch", "-o", "json", *n, "--output-watch-events=false")
    assert watch.stdout is not None
    try:
        decoder, text = json.JSONDecoder(), ""
        for line in watch.stdout:
            text += line
            try:
                event, _ = decoder.raw_decode(text)
            except ValueError:
                continue
            text = ""
            said.setdefault(event["involvedObject"]["name"], set()).add(event["message"])
            if all(any(m.startswith(start) for m in said.get(pod, ())) for pod, start in expected.items()):
                break
    finally:
        watch.kill()
        watch.wait()
    assert said.keys() >= expected.keys()
    for name in ("unready", "grpc"):
        assert cluster.get("pod", name, *n)["status"]["containerStatuses"][0]["ready"] is False


def test_ends_and_their_reasons(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    hog = "import time; time.sleep(0.2); x = bytearray(200 << 20)"
    cluster.apply(_pod("crash", _box("echo why >&2; exit 3", terminationMessagePolicy="FallbackToLogsOnError")), *n)
    cluster.apply(_pod("told", _box("printf done > /dev/termination-log"), restartPolicy="Never"), *n)
    cluster.apply(
        _pod(
            "hog",
            {"name": "main", "image": "busybox", "command": ["python3", "-c", hog],
             "resources": {"limits": {"memory": "48Mi"}}},
            restartPolicy="Never",
        ),
        *n,
    )  # fmt: skip
    cluster.apply(_pod("late", _box("sleep infinity"), activeDeadlineSeconds=1, terminationGracePeriodSeconds=0), *n)
    cluster.apply(_pod("stuck", _box("exit 0"), restartPolicy="Never", initContainers=[_box("exit 9", "before")]), *n)
    cluster.apply(_pod("nothing", {"name": "main", "image": "busybox", "command": ["/no/such/program"]}), *n)

    _wait(cluster, namespace, "told", "{.status.phase}=Succeeded")
    told = cluster.get("pod", "told", *n)["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (told["reason"], told["exitCode"], told["message"]) == ("Completed", 0, "done")

    _wait(cluster, namespace, "hog", "{.status.phase}=Failed")
    killed = cluster.get("pod", "hog", *n)["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (killed["reason"], killed["exitCode"]) == ("OOMKilled", 137)

    _wait(cluster, namespace, "late", "{.status.phase}=Failed")
    late = cluster.get("pod", "late", *n)["status"]
    assert late["reason"] == "DeadlineExceeded"
    assert "DeadlineExceeded" in _reasons(cluster, namespace, "late")

    _wait(cluster, namespace, "stuck", "{.status.phase}=Failed")
    assert "Init:Error" in cluster.kubectl("get", "pod", "stuck", *n)

    # It waits for some seconds only, then runs again: what is looked at is what was seen then, not what there is now.
    seen = cluster.kubectl(
        "wait", "pod/crash", "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff",
        "--timeout=80s", "-o", "json", *n,
    )  # fmt: skip
    crash = json.loads(seen)["status"]["containerStatuses"][0]
    assert crash["lastState"]["terminated"]["message"] == "why\n"
    assert re.match(r"back-off \d+s restarting failed container=main pod=crash_", crash["state"]["waiting"]["message"])
    assert "BackOff" in _reasons(cluster, namespace, "crash")
    rows = cluster.start_kubectl("get", "pod", "crash", "--watch", *n)
    assert rows.stdout is not None
    try:
        assert any("CrashLoopBackOff" in row for row in rows.stdout)
    finally:
        rows.kill()
        rows.wait()

    said = str(cluster.get("pod", "nothing", *n)["status"]["containerStatuses"][0])
    assert "no such file or directory" in said


def test_termination_takes_its_grace(cluster: LocalCluster, namespace: str, tmp_path: Path) -> None:
    """A program that ignores SIGTERM is given its time, and less when the deletion says so."""
    n = ("-n", namespace)
    deaf = _box("trap 'echo term >> /h/said' TERM; touch /h/up; while :; do sleep 0.1; done",
                volumeMounts=[{"name": "h", "mountPath": "/h"}],
                readinessProbe={"exec": {"command": ["test", "-e", "/h/up"]}, "periodSeconds": 1})  # fmt: skip
    volumes = [{"name": "h", "hostPath": {"path": str(tmp_path)}}]
    cluster.apply(_pod("deaf", deaf, volumes=volumes, terminationGracePeriodSeconds=3600), *n)
    _wait(cluster, namespace, "deaf", "condition=Ready")
    cluster.kubectl("delete", "pod", "deaf", "--wait=false", *n)
    _wait(cluster, namespace, "deaf", "{.metadata.deletionGracePeriodSeconds}=3600")
    assert "Terminating" in cluster.kubectl("get", "pod", "deaf", *n)
    # Asked again with less patience.
    cluster.kubectl("delete", "pod", "deaf", "--grace-period=1", "--timeout=60s", *n)
    assert (tmp_path / "said").read_text().startswith("term\n")
    assert "Killing" in _reasons(cluster, namespace, "deaf")


def test_shared_processes_and_the_node_s_network(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.apply(
        _pod("shared", _box("exec sleep 98765"), _box("sleep infinity", "other"), shareProcessNamespace=True), *n
    )
    cluster.apply(_pod("alone", _box("exec sleep 98766"), _box("sleep infinity", "other")), *n)
    cluster.apply(_pod("node", _box("sleep infinity"), hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet"), *n)
    for name in ("shared", "alone", "node"):
        _wait(cluster, namespace, name, "condition=Ready")
    look = ("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "sleep 98765" in cluster.kubectl("exec", "shared", "-c", "other", *n, "--", *look)
    assert "98766" not in cluster.kubectl("exec", "alone", "-c", "other", *n, "--", *look)
    status = cluster.get("pod", "node", *n)["status"]
    assert status["podIP"] == status["hostIP"]
    resolve = "import socket; print(socket.gethostbyname('kubernetes.default.svc.cluster.local'))"
    address = cluster.get("service", "kubernetes", "-n", "default")["spec"]["clusterIP"]
    assert cluster.kubectl("exec", "node", *n, "--", "python3", "-c", resolve).strip() == address
