"""A small HTTP/1.1 server for the sample programs: asyncio and nothing else, so that a pod of it stays light."""

from __future__ import annotations

import asyncio
import email.utils
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

_MAX_HEAD = 64 << 10
_MAX_BODY = 8 << 20
_IDLE_SECONDS = 75.0
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    501: "Not Implemented",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    peer: str
    """The client's address."""
    local: str

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


@dataclass(frozen=True, slots=True)
class Response:
    body: bytes
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = field(default=())


Handler = Callable[[Request], Response]


class _BadRequest(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = bytearray()
        while True:
            size = int((await reader.readline()).split(b";")[0], 16)
            if size < 0 or len(body) + size > _MAX_BODY:
                raise _BadRequest(413)
            body += await reader.readexactly(size)
            await reader.readline()
            if size == 0:
                return bytes(body)
    length = int(headers.get("content-length") or 0)
    if not 0 <= length <= _MAX_BODY:
        raise _BadRequest(413)
    return await reader.readexactly(length)


async def _read_request(reader: asyncio.StreamReader, peer: str, local: str) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    try:
        method, target, version = first.split(" ")
        headers = tuple((name, value.strip()) for name, value in (line.split(":", 1) for line in lines))
        if not version.startswith("HTTP/1."):
            raise _BadRequest(400)
        body = await _read_body(reader, {name.lower(): value for name, value in headers})
    except ValueError:
        raise _BadRequest(400) from None
    return Request(method, target, headers, body, peer, local)


def _encode(response: Response, server: str, *, close: bool, head_only: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}",
        f"Server: {server}",
        f"Date: {email.utils.formatdate(usegmt=True)}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        f"Connection: {'close' if close else 'keep-alive'}",
        *(f"{name}: {value}" for name, value in response.headers),
    ]
    head = "\r\n".join(lines).encode("latin-1", errors="replace") + b"\r\n\r\n"
    return head if head_only else head + response.body


async def serve(handler: Handler, port: int, *, server: str, log: Callable[[Request, Response], None]) -> None:
    """Serves on every address of the machine until SIGTERM, SIGINT or SIGQUIT."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, local = writer.get_extra_info("peername")[0], writer.get_extra_info("sockname")[0]
        try:
            while True:
                try:
                    async with asyncio.timeout(_IDLE_SECONDS):
                        request = await _read_request(
                            reader, peer.removeprefix("::ffff:"), local.removeprefix("::ffff:")
                        )
                except _BadRequest as error:
                    writer.write(_encode(Response(b"", error.status), server, close=True, head_only=False))
                    break
                response = handler(request)
                close = request.header("connection").lower() == "close"
                writer.write(_encode(response, server, close=close, head_only=request.method == "HEAD"))
                await writer.drain()
                log(request, response)
                if close:
                    break
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, TimeoutError):
            pass
        finally:
            writer.close()

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        loop.add_signal_handler(number, stopping.set)
    listener = await asyncio.start_server(connection, None, port, limit=_MAX_HEAD)
    await stopping.wait()
    listener.close()
