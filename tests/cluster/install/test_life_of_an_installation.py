"""The life of an installation, in one cluster, step by step: each step begins where the one before has ended."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lateen.testing.local_mesh import LocalMesh

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900), pytest.mark.mesh]

_KINDS = (
    "namespace,customresourcedefinition,serviceaccount,configmap,secret,service,deployment,replicaset,pod,"
    "poddisruptionbudget,horizontalpodautoscaler,role,rolebinding,clusterrole,clusterrolebinding,lease,"
    "mutatingwebhookconfiguration,validatingwebhookconfiguration"
)
_MINIMAL = (
    "--set", "profile=minimal", "--set", "values.pilot.autoscaleEnabled=false",
    "--set", "values.pilot.resources.requests.memory=100Mi", "--set", "values.pilot.resources.requests.cpu=10m",
)  # fmt: skip


def _objects(mesh: LocalMesh) -> set[str]:
    """Names of everything that an installation could leave behind."""
    items = mesh.get(_KINDS, "-A")["items"]
    return {
        f"{each['kind']} {each['metadata'].get('namespace', '')}/{each['metadata']['name']}"
        for each in items
        # Leases of nodes and pods of DNS come and go by themselves.
        if each["metadata"].get("namespace") not in ("kube-system", "kube-node-lease")
    }


def _versions(mesh: LocalMesh) -> dict[str, str]:
    """Of all objects that an installation has made."""
    items = mesh.get(_KINDS, "-A", "-l", "install.operator.istio.io/owning-resource")["items"]
    return {f"{each['kind']} {each['metadata']['name']}": each["metadata"]["resourceVersion"] for each in items}


def _deployment(mesh: LocalMesh, name: str) -> Any:
    return mesh.get("deployment", name, "-n", "istio-system")


@pytest.fixture(scope="module")
def before(mesh: LocalMesh) -> set[str]:
    """What was there before anything was installed: all of it, also what every namespace gets a moment later."""
    for namespace in ("default", "kube-public"):
        for own in (("serviceaccount", "default"), ("configmap", "kube-root-ca.crt")):
            mesh.wait_for("{.metadata.name}", *own, "-n", namespace, timeout=120)
    return _objects(mesh)


def test_a_dry_run_changes_nothing(mesh: LocalMesh, before: set[str]) -> None:
    said = mesh.command("install", *_MINIMAL, "--dry-run")
    assert "Nothing was changed" in said
    assert _objects(mesh) == before


def test_install(mesh: LocalMesh, before: set[str]) -> None:
    said = mesh.install(*_MINIMAL, "--verify")
    assert "Control plane: installed" in said
    assert "Verified" in said
    assert _deployment(mesh, "istiod")["status"]["readyReplicas"] == 1
    for webhook in mesh.get("mutatingwebhookconfiguration", "istio-sidecar-injector")["webhooks"]:
        assert webhook["clientConfig"]["caBundle"]


def test_what_is_installed_works(mesh: LocalMesh) -> None:
    # Definitions are served and bad resources refused; pods are injected.
    policy = "{.webhooks[0].failurePolicy}=Fail"
    mesh.wait_for(policy, "validatingwebhookconfiguration", "istiod-default-validator", timeout=120)
    head = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService"}
    route = {"destination": {"host": "nowhere"}}
    spec = {"hosts": ["example.org"], "http": [{"route": [route]}]}
    mesh.apply(json.dumps({**head, "metadata": {"name": "good", "namespace": "default"}, "spec": spec}))
    bad = {"hosts": ["example.org"], "http": [{"route": [{**route, "weight": 5}, {**route, "weight": -5}]}]}
    refused = mesh.try_kubectl(
        "apply", "-f", "-",
        stdin=json.dumps({**head, "metadata": {"name": "bad", "namespace": "default"}, "spec": bad}),
    )  # fmt: skip
    assert refused.returncode != 0
    assert "weight" in refused.stderr
    mesh.wait_for("{.status.conditions}", "virtualservice", "good", "-n", "default", timeout=120)
    mesh.kubectl("delete", "virtualservice", "good", "-n", "default")

    mesh.kubectl("create", "namespace", "shop")
    mesh.label_for_injection("shop")
    mesh.kubectl("run", "web", "-n", "shop", "--image=busybox", "--restart=Never", "--", "sleep", "600")
    pod = mesh.get("pod", "web", "-n", "shop")
    containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
    assert "istio-proxy" in {each["name"] for each in containers}
    mesh.kubectl("wait", "--for=condition=Ready", "pod/web", "-n", "shop", "--timeout=240s", timeout=250)


def test_the_control_plane_asks_for_nothing_that_it_may_not(mesh: LocalMesh) -> None:
    mesh.wait_for("{.spec.holderIdentity}", "lease", "istio-webhooks-leader", "-n", "istio-system", timeout=120)
    mesh.wait_for("{.data}", "configmap", "istio-ca-root-cert", "-n", "default", timeout=120)
    log = mesh.kubectl("logs", "deploy/istiod", "-n", "istio-system")
    assert "forbidden" not in log.lower()
    metrics = mesh.kubectl("get", "--raw", "/metrics")
    refused = [line for line in metrics.splitlines() if 'code="403"' in line]
    assert refused == []
    mesh.kubectl("delete", "pod", "web", "-n", "shop", "--grace-period=1", timeout=250)
    mesh.kubectl("delete", "namespace", "shop", timeout=250)


def test_verify_install(mesh: LocalMesh) -> None:
    assert "objects are ready" in mesh.command("verify-install")
    assert "as described and ready" in mesh.command("verify-install", *_MINIMAL)
    other = mesh.try_command("verify-install", "--set", "profile=demo")
    assert other.returncode == 1
    assert "Deployment istio-system/istio-ingressgateway: is not there" in other.stderr


def test_installing_again_changes_nothing(mesh: LocalMesh) -> None:
    versions = _versions(mesh)
    assert "Everything was as described already." in mesh.install(*_MINIMAL)
    after = _versions(mesh)
    # Of a Deployment controllers report now and then.
    changed = {name for name in versions if versions[name] != after.get(name) and not name.startswith("Deployment")}
    assert changed == set()
    assert after.keys() == versions.keys()


def test_fields_of_others_are_not_taken_over_unasked(mesh: LocalMesh) -> None:
    patch = '{"spec": {"replicas": 2}}'
    mesh.kubectl("patch", "deployment", "istiod", "-n", "istio-system", "-p", patch, "--field-manager=somebody")
    refused = mesh.try_command("install", *_MINIMAL, "-y")
    assert refused.returncode == 1
    assert ".spec.replicas" in refused.stderr
    assert "somebody" in refused.stderr
    assert "--force" in refused.stderr
    mesh.install(*_MINIMAL, "--force")
    assert _deployment(mesh, "istiod")["spec"]["replicas"] == 1


def test_an_upgrade_changes_what_is_said_and_removes_what_is_not_said_any_more(mesh: LocalMesh) -> None:
    mesh.kubectl(
        "label", "deployment", "istiod", "-n", "istio-system", "operator.istio.io/version=0.0.9", "--overwrite"
    )
    said = mesh.command(
        "upgrade", *_MINIMAL, "--set", "values.global.defaultPodDisruptionBudget.enabled=false", "-y", "--force",
        "--set", "values.pilot.env.PILOT_DEBOUNCE_AFTER=50ms",
    )  # fmt: skip
    assert "from version 0.0.9 to" in said
    assert "PodDisruptionBudget istio-system/istiod is no longer part of the installation: removed" in said
    [container] = _deployment(mesh, "istiod")["spec"]["template"]["spec"]["containers"]
    assert {"name": "PILOT_DEBOUNCE_AFTER", "value": "50ms"} in container["env"]
    assert mesh.try_kubectl("get", "pdb", "istiod", "-n", "istio-system").returncode == 1


def test_a_downgrade_is_refused(mesh: LocalMesh) -> None:
    mesh.kubectl(
        "label", "deployment", "istiod", "-n", "istio-system", "operator.istio.io/version=9.0.0", "--overwrite"
    )
    refused = mesh.try_command("upgrade", *_MINIMAL, "-y")
    assert refused.returncode == 1
    assert "is older than 9.0.0" in refused.stderr
    mesh.install(*_MINIMAL, "--force")


def test_what_does_not_get_ready_is_explained(mesh: LocalMesh) -> None:
    def failed_pull() -> subprocess.CompletedProcess[str] | None:
        failed = mesh.try_command(
            "install", *_MINIMAL, "--set", "hub=example.org/nowhere", "--set", "values.pilot.image=none",
            "--readiness-timeout", "8s", "-y",
        )  # fmt: skip
        return failed if "ErrImagePull" in failed.stderr else None

    # On a slow machine the first time is over before anybody has tried to pull.
    failed = mesh.until(failed_pull, "an installation that fails for its image")
    assert failed is not None
    assert failed.returncode == 1
    for text in ("not ready within 8 s", "ErrImagePull", "check --set hub=", "kubectl describe pods"):
        assert text in failed.stderr, failed.stderr
    assert "Traceback" not in failed.stderr
    mesh.install(*_MINIMAL)


def test_a_second_revision_beside_the_first(mesh: LocalMesh) -> None:
    first = _versions(mesh)
    said = mesh.install(*_MINIMAL, "--revision", "blue")
    assert "tag default" not in said
    assert _deployment(mesh, "istiod-blue")["status"]["readyReplicas"] == 1
    after = _versions(mesh)
    assert {name for name in first if name not in after} == set()
    assert "MutatingWebhookConfiguration istio-sidecar-injector-blue" in after

    mesh.command("uninstall", "--revision", "blue", "-y")
    assert not [name for name in _versions(mesh) if "blue" in name]
    assert "objects are ready" in mesh.command("verify-install")


def test_uninstall_asks_and_says_what(mesh: LocalMesh) -> None:
    assert "nobody to ask" in mesh.try_command("uninstall", "--purge").stderr
    assert "say what" in mesh.try_command("uninstall", "-y").stderr
    assert "would remove Deployment istio-system/istiod" in mesh.command("uninstall", "--purge", "--dry-run")
    assert "There is nothing of revision green" in mesh.command("uninstall", "--revision", "green", "-y")


def test_purge_leaves_nothing(mesh: LocalMesh, before: set[str]) -> None:
    said = mesh.command("uninstall", "--purge", "-y")
    assert "Namespace istio-system: removed" in said
    assert _objects(mesh) == before


def test_a_named_revision_alone_is_the_default(mesh: LocalMesh, before: set[str]) -> None:
    said = mesh.install(*_MINIMAL, "--revision", "blue")
    assert "tag default" in said
    assert mesh.get("mutatingwebhookconfiguration", "istio-revision-tag-default")["webhooks"]
    assert "Everything was as described already." in mesh.install(*_MINIMAL, "--revision", "blue")
    mesh.command("uninstall", "--purge", "-y")
    assert _objects(mesh) == before


def test_purge_leaves_what_others_have_put_into_the_namespace(mesh: LocalMesh, before: set[str]) -> None:
    mesh.install(*_MINIMAL)
    mesh.kubectl("create", "secret", "generic", "mine", "-n", "istio-system", "--from-literal=a=b")
    said = mesh.command("uninstall", "--purge", "-y")
    assert "Namespace istio-system stays: it has Secret mine" in said
    mesh.kubectl("delete", "namespace", "istio-system", timeout=250)
    mesh.until_gone("namespace/istio-system", timeout=240)
    assert _objects(mesh) == before


def test_what_a_file_describes_is_taken_away_by_it(mesh: LocalMesh, before: set[str], tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text(
        "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec:\n  profile: demo\n"
        "  components:\n    ingressGateways: [{name: internal, namespace: edge, enabled: true}]\n"
    )
    said = mesh.install("-f", str(file), "--verify")
    assert "Ingress gateways: installed (12 created)" in said
    for name, namespace in (("istio-ingressgateway", "istio-system"), ("internal", "edge")):
        found = mesh.get("deployment", name, "-n", namespace)
        assert found["status"]["readyReplicas"] == 1
    mesh.command("uninstall", "-f", str(file), "-y")
    assert mesh.get("deployments", "-A", "-l", "operator.istio.io/component")["items"] == []
    assert mesh.get("crd", "virtualservices.networking.istio.io")
    mesh.command("uninstall", "--purge", "-y")
    assert _objects(mesh) == before
