"""Changing objects as a user does: apply, server-side apply, diff, edit, patch, replace, kustomize."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings, namespace: {namespace}}}
data: {data}
"""


def config(namespace: str, **data: str) -> str:
    return CONFIG.format(namespace=namespace, data=json.dumps(data))


def test_apply_changes_what_changed_and_removes_what_is_gone(cluster: LocalCluster, namespace: str) -> None:
    assert cluster.apply(config(namespace, a="1", b="1")) == "configmap/settings created\n"
    cluster.kubectl("patch", "configmap", "settings", "-n", namespace, "-p", '{"data":{"other":"x"}}')
    assert cluster.apply(config(namespace, a="2")) == "configmap/settings configured\n"
    assert cluster.get("configmap", "settings", "-n", namespace)["data"] == {"a": "2", "other": "x"}
    assert cluster.apply(config(namespace, a="2")) == "configmap/settings unchanged\n"


def test_diff_shows_what_apply_would_change(cluster: LocalCluster, namespace: str) -> None:
    cluster.apply(config(namespace, a="1"))
    same = cluster.try_kubectl("diff", "-f", "-", stdin=config(namespace, a="1"))
    assert (same.returncode, same.stdout) == (0, "")
    changed = cluster.try_kubectl("diff", "-f", "-", stdin=config(namespace, a="2"))
    assert changed.returncode == 1
    assert '-  a: "1"' in changed.stdout
    assert '+  a: "2"' in changed.stdout
    assert cluster.get("configmap", "settings", "-n", namespace)["data"] == {"a": "1"}


def test_server_side_apply_conflicts_until_forced(cluster: LocalCluster, namespace: str) -> None:
    cluster.apply(config(namespace, a="1"), "--server-side", "--field-manager=one")
    refused = cluster.try_kubectl(
        "apply", "-f", "-", "--server-side", "--field-manager=two", stdin=config(namespace, a="2")
    )
    assert refused.returncode != 0
    assert 'conflict with "one": .data.a' in refused.stderr
    shared = cluster.apply(config(namespace, b="1"), "--server-side", "--field-manager=two")
    assert shared == "configmap/settings serverside-applied\n"
    cluster.apply(config(namespace, a="2"), "--server-side", "--field-manager=two", "--force-conflicts")
    # Clients before 1.21 always show managedFields, and have no option for it.
    found = json.loads(cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{namespace}/configmaps/settings"))
    assert found["data"] == {"a": "2"}
    owners = {m["manager"]: m["fieldsV1"] for m in found["metadata"]["managedFields"]}
    assert owners["two"]["f:data"] == {"f:a": {}}


@pytest.mark.kubectl(1, 26)
def test_client_side_apply_is_taken_over_by_server_side_apply(cluster: LocalCluster, namespace: str) -> None:
    cluster.apply(config(namespace, a="1", b="1"))
    cluster.apply(config(namespace, a="2"), "--server-side")
    assert cluster.get("configmap", "settings", "-n", namespace)["data"] == {"a": "2"}


def test_edit_and_replace(cluster: LocalCluster, namespace: str, tmp_path: Path) -> None:
    cluster.apply(config(namespace, a="1"))
    done = subprocess.run(
        ["kubectl", "edit", "configmap", "settings", "-n", namespace],
        env={**cluster.environment(), "KUBE_EDITOR": "sed -i s/a:.*1.*/a:\\ changed/"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "configmap/settings edited\n", done.stderr
    assert cluster.get("configmap", "settings", "-n", namespace)["data"] == {"a": "changed"}
    out = cluster.kubectl("replace", "-f", "-", stdin=config(namespace, c="3"))
    assert out == "configmap/settings replaced\n"
    assert cluster.get("configmap", "settings", "-n", namespace)["data"] == {"c": "3"}


def test_patches_of_all_types_labels_and_annotations(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=0", *n)
    strategic = {
        "spec": {"template": {"spec": {"containers": [{"name": "nginx", "env": [{"name": "A", "value": "1"}]}]}}}
    }
    cluster.kubectl("patch", "deployment", "web", *n, "-p", json.dumps(strategic))
    container = cluster.get("deployment", "web", *n)["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "nginx"
    assert container["env"] == [{"name": "A", "value": "1"}]
    cluster.kubectl("patch", "deployment", "web", *n, "--type=merge", "-p", '{"spec":{"paused":true}}')
    operations = [{"op": "replace", "path": "/spec/paused", "value": False}]
    cluster.kubectl("patch", "deployment", "web", *n, "--type=json", "-p", json.dumps(operations))
    assert not cluster.get("deployment", "web", *n)["spec"].get("paused")
    cluster.kubectl("label", "deployment", "web", "tier=front", *n)
    cluster.kubectl("annotate", "deployment", "web", "note=hello", *n)
    assert cluster.kubectl("get", "deployments", "-l", "tier=front", "-o", "name", *n) == "deployment.apps/web\n"
    failed = cluster.try_kubectl("patch", "deployment", "web", *n, "--type=json", "-p", '[{"op":"remove","path":"/x"}]')
    assert failed.returncode != 0


def test_kustomize(cluster: LocalCluster, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(config(namespace, a="1"))
    (tmp_path / "kustomization.yaml").write_text(
        f"namespace: {namespace}\nnamePrefix: my-\nresources: [config.yaml]\ncommonLabels: {{team: x}}\n"
    )
    assert cluster.kubectl("apply", "-k", str(tmp_path)) == "configmap/my-settings created\n"
    assert cluster.get("configmap", "my-settings", "-n", namespace)["metadata"]["labels"] == {"team": "x"}
    assert cluster.kubectl("delete", "-k", str(tmp_path)) == 'configmap "my-settings" deleted\n'


UNKNOWN_FIELD = """
apiVersion: v1
kind: Service
metadata: {{name: s, namespace: {namespace}}}
spec: {{ports: [{{port: 80, prot: 1}}]}}
"""


def test_unknown_fields_are_errors(cluster: LocalCluster, namespace: str) -> None:
    """Old clients find them by themselves, in the OpenAPI document; newer ones ask the server to."""
    manifest = UNKNOWN_FIELD.format(namespace=namespace)
    refused = cluster.try_kubectl("apply", "-f", "-", stdin=manifest)
    assert refused.returncode != 0
    assert "unknown field" in refused.stderr
    assert cluster.apply(manifest, "--validate=false") == "service/s created\n"


@pytest.mark.kubectl(1, 25)
def test_unknown_fields_can_be_warnings(cluster: LocalCluster, namespace: str) -> None:
    manifest = UNKNOWN_FIELD.format(namespace=namespace)
    refused = cluster.try_kubectl("apply", "-f", "-", stdin=manifest)
    assert refused.returncode != 0
    assert 'unknown field "spec.ports[0].prot"' in refused.stderr
    warned = cluster.try_kubectl("apply", "-f", "-", "--validate=warn", stdin=manifest)
    assert warned.returncode == 0
    assert 'Warning: unknown field "spec.ports[0].prot"' in warned.stderr


def test_invalid_values_are_located(cluster: LocalCluster, namespace: str) -> None:
    manifest = (
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: {namespace}}}\n"
        "spec: {ports: [{port: 99999, targetPort: 80}]}\n"
    )
    refused = cluster.try_kubectl("apply", "-f", "-", stdin=manifest)
    assert refused.returncode != 0
    assert 'The Service "s" is invalid: spec.ports[0].port: Invalid value: 99999' in refused.stderr


def test_dry_run_changes_nothing(cluster: LocalCluster, namespace: str) -> None:
    out = cluster.apply(config(namespace, a="1"), "--dry-run=server")
    assert out == "configmap/settings created (server dry run)\n"
    assert "NotFound" in cluster.try_kubectl("get", "configmap", "settings", "-n", namespace).stderr
