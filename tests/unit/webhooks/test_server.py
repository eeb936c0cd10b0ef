from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from lateen.testing.certificates import Authority
from lateen.webhooks.server import WebhookLimits, WebhookServer

FIRST, SECOND = Authority("first"), Authority("second")
Handler = Callable[[web.Request], Awaitable[web.Response]]


async def echo(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


@contextlib.asynccontextmanager
async def serving(handler: Handler = echo, limits: WebhookLimits | None = None) -> AsyncIterator[WebhookServer]:
    server = WebhookServer("127.0.0.1", 0, [web.post("/inject", handler)], limits)
    pair = FIRST.issue("127.0.0.1")
    server.take(pair.certificate, pair.key)
    async with server:
        yield server


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.root)


async def post(server: WebhookServer, body: bytes = b"x", authority: Authority = FIRST) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"https://127.0.0.1:{server.port}/inject", data=body, ssl=trusting(authority)) as answer,
    ):
        return answer.status, await answer.text()


async def test_another_certificate_is_shown_to_new_connections_and_ends_none() -> None:
    async with serving() as server, aiohttp.ClientSession() as session:
        url, context = f"https://127.0.0.1:{server.port}/inject", trusting(FIRST)
        async with session.post(url, data=b"12", ssl=context) as answer:
            assert await answer.text() == "2"
        pair = SECOND.issue("127.0.0.1")
        server.take(pair.certificate, pair.key)
        assert await post(server, authority=SECOND) == (200, "1")
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await post(server, authority=FIRST)
        # The connection of before goes on.
        async with session.post(url, data=b"123", ssl=context) as answer:
            assert await answer.text() == "3"


async def test_without_a_certificate_no_handshake_succeeds() -> None:
    async with WebhookServer("127.0.0.1", 0, []) as server:
        with pytest.raises(aiohttp.ClientError):
            await post(server)


async def test_what_is_too_large_is_refused() -> None:
    async with serving(limits=WebhookLimits(largest=1000)) as server:
        assert (await post(server, b"x" * 1000))[0] == 200
        assert (await post(server, b"x" * 1001))[0] == 413


async def test_what_takes_too_long_is_answered() -> None:
    async def never(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(never, WebhookLimits(seconds=0.1, at_once=1)) as server:
        # Those that wait for their turn are answered in the same time.
        assert [status for status, _ in await asyncio.gather(*(post(server) for _ in range(3)))] == [503] * 3


async def test_what_is_nested_too_deeply_is_refused_in_a_word(caplog: pytest.LogCaptureFixture) -> None:
    def down(value: list[object]) -> list[object]:
        return [down(value)]

    async def deep(request: web.Request) -> web.Response:
        return web.json_response(down([]))

    async with serving(deep) as server:
        assert await post(server) == (400, "the body is nested too deeply\n")
    # What else this process has left behind is told by asyncio, whenever it is found.
    assert not [each for each in caplog.records if each.name != "asyncio"], "a log that anybody can fill"


async def test_who_sends_slowly_keeps_nobody_from_being_answered() -> None:
    async with serving(limits=WebhookLimits(largest=100, held_of_one=300, at_once=1)) as server:
        slow = []
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusting(FIRST))
            writer.write(b"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx")
            await writer.drain()
            slow.append((reader, writer))
        assert (await post(server))[0] == 200
        for _, writer in slow:
            writer.close()


async def test_who_keeps_the_server_busy_keeps_nobody_else_from_being_answered() -> None:
    gate, inside = asyncio.Event(), 0

    async def slow_for_one(request: web.Request) -> web.Response:
        nonlocal inside
        if request.remote == "127.0.0.2":
            inside += 1
            await gate.wait()
        return web.Response(text="done")

    url = "https://127.0.0.1:{}/inject"
    async with serving(slow_for_one, WebhookLimits(at_once=4, seconds=600)) as server:
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0), ssl=trusting(FIRST))
        async with aiohttp.ClientSession(connector=connector) as session:
            busy = [asyncio.create_task(session.post(url.format(server.port), data=b"x")) for _ in range(8)]
            async with asyncio.timeout(60):
                while not inside:
                    await asyncio.sleep(0)
            assert await post(server) == (200, "done")
            assert inside <= 2
            gate.set()
            assert [answer.status for answer in await asyncio.gather(*busy)] == [200] * 8


async def test_what_is_held_is_bounded() -> None:
    gate, most, inside = asyncio.Event(), 0, 0

    async def counted(request: web.Request) -> web.Response:
        nonlocal most, inside
        inside += 1
        most = max(most, inside)
        await gate.wait()
        inside -= 1
        return web.Response()

    async with serving(counted, WebhookLimits(largest=100, held_of_one=250)) as server:
        asking = [asyncio.create_task(post(server, b"x" * 100)) for _ in range(6)]
        async with asyncio.timeout(60):
            while inside < 2:
                await asyncio.sleep(0.001)
        gate.set()
        assert [status for status, _ in await asyncio.gather(*asking)] == [200] * 6
        assert most == 2


@pytest.mark.parametrize("begun", [b"", b"POST /inject HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_who_never_finishes_a_request_loses_the_connection(begun: bytes) -> None:
    async with serving(limits=WebhookLimits(idle=0.1)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusting(FIRST))
        writer.write(begun)
        # A busy machine may have written too late.
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(60):
                assert await reader.read() == b""
        writer.close()


async def test_a_fault_of_ours_is_told_without_its_words() -> None:
    async def broken(request: web.Request) -> web.Response:
        raise RuntimeError("secret")

    async with serving(broken) as server:
        status, text = await post(server)
        assert status == 500
        assert "secret" not in text
