from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from lateen.identity.fetch import fetch
from lateen.testing.certificates import Authority


class Server:
    def __init__(self, place: Path) -> None:
        self.authority = Authority()
        pair = self.authority.issue("127.0.0.1")
        (place / "chain").write_text(pair.certificate)
        (place / "key").write_text(pair.key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(place / "chain", place / "key")
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        match request.path:
            case "/keys":
                return web.Response(body=b"x" * 300_000)
            case "/large":
                return web.Response(body=b"x" * (1024 * 1024 + 1))
            case "/elsewhere":
                raise web.HTTPFound("/keys")
            case _:
                raise web.HTTPNotFound


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    found = Server(tmp_path)
    application = web.Application()
    application.router.add_get("/{path:.*}", found.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=found.context).start()
    found.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


async def test_a_body_is_fetched_whole(server: Server) -> None:
    context = ssl.create_default_context(cadata=server.authority.root)
    assert await fetch(f"{server.url}/keys", context) == b"x" * 300_000


@pytest.mark.parametrize("path", ["absent", "large", "elsewhere"])
async def test_what_is_no_answer(server: Server, path: str) -> None:
    context = ssl.create_default_context(cadata=server.authority.root)
    with pytest.raises(OSError, match=path):
        await fetch(f"{server.url}/{path}", context)


async def test_whom_nobody_vouches_for_is_not_believed(server: Server) -> None:
    with pytest.raises(OSError, match=r"https://127\.0\.0\.1"):
        await fetch(f"{server.url}/keys")
