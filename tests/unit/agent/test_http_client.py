"""The agent's HTTP client against raw bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lateen.agent.http_client import MAX_HEAD, BadAnswer, Origin, request
from lateen.testing.free_port import free_port


@asynccontextmanager
async def answering(said: bytes, heard: list[bytes] | None = None, host: str = "127.0.0.1") -> AsyncIterator[Origin]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if heard is not None:
            heard.append(head)
        writer.write(said)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, host, 0)
    async with server:
        yield Origin(host, server.sockets[0].getsockname()[1])


async def read(said: bytes, method: str = "GET", limit: int = 1000) -> tuple[int, bytes]:
    async with answering(said) as origin, request(origin, method, "/") as answer:
        return answer.status, await answer.read(limit)


@pytest.mark.parametrize(
    ("said", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", 200, b"abc"),
        (b"HTTP/1.0 200\r\n\r\nto the end", 200, b"to the end"),
        (b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", 503,
         b"abc0123456789"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Same\r\n\r\nignored", 304, b""),
    ],
)  # fmt: skip
async def test_answers_of_every_length(said: bytes, status: int, body: bytes) -> None:
    assert await read(said) == (status, body)


async def test_an_answer_to_head_has_no_body() -> None:
    assert await read(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "HEAD") == (200, b"")


async def test_no_more_is_read_than_asked_for() -> None:
    assert await read(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000, limit=10) == (200, b"x" * 10)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * MAX_HEAD + b"\r\n\r\n",
        b"HTTP/1.1 100 Go on\r\n\r\n" * 20,
    ],
)
async def test_what_is_no_proper_answer_is_refused(said: bytes) -> None:
    with pytest.raises(BadAnswer):
        await read(said)


async def test_what_is_sent() -> None:
    heard: list[bytes] = []
    async with answering(b"HTTP/1.1 200 OK\r\n\r\n", heard) as origin:
        async with request(origin, "POST", "/a?b", (("X-A", "1"),)):
            pass
        async with request(origin, "GET", "/", (("Host", "other"),)):
            pass
        host = f"127.0.0.1:{origin.port}"
    post = f"POST /a?b HTTP/1.1\r\nHost: {host}\r\nX-A: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert heard == [post.encode(), b"GET / HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n"]


async def test_ipv6_and_a_source_that_is_not_there() -> None:
    async with answering(b"HTTP/1.1 200 OK\r\n\r\n", host="::1") as origin:
        assert origin.authority == f"[::1]:{origin.port}"
        async with request(Origin("::1", origin.port, "2001:db8::1"), "GET", "/") as answer:
            assert answer.status == 200


async def test_nobody_listens() -> None:
    with pytest.raises(ConnectionRefusedError):
        async with request(Origin("127.0.0.1", free_port(), "127.0.0.6"), "GET", "/"):
            raise AssertionError
