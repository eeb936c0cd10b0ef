"""Deployments as a user drives them: create, expose, scale, roll out, undo, wait, delete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

WEB = Path(__file__).with_name("web.yaml")
DISRUPTION_BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
"""


def test_create_scale_and_delete_a_deployment(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    assert cluster.kubectl("create", "deployment", "web", "--image=nginx", *n) == "deployment.apps/web created\n"
    cluster.kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=60s", *n)
    assert cluster.kubectl("scale", "deployment/web", "--replicas=3", *n) == "deployment.apps/web scaled\n"
    assert "successfully rolled out" in cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    pods = cluster.get("pods", "-l", "app=web", *n)["items"]
    assert len(pods) == 3
    assert {p["status"]["phase"] for p in pods} == {"Running"}
    assert len({p["status"]["podIP"] for p in pods}) == 3
    assert len({p["spec"]["nodeName"] for p in pods}) == 2
    columns = cluster.kubectl("get", "deployment", "web", *n).splitlines()
    assert columns[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert columns[1].split()[:4] == ["web", "3/3", "3", "3"]
    cluster.kubectl("delete", "deployment", "web", *n)
    cluster.until_gone("pod", "-l", "app=web", *n)
    assert cluster.get("replicasets", *n)["items"] == []


def test_rollout_restart_history_and_undo(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.kubectl("create", "deployment", "web", "--image=nginx:1", "--replicas=2", *n)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    cluster.kubectl("set", "image", "deployment/web", "nginx=nginx:2", *n)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    before = {p["metadata"]["uid"] for p in cluster.get("pods", *n)["items"]}
    cluster.kubectl("rollout", "restart", "deployment/web", *n)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    running = [p for p in cluster.get("pods", *n)["items"] if "deletionTimestamp" not in p["metadata"]]
    assert before.isdisjoint(p["metadata"]["uid"] for p in running)
    history = cluster.kubectl("rollout", "history", "deployment/web", *n)
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2", "3"]
    assert "nginx:1" in cluster.kubectl("rollout", "history", "deployment/web", "--revision=1", *n)
    assert "rolled back" in cluster.kubectl("rollout", "undo", "deployment/web", "--to-revision=1", *n)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    deployment = cluster.get("deployment", "web", *n)
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1"
    assert deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "4"


def test_a_rollout_that_cannot_progress_keeps_the_old_pods(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2", *n)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    cluster.kubectl("set", "image", "deployment/web", "nginx=example.org/absent:1", *n)
    cluster.wait_for("{.status.containerStatuses[0].state.waiting.reason}=ErrImagePull", "pods", "-l", "app=web", *n)
    assert cluster.get("deployment", "web", *n)["status"]["availableReplicas"] == 2
    description = cluster.kubectl("describe", "pods", "-l", "app=web", *n)
    assert "lateen cluster load-image" in description


def test_expose_gives_a_service_with_endpoints_that_answer(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.kubectl("apply", "-f", str(WEB), *n)
    assert cluster.kubectl("expose", "deployment", "web", "--port=80", *n) == "service/web exposed\n"
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    out = cluster.kubectl(
        "run", "client", "--image=busybox", "--restart=Never", "--rm", "-i", "--quiet", *n, "--",
        "python3", "-c", f"import urllib.request as u; print(u.urlopen('http://web.{namespace}').status)",
    )  # fmt: skip
    assert "200" in out
    endpoints = cluster.get("endpoints", "web", *n)
    assert len(endpoints["subsets"][0]["addresses"]) == 2


def test_an_eviction_respects_the_disruption_budget(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=1", *n)
    # Not with `kubectl create pdb`: clients before 1.21 create the policy/v1beta1 that Kubernetes 1.25 dropped.
    cluster.apply(DISRUPTION_BUDGET, *n)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    cluster.wait_for("{.status.currentHealthy}=1", "pdb/web", *n)
    pod = cluster.get("pods", *n)["items"][0]["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    refused = cluster.try_kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
    assert refused.returncode != 0
    assert "disruption budget" in refused.stderr
    cluster.kubectl("delete", "pdb", "web", *n)
    cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
    cluster.until_gone(f"pod/{pod}", *n)
