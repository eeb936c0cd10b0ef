"""The samples in a cluster without a mesh: under our manifests, and under the public ones' names and command lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

SAMPLES = Path(__file__).parents[3] / "samples"
OURS = (
    "bookinfo/platform/kube/bookinfo.yaml",
    "httpbin/httpbin.yaml",
    "curl/curl.yaml",
    "helloworld/helloworld.yaml",
    "tcp-echo/tcp-echo-services.yaml",
    "websockets/app.yaml",
    "grpc-echo/grpc-echo.yaml",
    "httpbin/sample-client/fortio-deploy.yaml",
)


class Samples:
    """A namespace with all samples in it, and a pod of curl to ask from."""

    def __init__(self, cluster: LocalCluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def apply(self, path: Path) -> None:
        self.cluster.kubectl("apply", "-n", self.namespace, "-f", str(path))

    def ready(self) -> None:
        self.cluster.kubectl(
            *("wait", "-n", self.namespace, "--for=condition=Available", "deployment", "--all", "--timeout=120s"),
            timeout=150,
        )

    def run(self, workload: str, container: str, *command: str) -> str:
        return self.cluster.kubectl("exec", "-n", self.namespace, f"deploy/{workload}", "-c", container, "--", *command)

    def curl(self, *arguments: str) -> str:
        return self.run("curl", "curl", "curl", "-sS", "--max-time", "20", *arguments)

    def address(self, app: str) -> str:
        pods = self.cluster.get("pods", "-n", self.namespace, "-l", f"app={app}")["items"]
        return str(next(pod["status"]["podIP"] for pod in pods if "deletionTimestamp" not in pod["metadata"]))


@pytest.fixture(scope="module")
def samples(cluster: LocalCluster) -> Iterator[Samples]:
    namespace = cluster.namespace()
    found = Samples(cluster, namespace)
    for name in OURS:
        found.apply(SAMPLES / name)
    found.apply(Path(__file__).with_name("public_form.yaml"))
    found.ready()
    yield found
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def test_the_bookshop_opens_and_all_versions_of_its_reviews_answer(samples: Samples) -> None:
    title = samples.run("ratings-v1", "ratings", "curl", "-sS", "productpage:9080/productpage")
    assert re.findall("<title>.*</title>", title) == ["<title>Simple Bookstore App</title>"]
    seen: set[str] = set()
    for _ in range(60):
        page = samples.curl("productpage:9080/productpage")
        assert "Error fetching" not in page
        served = re.search(r"Reviews served by: <code>reviews-(v\d)-[\w-]+</code>", page)
        assert served, page
        stars = re.search('class="stars (red|black)"', page)
        assert (served[1], stars and stars[1]) in (("v1", None), ("v2", "black"), ("v3", "red"))
        seen.add(served[1])
        if len(seen) == 3:
            break
    assert seen == {"v1", "v2", "v3"}
    assert json.loads(samples.curl("productpage:9080/api/v1/products/0"))["author"] == "William Shakespeare"
    logs = samples.cluster.kubectl("logs", "-n", samples.namespace, "deploy/details-v1")
    assert "GET /details/0 200" in logs


def test_rolling_out_and_scaling_reviews_loses_no_request(samples: Samples) -> None:
    """Pods that are told to end serve on until nobody asks them any more."""
    n = ("-n", samples.namespace)
    url = "http://productpage:9080/api/v1/products/0/reviews"
    traffic = ("exec", *n, "deploy/fortio-deploy", "-c", "fortio", "--", "traffic", url, "--for", "12", "--qps", "30")
    with samples.cluster.start_kubectl(*traffic) as load:
        samples.cluster.kubectl("rollout", "restart", *n, "deployment/reviews-v1", "deployment/reviews-v2")
        samples.cluster.kubectl("scale", *n, "deployment/reviews-v3", "--replicas=3")
        samples.cluster.kubectl("rollout", "status", *n, "deployment/reviews-v1", "--timeout=60s")
        samples.cluster.kubectl("rollout", "status", *n, "deployment/reviews-v3", "--timeout=60s")
        samples.cluster.kubectl("scale", *n, "deployment/reviews-v3", "--replicas=1")
        out, _ = load.communicate(timeout=60)
    assert load.returncode == 0, out
    assert "unavailable" not in out
    assert "reviews v1" in out


def test_small_servers_answer(samples: Samples) -> None:
    hellos = {samples.curl("helloworld:5000/hello").split(",")[0] for _ in range(20)}
    assert hellos == {"Hello version: v1", "Hello version: v2"}
    told = json.loads(samples.curl("httpbin:8000/headers", "-H", "x-a: 1"))
    assert told["headers"]["X-A"] == ["1"]
    echoes = samples.run("echo-v1", "app", "grpc-echo", "call", "echo:7070", "ahoy", "-n", "2").splitlines()
    assert [re.sub(r"^v[12] echo-v[12]-\S+: ", "", line) for line in echoes] == ["ahoy", "ahoy"]
    line = samples.run("curl", "curl", "sh", "-c", "(echo world; sleep 1) | nc tcp-echo 9000")
    assert line in ("one world\n", "two world\n")
    # curl says that it stopped waiting for what follows the handshake.
    upgrade = "-H 'Upgrade: websocket' -H 'Connection: Upgrade' -H 'Sec-WebSocket-Version: 13'"
    key = "-H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='"
    ask = f"curl -s -i --http1.1 --max-time 1 {upgrade} {key} tornado:8888/ws || true"
    assert samples.run("curl", "curl", "sh", "-c", ask).startswith("HTTP/1.1 101 Switching Protocols")


def test_fortio_is_where_the_tasks_call_it(samples: Samples) -> None:
    load = ("load", "-c", "3", "-qps", "0", "-n", "30", "-loglevel", "Warning", "http://httpbin:8000/get")
    for workload in ("fortio-deploy", "fortio-public"):
        assert "Code 200 : 30 (100.0 %)" in samples.run(workload, "fortio", "/usr/bin/fortio", *load)


def test_what_public_manifests_run_answers(samples: Samples) -> None:
    told = json.loads(samples.curl(f"http://{samples.address('reviews-public')}:9080/reviews/0"))
    assert [each["rating"] for each in told["reviews"]] == [
        {"stars": 5, "color": "red"},
        {"stars": 4, "color": "red"},
    ]
    for app, port in (("httpbin-kong", 8080), ("httpbin-kennethreitz", 80), ("httpbin-go", 8080)):
        url = f"http://{samples.address(app)}:{port}/headers"
        host = json.loads(samples.curl(url, "-H", "Host: bin"))["headers"]["Host"]
        assert host == (["bin"] if app == "httpbin-go" else "bin")
    assert samples.run("curl-public", "curl", "curl", "-sS", "httpbin:8000/status/200") == ""
    address = samples.address("tcp-echo-public")
    assert samples.run("curl", "curl", "sh", "-c", f"echo w | nc {address} 9002") == "one w\n"
