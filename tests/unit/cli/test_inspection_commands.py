"""The commands about proxies, end to end: a stand-in for the Kubernetes API, and for what pods answer."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from lateen.cli.leading_options import moved
from lateen.cli.main import main
from lateen.testing.fake_pods import FakePods


class Pods:
    """Runs in a thread of its own: commands have event loops of theirs."""

    def __init__(self, directory: Path) -> None:
        self.pods = FakePods()
        self.kubeconfig = directory / "kubeconfig"
        self.asked: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    def __enter__(self) -> Pods:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)
        self._loop.close()

    async def _run(self) -> None:
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(self.pods.serving())
            FakePods.kubeconfig(self.kubeconfig, url, "shop")
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", self._answer)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = runner.addresses[0][1]
            self.pods.put_pod("web-1", "shop", labels={"app": "web"}, ports={15000: port})
            self.pods.put_pod("web-2", "shop", labels={"app": "web"}, ports={15000: port})
            labels = {"app": "istiod"}
            self.pods.put_pod("istiod-1", "istio-system", labels=labels, init_containers=(), ports={15014: port})
            self._started.set()
            await self._ended.wait()

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path_qs}")
        cluster = {"name": "outbound|80||web", "type": "EDS"}
        dump = {
            "configs": [
                {"@type": "x/envoy.admin.v3.ClustersConfigDump", "dynamic_active_clusters": [{"cluster": cluster}]}
            ]
        }
        status = {"proxy": "web-1.shop", "cluster_id": "Kubernetes", "istio_version": "9", "cluster_sent": "1"}
        pages: dict[str, Any] = {"/config_dump": dump, "/debug/syncz": [status], "/debug/config_dump": dump}
        if request.path in pages:
            return web.json_response(pages[request.path])
        return web.Response(text={"/version": "9\n", "/logging": "active loggers:\n"}.get(request.path, "?"))

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--kubeconfig", str(self.kubeconfig)])


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    with Pods(tmp_path_factory.mktemp("pods")) as found:
        yield found


def test_version(pods: Pods) -> None:
    lines = pods.run("version").stdout.splitlines()
    assert lines[1:] == ["control plane version: 9", "data plane version: 9 (1 proxies)"]
    assert json.loads(pods.run("version", "-o", "json").stdout)["dataPlaneVersion"] == [
        {"ID": "web-1.shop", "IstioVersion": "9"}
    ]
    assert "proxy web-1.shop: 9" in pods.run("version", "--long").stdout
    assert len(pods.run("version", "--no-remote").stdout.splitlines()) == 1


def test_version_without_a_control_plane_says_so_and_is_of_this_program(pods: Pods) -> None:
    found = pods.run("version", "-i", "elsewhere")
    assert found.exit_code == 0
    assert found.stdout.startswith("client version: ")
    assert "no control plane runs in namespace elsewhere" in found.stderr


def test_proxy_status(pods: Pods) -> None:
    assert pods.run("ps").stdout.splitlines()[1].split() == [
        "web-1.shop", "Kubernetes", "istiod-1", "9", "1", "(CDS),", "STALE:", "CDS",
    ]  # fmt: skip
    assert len(pods.run("proxy-status", "-n", "other").stdout.splitlines()) == 1
    (found,) = json.loads(pods.run("ps", "-o", "json").stdout)
    assert found["types"]["CDS"] == "STALE (Never Acknowledged)"
    assert pods.run("ps", "web-1").stdout == "Clusters Match\nListeners Match\nRoutes Match\n"
    assert pods.run("ps", "web-1", "-o", "json").exit_code == 2


@pytest.mark.parametrize("before", [("-n", "shop"), ("--namespace=shop",), ()])
def test_proxy_config_of_a_pod(pods: Pods, before: tuple[str, ...]) -> None:
    rows = pods.run(*before, "pc", "c", "web-1").stdout.splitlines()
    assert rows[1].split() == ["web", "80", "-", "outbound", "EDS"]
    assert pods.run("pc", *before, "clusters", "web-1").stdout.splitlines() == rows


def test_a_choice_of_pod_or_file(pods: Pods) -> None:
    assert pods.run("pc", "c").exit_code == 2
    assert pods.run("pc", "c", "web-1", "-f", "x").exit_code == 2


def test_log(pods: Pods) -> None:
    pods.asked.clear()
    found = pods.run("pc", "log", "-l", "app=web", "--level", "info,http:debug,a::rbac=warn")
    assert found.stdout == "web-1.shop:\nactive loggers:\nweb-2.shop:\nactive loggers:\n"
    assert pods.asked[:3] == [
        "POST /logging?level=info", "POST /logging?http=debug", "POST /logging?rbac=warning",
    ]  # fmt: skip
    pods.asked.clear()
    pods.run("pc", "log", "web-1", "--reset")
    assert pods.asked == ["POST /logging?level=warning"]
    values = {"global": {"proxy": {"logLevel": "error"}}}
    pods.pods.put("ConfigMap", "istio-sidecar-injector", "istio-system", data={"values": json.dumps(values)})
    pods.asked.clear()
    pods.run("pc", "log", "web-1", "-r")
    assert pods.asked == ["POST /logging?level=error"]


@pytest.mark.parametrize(
    "arguments",
    [(), ("web-1", "-l", "app=web"), ("web-1", "-r", "--level", "info"), ("web-1", "--level", "loud"),
     ("web-1", "--level", "a b:info")],
)  # fmt: skip
def test_log_refuses_what_makes_no_sense(pods: Pods, arguments: tuple[str, ...]) -> None:
    assert pods.run("pc", "log", *arguments).exit_code == 2


def test_what_this_machine_lacks_is_not_blamed_on_the_cluster(pods: Pods, tmp_path: Path) -> None:
    found = pods.run("ps", "web-1", "--file", str(tmp_path / "absent"))
    assert found.exit_code == 1
    assert "No such file" in found.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = pods.run("dashboard", "envoy", "web-1", "--port", str(port))
    assert found.exit_code == 1
    assert "address already in use" in found.stderr
    assert "API server" not in found.stderr


def test_an_api_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    config = FakePods.kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    found = CliRunner().invoke(main, ["ps", "--kubeconfig", str(config)])
    assert found.exit_code == 1
    assert "the API server at http://127.0.0.1:1 does not answer" in found.stderr


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("-n a pc c b", "pc c b -n a"),
        ("--context=x -i y ps", "ps --context=x -i y"),
        ("ps -n a", "ps -n a"),
        ("-n a pc c -- b", "pc c -n a -- b"),
        ("--help", "--help"),
        ("-n", "-n"),
        ("-n a", "-n a"),
    ],
)
def test_locating_options_may_come_first(given: str, found: str) -> None:
    assert " ".join(moved(given.split())) == found
