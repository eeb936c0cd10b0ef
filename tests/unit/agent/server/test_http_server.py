"""The server against raw bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lateen.agent.log import Log
from lateen.agent.server.http_server import Handler, Limits, listening_socket, serving
from lateen.agent.server.message import MAX_BODY, MAX_HEADERS, Request, Response
from lateen.agent.settings import LogSettings


class Conversation:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer

    def say(self, data: bytes) -> None:
        self._writer.write(data)

    async def hear(self) -> tuple[str, bytes]:
        """First line, and the body that Content-Length announces."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(x.split(": ")[1]) for x in head.split("\r\n") if x.startswith("Content-Length")), 0)
        return head.split("\r\n")[0], await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        return await self.reader.read()

    def end(self) -> None:
        self._writer.close()


async def _echo(request: Request) -> Response:
    if request.path == "/broken":
        raise RuntimeError("a bug")
    return Response(200, f"{request.method} {request.path} {request.query}".encode())


@asynccontextmanager
async def server(handler: Handler = _echo, limits: Limits | None = None) -> AsyncIterator[int]:
    listener = listening_socket("127.0.0.1", 0)
    port: int = listener.getsockname()[1]
    async with serving(listener, handler, Log(LogSettings(level="none")), limits):
        yield port


async def connected(port: int) -> Conversation:
    return Conversation(*await asyncio.open_connection("127.0.0.1", port))


async def told(data: bytes, handler: Handler = _echo, limits: Limits | None = None) -> bytes:
    """All that a server says to `data` until it closes."""
    async with server(handler, limits) as port:
        talk = await connected(port)
        talk.say(data)
        try:
            return await talk.rest()
        finally:
            talk.end()


async def test_a_connection_serves_several_requests_that_may_come_at_once() -> None:
    async with server() as port:
        talk = await connected(port)
        talk.say(b"GET /a?x=1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
        assert await talk.hear() == ("HTTP/1.1 200 OK", b"GET /a x=1")
        assert await talk.hear() == ("HTTP/1.1 200 OK", b"POST /b ")
        talk.say(b"GET /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert await talk.hear() == ("HTTP/1.1 200 OK", b"GET /c ")
        assert await talk.rest() == b""
        talk.end()


async def test_head_is_answered_like_get_without_a_body() -> None:
    said = await told(b"HEAD /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert b"Content-Length: 8\r\n" in said
    assert said.endswith(b"\r\n\r\n")


async def test_http_1_0_ends_with_its_answer() -> None:
    said = await told(b"GET /a HTTP/1.0\r\n\r\n")
    assert said.endswith(b"GET /a ")
    assert b"Connection: close" in said


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET  /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a HTTP/2.0\r\nHost: h\r\n\r\n", 505),
        (b"GET /a HTTP/1.1\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nname : v\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nx: a\x00b\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nx: a\nb: c\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        (f"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: {MAX_BODY + 1}\r\n\r\n".encode(), 413),
        (b"GET /a HTTP/1.1\r\nHost: h\r\n" + b"x: y\r\n" * MAX_HEADERS + b"\r\n", 431),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nx: " + b"y" * 40_000 + b"\r\n\r\n", 431),
    ],
)
async def test_what_is_not_a_proper_request_is_refused_and_the_connection_ended(data: bytes, status: int) -> None:
    said = await told(data)
    assert said.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Connection: close" in said


async def test_a_fault_of_a_page_is_an_answer_and_the_connection_goes_on() -> None:
    async with server() as port:
        talk = await connected(port)
        talk.say(b"GET /broken HTTP/1.1\r\nHost: h\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await talk.hear())[0] == "HTTP/1.1 500 Internal Server Error"
        assert (await talk.hear())[0] == "HTTP/1.1 200 OK"
        talk.end()


async def test_a_request_that_dawdles_is_told_so() -> None:
    said = await told(b"GET /a HTTP/1.1\r\n", limits=Limits(head_time=0.05))
    assert said.startswith(b"HTTP/1.1 408 ")


async def test_an_idle_connection_is_closed() -> None:
    assert await told(b"", limits=Limits(idle_time=0.05)) == b""


async def test_beyond_the_bound_the_oldest_idle_connection_makes_room() -> None:
    async with server(limits=Limits(connections=2)) as port:
        talks = []
        for path in ("a", "b", "c"):
            talk = await connected(port)
            talk.say(f"GET /{path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            assert await talk.hear() == ("HTTP/1.1 200 OK", f"GET /{path} ".encode())
            talks.append(talk)
        assert await talks[0].rest() == b""
        talks[1].say(b"GET /d HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await talks[1].hear() == ("HTTP/1.1 200 OK", b"GET /d ")
        for talk in talks:
            talk.end()


async def test_where_nobody_is_idle_the_newcomer_is_turned_away() -> None:
    busy = asyncio.Event()

    async def slow(request: Request) -> Response:
        busy.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async with server(slow, Limits(connections=1)) as port:
        first = await connected(port)
        first.say(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        await busy.wait()
        second = await connected(port)
        assert await second.rest() == b""
        first.end()
        second.end()


class Counting:
    """A body of many pieces; says when it was ended."""

    def __init__(self, pieces: int) -> None:
        self._pieces = pieces
        self.closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for number in range(self._pieces):
            yield b"%d," % number * 1000

    async def aclose(self) -> None:
        self.closed.set()


@pytest.mark.parametrize(("version", "coded"), [("1.1", True), ("1.0", False)])
async def test_a_streamed_body_arrives_whole(version: str, coded: bool) -> None:
    body = Counting(3)

    async def page(request: Request) -> Response:
        return Response(200, body)

    said = await told(f"GET /a HTTP/{version}\r\nHost: h\r\nConnection: close\r\n\r\n".encode(), page)
    head, _, text = said.partition(b"\r\n\r\n")
    assert (b"Transfer-Encoding: chunked" in head) is coded
    if coded:
        assert text.startswith(b"7d0\r\n0,0,")
        assert text.endswith(b"\r\n0\r\n\r\n")
    else:
        assert text == b"".join(b"%d," % n * 1000 for n in range(3))
    assert body.closed.is_set()


async def test_a_body_that_nobody_wants_any_more_is_ended() -> None:
    body = Counting(1_000_000)

    async def page(request: Request) -> Response:
        return Response(200, body)

    async with server(page) as port:
        talk = await connected(port)
        talk.say(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        await talk.reader.readuntil(b"\r\n\r\n")
        talk.end()
        async with asyncio.timeout(60):
            await body.closed.wait()


async def test_who_does_not_read_is_left() -> None:
    body = Counting(1_000_000)

    async def page(request: Request) -> Response:
        return Response(200, body)

    async with server(page, Limits(write_time=0.05)) as port:
        talk = await connected(port)
        talk.say(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        async with asyncio.timeout(60):
            await body.closed.wait()
        talk.end()


async def test_the_end_of_the_server_ends_connections() -> None:
    async with server() as port:
        talk = await connected(port)
        talk.say(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        await talk.hear()
    assert await talk.rest() == b""
    talk.end()
