from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from lateen.cluster.layout import Layout
from lateen.cluster.node.cgroups import Cgroups
from lateen.cluster.node.serving.access import Access
from lateen.cluster.node.serving.server import application, server_context
from lateen.cluster.node.serving.websocket_streams import V4_BASE64, V5
from lateen.cluster.node.statistics import Statistics
from lateen.cluster.node.tracked import Tracked
from lateen.cluster.objects import GVR, Obj
from lateen.cluster.pki.create import create_pki
from lateen.cluster.pki.paths import PairPath, PkiPaths
from lateen.cluster.status import not_found


class _Input:
    def __init__(self, process: EchoProcess) -> None:
        self._process = process

    def write(self, data: bytes) -> None:
        self._process.stdout.feed_data(data)

    async def drain(self) -> None:
        return None

    def close(self) -> None:
        self._process.end()


class EchoProcess:
    """Gives its input back."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()
        self.stdout = asyncio.StreamReader()
        self.stderr = None
        self.stdin = _Input(self)

    def end(self) -> None:
        if not self._ended.is_set():
            self.stdout.feed_eof()
            self._ended.set()

    async def resize(self, columns: int, rows: int) -> None:
        self.stdout.feed_data(f"{columns}x{rows}".encode())
        self.end()

    async def close(self) -> None:
        self.end()

    async def wait(self) -> int:
        await self._ended.wait()
        return 4


class EchoRuntime:
    def pods(self) -> list[Obj]:
        return [{"metadata": {"name": "p"}}]

    def find_pod(self, namespace: str, pod: str, uid: str = "") -> Obj:
        if pod != "p":
            raise not_found("", "pods", pod)
        return {}

    async def exec(self, *_names: Any, **_streams: Any) -> Any:
        return EchoProcess()


class Reviews:
    """The API server's answers to reviews: Prometheus may read metrics, others nothing."""

    async def create(self, gvr: GVR, obj: Obj) -> Obj:
        if gvr.plural == "tokenreviews":
            token = obj["spec"]["token"]
            known = token in ("prometheus", "other")
            return {"status": {"authenticated": known, "user": {"username": token, "groups": ["g"]}}}
        spec = obj["spec"]
        attributes = {"verb": "get", "version": "v1", "resource": "nodes", "subresource": "metrics", "name": "node-1"}
        return {"status": {"allowed": spec["user"] == "prometheus" and spec["resourceAttributes"] == attributes}}


POD = {"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": {}}
RUNNING = Tracked({"name": "c", "image": "i"}, "main", 0, {"id": "x", "state": "running", "started_at": 1.0})


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> PkiPaths:
    layout = Layout("serving", 62, tmp_path_factory.mktemp("cluster"))
    for directory in (layout.pki, layout.kubeconfigs):
        directory.mkdir()
    create_pki(layout, 1)
    return PkiPaths(layout)


@pytest.fixture
async def url(paths: PkiPaths) -> AsyncIterator[str]:
    access = Access(cast(Any, Reviews()), "node-1")
    statistics = Statistics("node-1", Cgroups("node-1", "", "0::/"), lambda: [(POD, [RUNNING])])
    runner = web.AppRunner(application(cast(Any, EchoRuntime()), access, statistics), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context(paths, 1)).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def session(paths: PkiPaths, pair: PairPath | None) -> aiohttp.ClientSession:
    context = ssl.create_default_context(cafile=str(paths.ca.certificate))
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))


@pytest.mark.parametrize(
    ("path", "subresource"),
    [
        ("/healthz", "proxy"),
        ("/pods", "proxy"),
        ("/exec/n/p/c?command=sh&output=1", "proxy"),
        ("/portForward/n/p", "proxy"),
        ("/stats/summary", "stats"),
        ("/metrics", "metrics"),
        ("/metrics/resource", "metrics"),
    ],
)
async def test_others_need_the_clusters_leave(paths: PkiPaths, url: str, path: str, subresource: str) -> None:
    async with session(paths, None) as anonymous:
        for headers in ({}, {"Authorization": "Basic x"}, {"Authorization": "Bearer forged"}):
            async with anonymous.get(url + path, headers=headers) as answer:
                assert answer.status == 401
        async with anonymous.get(url + path, headers={"Authorization": "Bearer other"}) as answer:
            message = f"Forbidden (user=other, verb=get, resource=nodes, subresource={subresource})"
            assert (answer.status, (await answer.json())["message"]) == (403, message)
    async with session(paths, paths.client("controllers")) as user, user.get(url + path) as answer:
        assert answer.status == 403


async def test_metrics_by_token(paths: PkiPaths, url: str) -> None:
    headers = {"Authorization": "Bearer prometheus"}
    async with session(paths, None) as scraper:
        async with scraper.get(url + "/metrics/resource", headers=headers) as answer:
            assert answer.content_type == "text/plain"
            text = await answer.text()
        for path in ("/metrics", "/metrics/cadvisor"):
            async with scraper.get(url + path, headers=headers) as answer:
                assert answer.status == 200
        async with scraper.get(url + "/stats/summary", headers=headers) as answer:
            assert answer.status == 403
    assert "# TYPE container_cpu_usage_seconds_total counter\n" in text
    assert 'container_memory_working_set_bytes{container="c",namespace="n",pod="p"} 0 ' in text
    async with session(paths, paths.apiserver_kubelet_client) as api, api.get(url + "/stats/summary") as answer:
        summary = await answer.json()
    assert summary["node"]["memory"]["workingSetBytes"] > 0
    assert [p["podRef"]["name"] for p in summary["pods"]] == ["p"]


async def test_a_certificate_of_another_authority_is_refused(url: str, paths: PkiPaths, tmp_path: Path) -> None:
    layout = Layout("other", 61, tmp_path)
    for directory in (layout.pki, layout.kubeconfigs):
        directory.mkdir()
    create_pki(layout, 1)
    async with session(paths, PkiPaths(layout).apiserver_kubelet_client) as stranger:
        with pytest.raises(aiohttp.ClientError):
            await stranger.get(url + "/healthz")


async def test_pods_and_errors(paths: PkiPaths, url: str) -> None:
    async with session(paths, paths.apiserver_kubelet_client) as api:
        async with api.get(url + "/pods") as answer:
            assert [p["metadata"]["name"] for p in (await answer.json())["items"]] == ["p"]
        async with api.post(url + "/exec/n/none/c?command=sh&output=1") as answer:
            assert (answer.status, (await answer.json())["reason"]) == (404, "NotFound")
        for path, message in (
            ("/exec/n/p/c?output=1", "you must specify a command"),
            ("/exec/n/p/c?command=sh", "you must specify at least 1 of stdin, stdout, stderr"),
            ("/exec/n/p/c?command=sh&output=1", "Upgrade request required"),
        ):
            async with api.post(url + path) as answer:
                assert (answer.status, (await answer.json())["message"]) == (400, message)


async def test_the_close_channel_ends_stdin(paths: PkiPaths, url: str) -> None:
    async with session(paths, paths.apiserver_kubelet_client) as api:
        target = url + "/exec/n/p/c?command=cat&input=1&output=1"
        async with api.ws_connect(target, protocols=("v9.unknown", V5)) as socket:
            assert socket.protocol == V5
            await socket.send_bytes(b"\x00hello")
            await socket.send_bytes(b"\xff\x00")
            received = [bytes(m.data) async for m in socket]
    assert received[:2] == [b"\x01", b"\x01hello"]
    assert received[2][:1] == b"\x03"
    assert b'"NonZeroExitCode"' in received[2]
    assert b'"message": "4"' in received[2]


async def test_base64_and_resize(paths: PkiPaths, url: str) -> None:
    async with session(paths, paths.apiserver_kubelet_client) as api:
        target = url + "/exec/n/p/c?command=cat&input=1&output=1&tty=1"
        async with api.ws_connect(target, protocols=(V4_BASE64,)) as socket:
            size = base64.b64encode(b'{"Width":80,"Height":24}\n').decode()
            await socket.send_str("4" + size)
            received = [m.data async for m in socket]
    assert received[1] == "1" + base64.b64encode(b"80x24").decode()


async def test_without_a_protocol_the_oldest_is_meant(paths: PkiPaths, url: str) -> None:
    target = url + "/exec/n/p/c?command=cat&input=1&output=1&tty=1"
    async with session(paths, paths.apiserver_kubelet_client) as api, api.ws_connect(target) as socket:
        await socket.send_bytes(b'\x04{"Width":80,"Height":24}\n')
        received = [bytes(m.data) async for m in socket]
    assert received[:2] == [b"\x01", b"\x0180x24"]
    assert received[-1] == b"\x03command terminated with non-zero exit code: exit status 4"


async def test_an_unknown_protocol_is_refused(paths: PkiPaths, url: str) -> None:
    async with session(paths, paths.apiserver_kubelet_client) as api:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await api.ws_connect(url + "/exec/n/p/c?command=cat&output=1", protocols=("v1.unknown",))
        assert caught.value.status == 400
        headers = {"Upgrade": "SPDY/3.1", "Connection": "Upgrade", "X-Stream-Protocol-Version": "v0"}
        async with api.post(url + "/exec/n/p/c?command=cat&output=1", headers=headers) as answer:
            assert answer.status == 403
