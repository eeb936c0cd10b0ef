from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from lateen.cluster.node.serving.port_forward import CHANNELS
from lateen.cluster.node.serving.port_forward_request import serve_port_forward


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/", lambda request: serve_port_forward(request, "p", None))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Of a server that answers a line with itself and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.mark.parametrize("protocols", [(CHANNELS,), ()])
async def test_the_socket_ends_with_the_last_connection(url: str, port: int, protocols: tuple[str, ...]) -> None:
    head = port.to_bytes(2, "little")
    ports = [("port", str(port))] * 2
    async with (
        asyncio.timeout(60),
        aiohttp.ClientSession() as http,
        http.ws_connect(url, params=ports, protocols=protocols) as socket,
    ):
        assert socket.protocol == (protocols[0] if protocols else None)
        for channel in (b"\0", b"\2"):
            await socket.send_bytes(channel + b"hello\n")
        received = [bytes(message.data) async for message in socket]
    assert sorted(received) == sorted(
        [b"\0" + head, b"\1" + head, b"\2" + head, b"\3" + head, b"\0hello\n", b"\2hello\n"]
    )


async def test_a_refused_connection_says_why(url: str, port: int) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(url, params={"ports": f"{port},1"}, protocols=(CHANNELS,)) as socket,
    ):
        received = [bytes(await socket.receive_bytes()) for _ in range(5)]
    assert received[-1] == b"\3failed to connect to localhost:1 inside namespace of pod p: connection refused"
