"""Every address is reached by either family, at one port; and nobody takes all places."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from lateen.identity.serving import load_pair
from lateen.testing.certificates import Authority
from lateen.testing.free_port import free_port
from lateen.webhooks.listening import ListeningLimits, listening

FAMILIES = ["127.0.0.1", "[::1]"]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def serving(
    host: str = "127.0.0.1", limits: ListeningLimits | None = None, context: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    async def remote(request: web.Request) -> web.Response:
        return web.Response(text=request.remote or "")

    app = web.Application()
    app.add_routes([web.get("/", remote)])
    runner = web.AppRunner(app)
    await runner.setup()
    assert runner.server is not None
    try:
        async with listening(runner.server, host, free_port(), context, limits) as port:
            yield port
    finally:
        await runner.cleanup()


async def get(port: int, host: str = "127.0.0.1") -> str:
    async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}/") as answer:
        return await answer.text()


async def answers(listen: str) -> dict[str, str]:
    """What clients of each family are seen as; empty for those who do not get through."""
    found = {}
    async with serving(listen) as port:
        for host in FAMILIES:
            try:
                found[host] = await get(port, host)
            except aiohttp.ClientConnectorError:
                found[host] = ""
    return found


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this kernel has no IPv6")
async def test_every_address() -> None:
    assert await answers("::") == {"127.0.0.1": "::ffff:127.0.0.1", "[::1]": "::1"}


async def test_one_address() -> None:
    assert await answers("127.0.0.1") == {"127.0.0.1": "127.0.0.1", "[::1]": ""}


@pytest.mark.parametrize("host", ["::", "127.0.0.1"])
async def test_an_address_that_is_taken(host: str) -> None:
    if ":" in host and not socket.has_dualstack_ipv6():
        pytest.skip("this kernel has no IPv6")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.create_server((host, 0), family=family, dualstack_ipv6=":" in host)
    runner = web.AppRunner(web.Application())
    await runner.setup()
    assert runner.server is not None
    with taken, pytest.raises(OSError, match="in use"):
        async with listening(runner.server, host, taken.getsockname()[1]):
            raise AssertionError("listens")
    await runner.cleanup()


@pytest.mark.parametrize("families", [(socket.AF_INET6, socket.AF_INET), (socket.AF_INET6,)])
async def test_a_name_of_which_one_address_is_of_a_family_that_is_not_there(
    families: tuple[socket.AddressFamily, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    make = socket.create_server

    async def addresses(*_: object, **__: object) -> list[object]:
        places = {socket.AF_INET6: ("::1", 0, 0, 0), socket.AF_INET: ("127.0.0.1", 0)}
        return [(family, socket.SOCK_STREAM, 6, "", places[family]) for family in families]

    def made(address: tuple[str, int], *, family: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return make(address, family=family)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", addresses)
    monkeypatch.setattr(socket, "create_server", made)
    if len(families) == 1:
        with pytest.raises(OSError, match="not supported"):
            async with serving("both"):
                raise AssertionError("listens")
        return
    async with serving("both") as port:
        monkeypatch.undo()
        assert await get(port) == "127.0.0.1"


async def connected(port: int, source: str) -> Connection:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))


async def is_ended(connection: Connection) -> None:
    async with asyncio.timeout(60):
        assert await connection[0].read() == b""


async def is_served(connection: Connection) -> None:
    reader, writer = connection
    writer.write(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(60):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_whoever_has_most_connections_loses_the_oldest() -> None:
    async with serving(limits=ListeningLimits(connections=4)) as port:
        other = await connected(port, "127.0.0.3")
        crowd = [await connected(port, "127.0.0.2") for _ in range(3)]
        await is_served(crowd[2])
        newcomer = await connected(port, "127.0.0.4")
        await is_served(newcomer)
        await is_ended(crowd[0])
        # Of equals it is the first that came.
        another = await connected(port, "127.0.0.2")
        await is_ended(crowd[1])
        for kept in (other, crowd[2], newcomer, another):
            await is_served(kept)
            kept[1].close()
        for gone in crowd[:2]:
            gone[1].close()


async def test_connections_that_have_ended_take_no_place() -> None:
    async with serving(limits=ListeningLimits(connections=2)) as port:
        first = await connected(port, "127.0.0.1")
        await is_served(first)
        for _ in range(5):
            reader, writer = await connected(port, "127.0.0.1")
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            async with asyncio.timeout(60):
                assert (await reader.read()).endswith(b"127.0.0.1")
            writer.close()
        await is_served(first)
        first[1].close()


async def test_a_handshake_has_its_time() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    async with serving(limits=ListeningLimits(handshake=0.1), context=context) as port:
        silent = await connected(port, "127.0.0.1")
        await is_ended(silent)
        silent[1].close()


async def test_a_handshake_holds_up_nobody() -> None:
    authority = Authority("a")
    pair = authority.issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_pair(context, pair.certificate, pair.key)
    async with serving(limits=ListeningLimits(handshake=600), context=context) as port:
        silent = await connected(port, "127.0.0.1")
        trusting = ssl.create_default_context(cadata=authority.root)
        served = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        await is_served(served)
        served[1].close()
        silent[1].close()


async def test_handshakes_that_fail_leave_nothing_behind() -> None:
    def left() -> int:
        return sum(isinstance(each, SSLProtocol) for each in gc.get_objects())

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    gc.collect()
    before = left()
    gc.disable()
    try:
        async with serving(limits=ListeningLimits(connections=2, handshake=0.1), context=context) as port:
            callers = [await connected(port, "127.0.0.1") for _ in range(4)]
            callers[0][1].write(b"this is no TLS")
            for caller in callers:
                await is_ended(caller)
                caller[1].close()
            async with asyncio.timeout(60):
                while left() > before:
                    await asyncio.sleep(0)
    finally:
        gc.enable()


async def test_handshakes_end_with_the_server() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    async with serving(context=context) as port:
        silent = await connected(port, "127.0.0.1")
    await is_ended(silent)
    silent[1].close()
