"""What observes and guards a cluster: metrics by token, admission of connections, warnings, defaults that come late."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
import uuid

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster


def test_metrics_for_whoever_may_read_them(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.kubectl("run", "busy", "--image=busybox", *n, "--", "sh", "-c", "while :; do :; done & sleep 1000")
    cluster.kubectl("wait", "pod/busy", "--for=condition=Ready", "--timeout=60s", *n)
    node = cluster.get("pod", "busy", *n)["spec"]["nodeName"]
    summary = json.loads(cluster.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
    pod = next(p for p in summary["pods"] if p["podRef"]["namespace"] == namespace)
    assert pod["containers"][0]["cpu"]["usageCoreNanoSeconds"] > 0
    assert pod["network"]["name"] == "eth0"

    for account in ("prometheus", "nobody"):
        cluster.kubectl("create", "serviceaccount", account, *n)
    role = f"metrics-{namespace}"
    cluster.kubectl("create", "clusterrole", role, "--verb=get", "--resource=nodes/metrics")
    cluster.kubectl(
        "create", "clusterrolebinding", role, f"--clusterrole={role}", f"--serviceaccount={namespace}:prometheus"
    )
    address = cluster.get("node", node)["status"]["addresses"][0]["address"]
    context = ssl.create_default_context(cafile=str(cluster.root / "pki" / "ca.crt"))

    def scrape(path: str, account: str) -> str:
        headers = {"Authorization": f"Bearer {cluster.token(account, namespace)}"}
        request = urllib.request.Request(f"https://{address}:10250{path}", headers=headers)
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            text: str = answer.read().decode()
        return text

    try:
        labels = f'container="busy",namespace="{namespace}",pod="busy"'
        assert f"container_cpu_usage_seconds_total{{{labels}}}" in scrape("/metrics/resource", "prometheus")
        assert "kubelet_running_pods" in scrape("/metrics", "prometheus")
        for path, account in (("/metrics", "nobody"), ("/stats/summary", "prometheus"), ("/pods", "prometheus")):
            with pytest.raises(urllib.error.HTTPError) as refused:
                scrape(path, account)
            assert refused.value.code == 403
    finally:
        cluster.kubectl("delete", "clusterrole,clusterrolebinding", role)


def test_policies_keep_users_out_of_pods(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    name = f"no-shells-{namespace}"
    policy = f"""
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
  matchConstraints:
    resourceRules:
    - {{operations: [CONNECT], apiGroups: [""], apiVersions: [v1], resources: [pods/exec]}}
  validations:
  - {{expression: "object.command[0] != 'sh'", message: no shells here}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {name}}}
spec:
  policyName: {name}
  validationActions: [Deny]
  matchResources: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}}}
"""
    cluster.kubectl("run", "p", "--image=busybox", *n, "--", "sleep", "1000")
    cluster.kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=60s", *n)
    cluster.apply(policy)
    try:
        assert cluster.kubectl("exec", "p", *n, "--", "echo", "hello") == "hello\n"
        refused = cluster.try_kubectl("exec", "p", *n, "--", "sh", "-c", "true")
        assert refused.returncode != 0
        assert "no shells here" in refused.stderr
    finally:
        cluster.kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", name)


def test_what_is_ignored_is_told(cluster: LocalCluster, namespace: str) -> None:
    container = {"name": "c", "image": "busybox", "command": ["sleep", "1000"]}
    spec = {"containers": [container], "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    done = cluster.try_kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(pod))
    assert done.returncode == 0
    assert "Warning: spec.securityContext.seccompProfile: this cluster ignores the field" in done.stderr


def test_defaults_of_a_definition_reach_what_was_stored_before(cluster: LocalCluster, namespace: str) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.example.com"

    def definition(size: dict[str, object]) -> str:
        properties = {"spec": {"type": "object", "properties": {"size": size, "x": {"type": "string"}}}}
        version = {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
        }
        names = {"plural": "boats", "kind": "Boat"}
        spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
        kind = "CustomResourceDefinition"
        meta = {"name": f"boats.{group}"}
        return json.dumps({"apiVersion": "apiextensions.k8s.io/v1", "kind": kind, "metadata": meta, "spec": spec})

    cluster.apply(definition({"type": "integer"}))
    try:
        crd = f"crd/boats.{group}"
        cluster.kubectl("wait", crd, "--for=condition=Established", "--timeout=60s")
        boat = {"apiVersion": f"{group}/v1", "kind": "Boat", "metadata": {"name": "b"}, "spec": {"x": "y"}}
        cluster.apply(json.dumps(boat), "-n", namespace)
        cluster.apply(definition({"type": "integer", "default": 7}))
        cluster.wait_for("{.spec.size}=7", f"boats.{group}", "b", "-n", namespace)
        assert cluster.get(f"boats.{group}", "-n", namespace)["items"][0]["spec"]["size"] == 7
    finally:
        cluster.kubectl("delete", f"crd/boats.{group}", "--wait=false")
