"""What the agent answers for a pod: metrics for Prometheus, probes for the kubelet."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

from lateen.testing.local_mesh import LocalMesh


def address(mesh: LocalMesh, namespace: str, selector: str) -> str:
    return str(mesh.get("pod", mesh.pod(namespace, selector), "-n", namespace)["status"]["podIP"])


def get(url: str, method: str = "GET") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_of_envoy_the_application_and_the_agent(bookinfo: LocalMesh) -> None:
    pod = address(bookinfo, "default", "app=productpage")
    bookinfo.exec(
        "default", "deploy/ratings-v1", "ratings", "curl", "-sf", "-o", "/dev/null", "productpage:9080/productpage"
    )

    def merged() -> str:
        text = get(f"http://{pod}:15020/stats/prometheus")[1]
        return text if all(f"\n{each}{{" in text for each in ("istio_requests_total", "request_result_total")) else ""

    text = bookinfo.until(merged, "requests are counted by Envoy and by the application")
    assert "\nistio_request_duration_milliseconds_bucket{" in text
    assert "envoy_istio_" not in text
    assert "\nenvoy_server_live" in text
    assert '\nistio_agent_cert_expiry_seconds{resource_name="default"} ' in text
    status, envoys = get(f"http://{pod}:15090/stats/prometheus")
    assert status == 200
    assert "\nistio_requests_total{" in envoys
    assert "\nrequest_result_total{" not in envoys


def test_others_do_not_end_a_proxy(bookinfo: LocalMesh) -> None:
    pod = address(bookinfo, "default", "app=details")
    for port in (15020, 15021, 15090):
        assert get(f"http://{pod}:{port}/quitquitquit", "POST")[0] in (403, 404)
    assert get(f"http://{pod}:15021/healthz/ready") == (200, "ready\n")


def _deployment(name: str, path: str) -> dict[str, object]:
    port = 8080
    container = {
        "name": name,
        "image": "lateen.dev/examples-httpbin",
        "ports": [{"name": "http", "containerPort": port}],
        "startupProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1, "failureThreshold": 60},
        "livenessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 9},
        "readinessProbe": {"httpGet": {"path": path, "port": "http"}, "periodSeconds": 1},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }


def test_probes_reach_the_application_behind_strict_mutual_tls(mesh: LocalMesh, room: str) -> None:
    strict = {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": "default"},
        "spec": {"mtls": {"mode": "STRICT"}},
    }
    for each in (strict, _deployment("well", "/status/200"), _deployment("ill", "/status/503")):
        mesh.kubectl("apply", "-n", room, "-f", "-", stdin=json.dumps(each))
    mesh.kubectl("rollout", "status", "deployment/well", "-n", room, "--timeout=240s", timeout=250)
    pod = address(mesh, room, "app=ill")

    def refused() -> bool:
        return get(f"http://{pod}:15020/app-health/ill/readyz")[0] == 503

    mesh.until(refused, "the application's own status is passed on")
    mesh.until(lambda: get(f"http://{pod}:15020/app-health/ill/livez")[0] == 200, "it is said to live")
    found = mesh.get("pod", mesh.pod(room, "app=ill"), "-n", room)
    ready = {each["name"]: each["ready"] for each in found["status"]["containerStatuses"]}
    assert ready["ill"] is False
    restarts = {each["name"]: each["restartCount"] for each in found["status"]["containerStatuses"]}
    assert restarts["ill"] == 0
