"""What can be reached without a proxy, and how much is listened to there."""

from __future__ import annotations

import sys

from lateen.testing.attack_scene import ISTIOD, TOKEN, Scene


def test_a_pod_without_a_proxy_reaches_what_is_meant_for_it_alone(scene: Scene) -> None:
    pod, control = scene.address("httpbin"), scene.mesh.pod("istio-system", "app=istiod")
    istiod = scene.mesh.get("pod", control, "-n", "istio-system")["status"]["podIP"]
    wanted: dict[str, set[int]] = {
        f"GET http://httpbin.{scene.guarded}:8000/get": {0},
        f"GET http://{pod}:8080/get": {0},
        # Straight to where captured traffic goes, and to where it comes from.
        f"GET http://{pod}:15006/get": {0},
        f"GET http://{pod}:15001/get": {0},
        f"GET http://{pod}:15008/get": {0},
        f"GET http://{pod}:15053/": {0},
        f"GET http://{pod}:15000/config_dump": {0},
        f"POST http://{pod}:15000/quitquitquit": {0},
        f"POST http://{pod}:15020/quitquitquit": {403},
        f"POST http://{pod}:15020/drain": {403},
        f"GET http://{pod}:15020/config_dump": {404},
        f"POST http://{pod}:15021/quitquitquit": {404},
        f"POST http://{pod}:15021/healthz/ready/../../quitquitquit": {400, 404},
        f"POST http://{pod}:15090/stats/prometheus/../../../quitquitquit": {400, 404},
        # What is meant for kubelets and Prometheus.
        f"GET http://{pod}:15021/healthz/ready": {200},
        f"GET http://{pod}:15020/stats/prometheus": {200},
        f"GET http://{pod}:15090/stats/prometheus": {200},
        f"GET http://{istiod}:8080/ready": {200},
        f"GET http://{istiod}:15014/metrics": {200},
        **{
            f"GET http://{istiod}:{port}/debug/{page}": {401}
            for port in (8080, 15014)
            for page in ("syncz", "configz", "list")
        },
        f"GET https://{istiod}:15012/debug/syncz": {404},
        f"GET https://{istiod}:15012/v1/certificates": {405},
        f"GET https://{istiod}:15017/debug/syncz": {404},
        f"GET https://{istiod}:15017/metrics": {404},
    }
    tries = [dict(zip(("method", "url"), each.split(" "), strict=True)) for each in wanted]
    for what, answer in zip(
        wanted, scene.attempts(scene.outside, *({"try": "http", **each} for each in tries)), strict=True
    ):
        assert answer["status"] in wanted[what], (what, answer)
    # Those who may: a token of the control plane's own namespace.
    page = {"try": "http", "url": f"http://{istiod}:15014/debug/syncz"}
    tokens = [scene.read("httpbin", TOKEN), scene.mesh.token("istiod", "istio-system", audiences=["istio-ca"])]
    shown = [{**page, "headers": {"authorization": f"Bearer {token}"}} for token in tokens]
    assert [each["status"] for each in scene.attempts(scene.outside, *shown)] == [401, 200]


def test_webhooks_refuse_what_is_too_large_or_too_deep(scene: Scene) -> None:
    json_body = {"content-type": "application/json"}
    tries = [
        {"try": "http", "method": "POST", "url": f"https://{ISTIOD}:443{path}", "headers": json_body, "size": size}
        for path in ("/inject", "/validate")
        for size in (9_000_000, 5_000_000, 1_000)
    ]
    for each, answer in zip(tries, scene.attempts(scene.outside, *tries), strict=True):
        assert answer["status"] in ({413, 0} if each["size"] == 9_000_000 else {400}), (each, answer)
    told = scene.mesh.kubectl("logs", "-n", "istio-system", "deploy/istiod", "--since=20s")
    assert "Traceback" not in told


ELSEWHERE = """
apiVersion: v1
kind: Pod
metadata: {name: port-%d}
spec:
  containers:
  - name: app
    image: python
    command: [%s, -m, http.server, "%d"]
"""


def test_ports_that_no_service_names_are_guarded_but_the_tunnels_is_not(scene: Scene) -> None:
    """15008 is left to HBONE, as in Istio: docs/security.md warns of it."""
    mesh, ports = scene.mesh, (9999, 15008)
    mesh.apply("---".join(ELSEWHERE % (port, sys.executable, port) for port in ports), "-n", scene.guarded)
    for port in ports:
        pod = f"port-{port}"
        mesh.kubectl("wait", "-n", scene.guarded, "--for=condition=Ready", f"pod/{pod}", "--timeout=60s")
        retry = ("--retry-connrefused", "--retry", "9", "--retry-delay", "1")
        own = mesh.exec(scene.guarded, pod, "app", "curl", "-s", *retry, f"127.0.0.1:{port}")
        assert "Directory listing" in own, "the application itself is there"
        address = mesh.get("pod", pod, "-n", scene.guarded)["status"]["podIP"]
        # Plain text from inside of the mesh, too: what no service names is passed on as it is.
        for namespace in (scene.guarded, scene.outside):
            (answer,) = scene.attempts(namespace, {"try": "http", "url": f"http://{address}:{port}/"})
            assert answer["status"] == {9999: 0, 15008: 200}[port], (namespace, port, answer)
