from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from lateen.cluster.apiserver.streaming.proxy import ProxyName, parse_proxy_name
from lateen.cluster.status import StatusError

if TYPE_CHECKING:
    from conftest import Cluster


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", ProxyName("http", "a", "")),
        ("a:80", ProxyName("http", "a", "80")),
        ("https:a:web", ProxyName("https", "a", "web")),
        (":a:", ProxyName("http", "a", "")),
    ],
)
def test_names(text: str, expected: ProxyName) -> None:
    assert parse_proxy_name(text) == expected


@pytest.mark.parametrize("text", ["ftp:a:1", "a:b:c:d"])
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(StatusError):
        parse_proxy_name(text)


@pytest.fixture
async def app_port() -> AsyncIterator[int]:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/socket":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            async for message in socket:
                await socket.send_str(message.data.upper())
            return socket
        seen = {"path": request.raw_path, "body": await request.text(), "secret": request.headers.get("Authorization")}
        return web.json_response(seen, status=418)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.fixture
async def session(cluster: Cluster) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=cluster.tls())
    async with aiohttp.ClientSession(cluster.url, connector=connector) as opened:
        yield opened


async def test_pod(session: aiohttp.ClientSession, app_port: int) -> None:
    path = f"/api/v1/namespaces/default/pods/web:{app_port}/proxy/a%2Fb/c?x=1"
    async with session.put(path, data="body", headers={"X-Own": "1"}) as answer:
        assert answer.status == 418
        assert await answer.json() == {"path": "/a%2Fb/c?x=1", "body": "body", "secret": None}


async def test_upgrade(session: aiohttp.ClientSession, app_port: int) -> None:
    async with session.ws_connect(f"/api/v1/namespaces/default/pods/web:{app_port}/proxy/socket") as socket:
        await socket.send_str("hello")
        assert await socket.receive_str() == "HELLO"


async def test_service(cluster: Cluster, session: aiohttp.ClientSession, app_port: int) -> None:
    def named(kind: str, name: str, **content: Any) -> dict[str, Any]:
        labels = {"kubernetes.io/service-name": "svc"}
        return {"kind": kind, "metadata": {"name": name, "namespace": "default", "labels": labels}, **content}

    ports = [{"name": "http", "port": 80}]
    await cluster.store.create(("", "services"), named("Service", "svc", apiVersion="v1", spec={"ports": ports}))
    path = "/api/v1/namespaces/default/services/svc:http/proxy/"
    async with session.get(path) as answer:
        assert answer.status == 503
        assert (await answer.json())["message"] == 'no endpoints available for service "svc:http"'
    endpoints = [
        {"addresses": ["192.0.2.1"], "conditions": {"ready": False}},
        {"addresses": ["127.0.0.1"], "conditions": {"ready": True}},
    ]
    slice_ = named(
        "EndpointSlice",
        "svc-1",
        apiVersion="discovery.k8s.io/v1",
        ports=[{"name": "http", "port": app_port}],
        endpoints=endpoints,
    )
    await cluster.store.create(("discovery.k8s.io", "endpointslices"), slice_)
    async with session.get(path) as answer:
        assert (await answer.json())["path"] == "/"


async def test_node(session: aiohttp.ClientSession) -> None:
    async with session.get("/api/v1/nodes/n1/proxy/healthz") as answer:
        assert await answer.text() == "ok"
    async with session.get("/api/v1/nodes/n1/proxy", allow_redirects=False) as answer:
        assert answer.status == 301
        assert answer.headers["Location"] == "/api/v1/nodes/n1/proxy/"


async def test_nothing_to_dial(session: aiohttp.ClientSession) -> None:
    unused = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = unused.sockets[0].getsockname()[1]
    unused.close()
    await unused.wait_closed()
    async with session.get(f"/api/v1/namespaces/default/pods/web:{port}/proxy/") as answer:
        assert answer.status == 503
        assert (await answer.json())["message"].startswith(f"error dialing backend: dial tcp 127.0.0.1:{port}: ")
