"""A DaemonSet on two nodes, its rolling update, and a node that is cordoned and drained."""

from __future__ import annotations

import json
import re

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

_DAEMONS = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 1
      hostNetwork: true
      containers:
      - name: main
        image: example.org/pause
        env: [{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
"""

_DRAINED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: example.org/pause}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
"""


def test_one_daemon_per_node_updated_one_after_the_other(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.apply(_DAEMONS, *n)
    cluster.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s", *n)
    nodes = {item["metadata"]["name"]: item for item in cluster.get("nodes")["items"]}
    pods = cluster.get("pods", *n)["items"]
    assert sorted(p["spec"]["nodeName"] for p in pods) == sorted(nodes)
    for pod in pods:
        addresses = nodes[pod["spec"]["nodeName"]]["status"]["addresses"]
        assert pod["status"]["podIP"] in [a["address"] for a in addresses]
        said = cluster.kubectl("exec", pod["metadata"]["name"], *n, "--", "sh", "-c", "echo $NODE")
        assert said.strip() == pod["spec"]["nodeName"]
    cluster.kubectl("set", "env", "daemonset/agent", "COLOUR=red", *n)
    cluster.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s", *n)
    status = cluster.get("daemonset", "agent", *n)["status"]
    assert (status["updatedNumberScheduled"], status["numberAvailable"]) == (2, 2)
    assert len(cluster.get("controllerrevisions", *n)["items"]) == 2
    cluster.kubectl("rollout", "undo", "daemonset/agent", *n)
    cluster.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s", *n)
    assert "COLOUR" not in str(cluster.get("daemonset", "agent", *n)["spec"])

    # Only where its selector says.
    first = sorted(nodes)[0]
    key = f"scenario-{namespace}"
    cluster.kubectl("label", "node", first, f"{key}=yes")
    try:
        selected = {"spec": {"template": {"spec": {"nodeSelector": {key: "yes"}}}}}
        cluster.kubectl("patch", "daemonset", "agent", *n, "-p", json.dumps(selected))
        cluster.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s", *n)
        cluster.wait_for("{.status.currentNumberScheduled}=1", "daemonset/agent", *n)
        cluster.until_gone("pod", "-l", "app=agent", "--field-selector", f"spec.nodeName!={first}", *n)
    finally:
        cluster.kubectl("label", "node", first, f"{key}-")


def test_drain_goes_by_the_budget_and_leaves_daemons() -> None:
    """A cluster of its own: others' pods must not be drained."""
    with LocalCluster(nodes=2, options=("--node-label", "1:example.com/pool=blue")) as cluster:
        labels = {i["metadata"]["name"]: i["metadata"]["labels"] for i in cluster.get("nodes")["items"]}
        first, second = (f"{cluster.name}-node-{k}" for k in (1, 2))
        assert labels[first]["example.com/pool"] == "blue"
        assert "example.com/pool" not in labels[second]
        assert labels[first]["kubernetes.io/hostname"] == first

        cluster.apply(_DAEMONS)
        cluster.apply(_DRAINED)
        cluster.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s")
        cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        cluster.wait_for("{.status.disruptionsAllowed}=1", "pdb/web")
        refused = cluster.try_kubectl("drain", first, "--timeout=5s")
        assert "cannot delete DaemonSet-managed Pods" in refused.stderr
        drained = cluster.kubectl("drain", first, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=80s")
        assert re.search(f"node/{first} (drained|evicted)", drained)
        assert "SchedulingDisabled" in cluster.kubectl("get", "node", first)
        left = cluster.get("pods", "--field-selector", f"spec.nodeName={first}", "-A")["items"]
        assert [p["metadata"]["labels"].get("app") for p in left] == ["agent"]
        cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        assert {p["spec"]["nodeName"] for p in cluster.get("pods", "-l", "app=web")["items"]} == {second}

        # With the second one cordoned too, nothing can be placed; uncordoned, it can.
        cluster.kubectl("cordon", second)
        cluster.kubectl("scale", "deployment/web", "--replicas=3")
        reason = '{.status.conditions[?(@.type=="PodScheduled")].reason}'
        cluster.wait_for(f"{reason}=Unschedulable", "pods", "-l", "app=web")
        pending = cluster.get("pods", "--field-selector=status.phase=Pending")["items"][0]
        message = next(c["message"] for c in pending["status"]["conditions"] if c["type"] == "PodScheduled")
        assert "0/2 nodes are available" in message
        assert "2 node(s) were unschedulable" in message
        cluster.kubectl("uncordon", first)
        cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")

        # A budget that allows nothing holds a drain back.
        cluster.kubectl("patch", "pdb", "web", "-p", '{"spec":{"minAvailable":3}}')
        cluster.wait_for("{.status.disruptionsAllowed}=0", "pdb/web")
        held = cluster.try_kubectl("drain", first, "--ignore-daemonsets", "--timeout=3s")
        assert held.returncode != 0
        assert "Cannot evict pod as it would violate the pod's disruption budget" in held.stderr
