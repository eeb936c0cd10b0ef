"""Injection as users meet it: labels, annotations, and the reasons that are given."""

from __future__ import annotations

import json

from lateen.testing.local_mesh import LocalMesh


def test_a_pod_of_a_labelled_namespace_gets_a_proxy_and_becomes_ready(mesh: LocalMesh, room: str) -> None:
    mesh.kubectl("run", "web", "-n", room, "--image=nginx", "--port=80")
    mesh.kubectl("wait", "-n", room, "--for=condition=Ready", "pod/web", "--timeout=240s", timeout=250)
    pod = json.loads(mesh.kubectl("get", "pod", "web", "-n", room, "-o", "json"))
    assert [each["name"] for each in pod["spec"]["initContainers"]] == ["istio-init", "istio-proxy"]
    assert mesh.kubectl("exec", "web", "-n", room, "-c", "istio-proxy", "--", "pilot-agent", "request", "GET", "/ready")
    told = mesh.shell(f"istioctl x check-inject web -n {room}")
    assert "Namespace label istio-injection=enabled matches" in told


def test_probes_of_the_application_reach_it_by_its_agent(mesh: LocalMesh, room: str) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}
    spec = {"containers": [{"name": "web", "image": "nginx", "readinessProbe": probe, "livenessProbe": probe}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probed", "namespace": room}, "spec": spec}
    mesh.apply(json.dumps(pod))
    mesh.kubectl("wait", "-n", room, "--for=condition=Ready", "pod/probed", "--timeout=240s", timeout=250)
    found = json.loads(mesh.kubectl("get", "pod", "probed", "-n", room, "-o", "json"))
    web = next(each for each in found["spec"]["containers"] if each["name"] == "web")
    assert web["readinessProbe"]["httpGet"]["path"] == "/app-health/web/readyz"


def test_why_a_pod_is_not_injected_is_told(mesh: LocalMesh, room: str) -> None:
    made = mesh.try_kubectl("run", "off", "-n", room, "--image=nginx", "--annotations=sidecar.istio.io/inject=false")
    assert "Warning: no proxy was injected: the pod has the annotation sidecar.istio.io/inject=false" in made.stderr
    mesh.until(lambda: "NotInjected" in mesh.kubectl("get", "events", "-n", room), "an event")
    assert "preventing injection" in mesh.shell(f"istioctl x check-inject -n {room} -l sidecar.istio.io/inject=false")
    assert "but the pod has the annotation" in mesh.shell(f"istioctl x check-inject off.{room}")


def test_a_wrong_annotation_is_refused_by_name(mesh: LocalMesh, room: str) -> None:
    made = mesh.try_kubectl("run", "bad", "-n", room, "--image=nginx", "--annotations=sidecar.istio.io/proxyCPU=much")
    assert made.returncode != 0
    assert "metadata.annotations[sidecar.istio.io/proxyCPU]: expected a quantity" in made.stderr


def test_a_manifest_that_was_injected_by_hand_runs_too(mesh: LocalMesh) -> None:
    namespace = mesh.namespace()
    mesh.shell(
        f"kubectl create deployment hand --image=nginx -n {namespace} --dry-run=client -o yaml"
        f" | istioctl kube-inject -f - | kubectl apply -f -"
    )
    mesh.kubectl("rollout", "status", "deployment/hand", "-n", namespace, "--timeout=240s", timeout=250)
    pods = json.loads(mesh.kubectl("get", "pods", "-n", namespace, "-o", "json"))["items"]
    assert any(each["name"] == "istio-proxy" for each in pods[0]["spec"]["initContainers"])
    mesh.kubectl("delete", "namespace", namespace, "--wait=false")
