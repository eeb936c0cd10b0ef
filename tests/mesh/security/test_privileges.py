"""What is installed has no privileges, and annotations give none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from lateen.testing.attack_scene import PROXY, Scene
from lateen.testing.local_mesh import REPOSITORY


def test_what_is_installed_has_no_privileges(scene: Scene) -> None:
    look = "for p in /proc/[0-9]*; do echo; cat $p/status; grep ' / ' $p/mounts; done"
    for namespace, target, container in scene.pods():
        told = scene.mesh.exec(namespace, target, container, "sh", "-c", look)
        processes = [dict(re.findall(r"^(\w+):\t(.*)$", each, re.MULTILINE)) for each in told.split("\n\n")]
        names = [each["Name"] for each in processes]
        assert "envoy" in names, f"{target}: {names}"
        for each in processes:
            assert set(each["Uid"].split()) == set(each["Gid"].split()) == {"1337"}, (target, each)
            for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb"):
                assert int(each[f"Cap{kind}"], 16) == 0, (target, kind, each)
            assert each["NoNewPrivs"] == "1"
        assert len(re.findall(r"^\S+ / \S+ ro,", told, re.MULTILINE)) == len(processes), "the root is read-only"
    pod = scene.mesh.get("pod", scene.mesh.pod(scene.guarded, "app=httpbin"), "-n", scene.guarded)
    (init,) = [each for each in pod["spec"]["initContainers"] if each["name"] == "istio-init"]
    assert init["securityContext"]["capabilities"] == {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]}
    assert not init["securityContext"]["privileged"]
    assert not init["securityContext"]["allowPrivilegeEscalation"]
    spec = pod["spec"]
    assert not any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"))
    assert not any("hostPath" in volume for volume in spec["volumes"])


PRIVILEGES: tuple[tuple[str, dict[str, str], str], ...] = (
    ("none", {}, ""),
    ("tproxy", {"sidecar.istio.io/interceptionMode": "TPROXY"}, "NET_ADMIN"),
    ("host", {"sidecar.istio.io/userVolume": '{"h": {"hostPath": {"path": "/"}}}'}, "hostPath"),
    ("overrides", {}, "privileged"),
)


def test_annotations_give_no_privileges_that_pod_security_does_not_see(scene: Scene) -> None:
    """Injection comes before Pod Security, which so judges what is asked for by annotations as well."""
    mesh = scene.mesh
    namespace = mesh.namespace()
    mesh.label_for_injection(namespace)
    mesh.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=baseline")
    for name, asked, refused in PRIVILEGES:
        annotations = {"sidecar.istio.io/interceptionMode": "NONE", **asked}
        containers: list[dict[str, Any]] = [{"name": "app", "image": "nginx"}]
        if name == "overrides":
            own = {
                "name": PROXY,
                "image": "auto",
                "securityContext": {"privileged": True, "allowPrivilegeEscalation": True},
            }
            containers.append(own)
        metadata = {"name": name, "namespace": namespace, "annotations": annotations}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}}
        made = mesh.try_kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
        if refused:
            assert made.returncode != 0, name
            assert "violates PodSecurity" in made.stderr
            assert refused in made.stderr, (name, made.stderr)
        else:
            assert made.returncode == 0, made.stderr
    mesh.kubectl("delete", "namespace", namespace, "--wait=false")


def test_all_that_is_installed_meets_pod_securitys_strictest_level(scene: Scene, tmp_path: Path) -> None:
    """And so do applications that are captured by a CNI plugin; without one `istio-init` needs its two capabilities."""
    mesh = scene.mesh
    namespace = mesh.namespace()
    mesh.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/warn=restricted")
    found = mesh.command("manifest", "generate", "--set", "profile=demo")
    deployments = [each for each in yaml.safe_load_all(found) if each and each["kind"] == "Deployment"]
    assert len(deployments) == 3
    settings = mesh.get("configmap", "istio-sidecar-injector", "-n", "istio-system")["data"]
    values = json.loads(settings["values"])
    files = {
        "injectConfigFile": settings["config"],
        "meshConfigFile": mesh.get("configmap", "istio", "-n", "istio-system")["data"]["mesh"],
    }
    for captured_by_plugin in (True, False):
        values.setdefault("pilot", {})["cni"] = {"enabled": captured_by_plugin}
        options = []
        for name, text in (files | {"valuesFile": json.dumps(values)}).items():
            (tmp_path / name).write_text(text)
            options += [f"--{name}", str(tmp_path / name)]
        made = mesh.command("kube-inject", "-f", str(REPOSITORY / "samples/httpbin/httpbin.yaml"), *options)
        deployment = next(each for each in yaml.safe_load_all(made) if each and each["kind"] == "Deployment")
        template = deployment["spec"]["template"]["spec"]
        template["securityContext"] = {"seccompProfile": {"type": "RuntimeDefault"}}
        deployment["metadata"]["name"] = f"httpbin-{captured_by_plugin}".lower()
        deployments.append(deployment)
    for each in deployments:
        each["metadata"].pop("namespace", None)
        applied = mesh.try_kubectl("apply", "-n", namespace, "--dry-run=server", "-f", "-", stdin=json.dumps(each))
        assert applied.returncode == 0, applied.stderr
        if each["metadata"]["name"] == "httpbin-false":
            assert 'would violate PodSecurity "restricted' in applied.stderr
            assert "istio-proxy" not in applied.stderr
            assert "NET_ADMIN" in applied.stderr
        else:
            assert "would violate" not in applied.stderr, (each["metadata"]["name"], applied.stderr)
    mesh.kubectl("delete", "namespace", namespace, "--wait=false")
