"""A small HTTP/1.1 client: one request a connection, answers read piece by piece, everything bounded.

Time is the caller's to bound: `async with asyncio.timeout(...)`.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ssl

MAX_HEAD: Final = 64 * 1024
"""Bytes of an answer's status line and headers."""
_PIECE: Final = 64 * 1024
_MAX_INTERIM: Final = 8
_MAX_DIGITS: Final = 18
"""Of a length."""

Headers = tuple[tuple[str, str], ...]
"""Names are as they came in requests, in lower case in answers."""


class BadAnswer(OSError):
    """What came is not HTTP/1, or more than is taken."""


@dataclass(frozen=True)
class Origin:
    """Where to connect."""

    host: str
    """An IP address, or a name."""
    port: int
    source: str = ""
    """The address to connect from; empty for any. Left aside where this machine does not have it."""
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    """For TLS: the name to ask for. Empty for none."""

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Answer:
    """An answer whose body has not been read yet."""

    def __init__(self, status: int, headers: Headers, pieces: AsyncIterator[bytes]) -> None:
        self.status = status
        self.headers = headers
        self._pieces = pieces

    def header(self, name: str) -> str:
        """The first of that name (lower case), or nothing."""
        return next((value for found, value in self.headers if found == name), "")

    def pieces(self) -> AsyncIterator[bytes]:
        """The body, once. Raises BadAnswer when it ends too early."""
        return self._pieces

    async def read(self, limit: int) -> bytes:
        """At most `limit` bytes of the body; the rest is not read."""
        found = bytearray()
        async for piece in self._pieces:
            found += piece
            if len(found) >= limit:
                break
        return bytes(found[:limit])


async def connect(origin: Origin) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Raises OSError (ssl.SSLError among them)."""
    name = (origin.server_name or "") if origin.tls is not None else None
    if origin.source:
        try:
            return await asyncio.open_connection(
                origin.host, origin.port, ssl=origin.tls, server_hostname=name, limit=MAX_HEAD,
                local_addr=(origin.source, 0),
            )  # fmt: skip
        except OSError as error:
            # The source is ::6 in a pod without captured IPv6, for example.
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EINVAL):
                raise
    return await asyncio.open_connection(origin.host, origin.port, ssl=origin.tls, server_hostname=name, limit=MAX_HEAD)


@asynccontextmanager
async def request(
    origin: Origin, method: str, target: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
) -> AsyncIterator[Answer]:
    """Sends one request and gives the answer; the connection ends with the context.

    `Host` is the origin's unless `headers` has one. Raises OSError when there is no connection or no proper answer.
    """
    given = tuple(headers)
    lines = [f"{method} {target} HTTP/1.1"]
    if not any(name.lower() == "host" for name, _ in given):
        lines.append(f"Host: {origin.authority}")
    lines += [f"{name}: {value}" for name, value in given]
    if body or method not in ("GET", "HEAD"):
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")
    reader, writer = await connect(origin)
    try:
        writer.write(head + body)
        await writer.drain()
        yield await _answer(reader, method)
    finally:
        writer.transport.abort()


async def _answer(reader: asyncio.StreamReader, method: str) -> Answer:
    for _ in range(_MAX_INTERIM):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise BadAnswer("the connection ended before an answer") from error
        except asyncio.LimitOverrunError as error:
            raise BadAnswer(f"the answer's headers have more than {MAX_HEAD} bytes") from error
        status, headers = _parse(head)
        if not 100 <= status < 200:
            return Answer(status, headers, _body(reader, method, status, dict(reversed(headers))))
    raise BadAnswer("nothing but interim answers")


def _parse(head: bytes) -> tuple[int, Headers]:
    first, *rest = head[:-4].decode("latin-1").split("\r\n")
    version, _, words = first.partition(" ")
    code = words[:3]
    if version not in ("HTTP/1.1", "HTTP/1.0") or not (code.isascii() and code.isdigit() and len(code) == 3):
        raise BadAnswer(f"not an HTTP/1 answer: {first[:80]!r}")
    headers = []
    for line in rest:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadAnswer(f"not a header: {line[:80]!r}")
        headers.append((name.lower(), value.strip(" \t")))
    return int(code), tuple(headers)


async def _body(
    reader: asyncio.StreamReader, method: str, status: int, headers: dict[str, str]
) -> AsyncIterator[bytes]:
    if method == "HEAD" or status in (204, 304):
        return
    if "chunked" in headers.get("transfer-encoding", "").lower():
        async for piece in _chunks(reader):
            yield piece
    elif "content-length" in headers:
        text = headers["content-length"]
        if not (text.isascii() and text.isdigit()) or len(text) > _MAX_DIGITS:
            raise BadAnswer(f"Content-Length: {text[:40]!r}")
        async for piece in _counted(reader, int(text)):
            yield piece
    else:
        while piece := await reader.read(_PIECE):
            yield piece


async def _counted(reader: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    while length:
        piece = await reader.read(min(length, _PIECE))
        if not piece:
            raise BadAnswer(f"the answer ended {length} bytes early")
        length -= len(piece)
        yield piece


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    try:
        while True:
            line = await reader.readuntil(b"\r\n")
            try:
                length = int(line.partition(b";")[0].strip(), 16)
            except ValueError as error:
                raise BadAnswer(f"not the size of a chunk: {line[:40]!r}") from error
            if length <= 0:
                return
            async for piece in _counted(reader, length):
                yield piece
            await reader.readexactly(2)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise BadAnswer("the answer's chunks ended early") from error
