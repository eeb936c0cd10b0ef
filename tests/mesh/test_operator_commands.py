"""Operators' commands against a mesh with Bookinfo, as people type them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from lateen import __version__
from lateen.testing.local_mesh import LocalMesh

REVIEWS = "outbound|9080|v2|reviews.default.svc.cluster.local"


def test_versions_of_everything(bookinfo: LocalMesh) -> None:
    lines = bookinfo.shell("istioctl version").splitlines()
    assert lines[:2] == [f"client version: {__version__}", f"control plane version: {__version__}"]
    assert lines[2].startswith(f"data plane version: {__version__} (")
    found = json.loads(bookinfo.shell("istioctl version -o json"))
    names = {each["ID"] for each in found["dataPlaneVersion"]}
    assert f"{bookinfo.pod('default', 'app=productpage')}.default" in names


def test_every_proxy_is_in_sync(bookinfo: LocalMesh) -> None:
    pods = {
        f"{each['metadata']['name']}.default"
        for each in bookinfo.get("pods", "-n", "default")["items"]
        if "deletionTimestamp" not in each["metadata"]
    }

    def synced() -> bool:
        lines = [line.split() for line in bookinfo.shell("istioctl proxy-status -n default").splitlines()[1:]]
        found = {line[0]: line[4:] for line in lines}
        return all(found.get(pod) == ["4", "(CDS,LDS,EDS,RDS)"] for pod in pods)

    bookinfo.until(synced, "every proxy is there, and none has something stale")
    edge = bookinfo.shell("istioctl ps -n istio-system").splitlines()[1:]
    assert all(line.split()[0].endswith(".istio-system") for line in edge)
    header = bookinfo.shell("istioctl ps").splitlines()[0]
    assert header.split() == ["NAME", "CLUSTER", "ISTIOD", "VERSION", "SUBSCRIBED", "TYPES"]


def test_what_was_sent_is_what_envoy_has(bookinfo: LocalMesh) -> None:
    def matches() -> bool:
        said = bookinfo.shell("istioctl proxy-status deploy/productpage-v1")
        return said.startswith("Clusters Match\nListeners Match\nRoutes Match (RDS last loaded at ")

    # Envoy shows listeners that were replaced for as long as they drain.
    bookinfo.until(matches, "what was sent matches")


def test_configuration_of_a_proxy(bookinfo: LocalMesh, tmp_path: Path) -> None:
    pod = bookinfo.pod("default", "app=productpage")
    clusters = json.loads(bookinfo.shell(f"istioctl proxy-config cluster {pod}.default --subset v2 -o json"))
    assert REVIEWS in {each["name"] for each in clusters}
    endpoints = bookinfo.shell(f"istioctl pc endpoints {pod} --cluster '{REVIEWS}'").splitlines()[1:]
    address = bookinfo.get("pod", bookinfo.pod("default", "app=reviews,version=v2"))["status"]["podIP"]
    assert [line.split() for line in endpoints] == [[f"{address}:9080", "HEALTHY", "OK", REVIEWS]]
    assert " Route: 9080\n" in bookinfo.shell(f"istioctl pc listener {pod} --port 9080")
    assert "reviews.default.svc.cluster.local:9080" in bookinfo.shell(f"istioctl pc route {pod} --name 9080")
    secrets = bookinfo.shell("istioctl pc secret svc/productpage").splitlines()[1:]
    assert {tuple(line.split()[:1]) for line in secrets} == {("default",), ("ROOTCA",)}
    assert all(" ACTIVE     true " in line for line in secrets)
    metadata = json.loads(bookinfo.shell(f"istioctl pc bootstrap {pod}"))["bootstrap"]["node"]["metadata"]
    assert metadata["NAME"] == pod
    saved = tmp_path / "dump.json"
    saved.write_text(bookinfo.exec("default", pod, "istio-proxy", "pilot-agent", "request", "GET", "config_dump"))
    asked = f"istioctl pc clusters {pod} --fqdn reviews"
    assert bookinfo.shell(f"istioctl pc clusters --file {saved} --fqdn reviews") == bookinfo.shell(asked)


def test_log_levels(bookinfo: LocalMesh) -> None:
    pod = bookinfo.pod("default", "app=ratings")
    changed = bookinfo.shell(f"istioctl proxy-config log {pod} --level http:debug,rbac:trace")
    assert changed.startswith(f"{pod}.default:\nactive loggers:\n")
    assert {"  http: debug", "  rbac: trace", "  router: warning"} <= set(changed.splitlines())
    reset = bookinfo.shell("istioctl proxy-config log deploy/ratings-v1 --reset")
    assert {"  http: warning", "  rbac: warning"} <= set(reset.splitlines())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            "pc clusters productpage-v1",
            "there is no pod productpage-v1 in namespace default; did you mean productpage-v1-",
        ),
        ("pc clusters deploy/istiod.istio-system", "has no proxy"),
        ("ps -i elsewhere", "no control plane runs in namespace elsewhere"),
        ("pc log deploy/ratings-v1 --level loud", "the level is one of"),
    ],
)
def test_errors_say_what_to_do(bookinfo: LocalMesh, arguments: str, words: str) -> None:
    done = bookinfo.try_command(*arguments.split())
    assert done.returncode != 0
    assert words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "path", "words"),
    [
        (("envoy", "deploy/productpage-v1"), "/ready", b"LIVE"),
        (("istiod-debug",), "/syncz", b'"proxy": "productpage-v1-'),
    ],
)
def test_dashboards_until_interrupted(bookinfo: LocalMesh, arguments: tuple[str, ...], path: str, words: bytes) -> None:
    command = [sys.executable, "-m", "lateen.cli.main", "dashboard", *arguments, "--no-browser"]
    with subprocess.Popen(command, env=bookinfo.environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            for _ in range(2):
                with urllib.request.urlopen(f"{url}{path}", timeout=60) as answer:
                    assert words in answer.read()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()
