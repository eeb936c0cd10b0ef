"""Looking at things: get in its forms, watch, describe, explain, events, auth, discovery."""

from __future__ import annotations

import json
import re

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster


def test_nodes_and_system_pods_look_as_on_kubernetes(cluster: LocalCluster) -> None:
    header, *rows = cluster.kubectl("get", "nodes", "-o", "wide").splitlines()
    assert header.split()[:5] == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert [row.split()[1] for row in rows] == ["Ready", "Ready"]
    assert "Running" in cluster.kubectl("get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns")
    assert "Kubernetes control plane" in cluster.kubectl("cluster-info")
    assert '"gitVersion": "v1.33' in cluster.kubectl("version", "-o", "json")


def test_watch_prints_what_changes(cluster: LocalCluster, namespace: str) -> None:
    watch = cluster.start_kubectl("get", "configmaps", "-n", namespace, "-w", "-o", "name")
    try:
        assert watch.stdout is not None
        assert watch.stdout.readline() == "configmap/kube-root-ca.crt\n"
        cluster.kubectl("create", "configmap", "one", "-n", namespace)
        assert watch.stdout.readline() == "configmap/one\n"
    finally:
        watch.kill()
        watch.wait()


def test_describe_tells_what_happened(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.kubectl("create", "deployment", "web", "--image=nginx", *n)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    deployment = cluster.kubectl("describe", "deployment", "web", *n)
    assert "ScalingReplicaSet" in deployment
    assert "Available" in deployment
    pod = cluster.kubectl("describe", "pods", "-l", "app=web", *n)
    for expected in ("Scheduled", "Pulled", "Created", "Started", "Ready", "kube-api-access-", "QoS Class:"):
        assert expected in pod
    assert "Successfully assigned" in cluster.kubectl("get", "events", "--sort-by=.lastTimestamp", *n)
    for kind in ("node", "namespace", "service", "secret", "serviceaccount"):
        cluster.kubectl("describe", kind, "-A") if kind not in ("node", "namespace") else cluster.kubectl(
            "describe", kind
        )


def test_explain_reads_the_schema(cluster: LocalCluster) -> None:
    out = cluster.kubectl("explain", "pod.spec.containers.livenessProbe.httpGet")
    assert re.search(r"^VERSION: +v1$", out, re.MULTILINE)
    assert re.search(r"^ +port\t<(IntOrString|string)> -required-$", out, re.MULTILINE)
    assert "maxSurge" in cluster.kubectl("explain", "deployment", "--recursive")


def test_selectors_sorting_and_output_forms(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    for name, tier in (("b", "x"), ("a", "y"), ("c", "x")):
        cluster.kubectl("create", "configmap", name, *n)
        cluster.kubectl("label", "configmap", name, f"tier={tier}", *n)
    names = ("-o", "jsonpath={.items[*].metadata.name}")
    assert cluster.kubectl("get", "cm", "-l", "tier=x", *n, *names) == "b c"
    assert cluster.kubectl("get", "cm", "-l", "tier in (x,y)", "--field-selector=metadata.name!=b", *n, *names) == "a c"
    assert cluster.kubectl("get", "cm", "-l", "tier", "--sort-by=.metadata.labels.tier", *n, *names).endswith("a")
    assert cluster.kubectl("get", "cm", "a", *n, "-o", "custom-columns=T:.metadata.labels.tier").split() == ["T", "y"]
    wide = cluster.kubectl("get", "cm", "a", *n, "--show-labels")
    assert "tier=y" in wide
    chunked = cluster.kubectl("get", "cm", *n, "--chunk-size=1", *names)
    assert chunked == "a b c kube-root-ca.crt"


def test_auth(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    assert cluster.kubectl("auth", "can-i", "delete", "nodes") == "yes\n"
    account = f"system:serviceaccount:{namespace}:default"
    asked = cluster.try_kubectl("auth", "can-i", "list", "pods", f"--as={account}", *n)
    assert (asked.stdout, asked.returncode) == ("no\n", 1)
    cluster.kubectl("create", "role", "reader", "--verb=get,list,watch", "--resource=pods", *n)
    cluster.kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={namespace}:default", *n)
    assert cluster.kubectl("auth", "can-i", "list", "pods", f"--as={account}", *n) == "yes\n"
    refused = cluster.try_kubectl("get", "secrets", f"--as={account}", *n)
    assert f'User "{account}" cannot list resource "secrets" in API group "" in the namespace' in refused.stderr
    assert "pods" in cluster.kubectl("auth", "can-i", "--list", f"--as={account}", *n)
    token = cluster.token("default", namespace)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = json.loads(cluster.kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(review)))
    assert answer["status"]["user"]["username"] == account
    assert cluster.user(*cluster.without_identity(), "--token", token) == account


@pytest.mark.kubectl(1, 28)
def test_newer_commands(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    assert "kubernetes-admin" in cluster.kubectl("auth", "whoami")
    cluster.kubectl("wait", "serviceaccount/default", "--for=jsonpath={.metadata.name}=default", "--timeout=60s", *n)
    token = cluster.kubectl("create", "token", "default", "--duration=20m", *n).strip()
    assert cluster.user(*cluster.without_identity(), "--token", token) == f"system:serviceaccount:{namespace}:default"
    cluster.kubectl("run", "box", "--image=busybox", "--restart=Never", *n, "--command", "--", "true")
    cluster.wait_for("{.status.phase}=Succeeded", "pod/box", *n)
    assert "Successfully assigned" in cluster.kubectl("events", "--for=pod/box", *n)
    assert "managedFields" in cluster.kubectl("get", "pod/box", *n, "-o", "yaml", "--show-managed-fields")


def test_discovery_lists_short_names_and_categories(cluster: LocalCluster) -> None:
    resources = cluster.kubectl("api-resources", "-o", "wide")
    for expected in ("po ", "deploy ", "svc ", "crd,crds", "mutatingwebhookconfigurations"):
        assert expected in resources
    assert "apps/v1" in cluster.kubectl("api-versions")
