"""An HTTP/1.1 server: strict, and bounded in connections, bytes and time."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from lateen.agent.log import Log
from lateen.agent.server.message import MAX_HEAD, BadRequest, Request, Response, parse_request, words

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Limits:
    """Times in seconds."""

    connections: int = 128
    """At once. For one more the oldest idle one has to go; where none is idle, the newcomer."""
    head_time: float = 10.0
    """For a request to arrive, from its first byte."""
    idle_time: float = 60.0
    """Between two requests of a connection."""
    write_time: float = 30.0
    """For the other side to take a piece of an answer."""


def listening_socket(host: str, port: int, dual_stack: bool = False) -> socket.socket:
    """With `dual_stack` an IPv6 `host` is one for IPv4, too. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server(
        (host, port), family=family, backlog=128, dualstack_ipv6=dual_stack and family == socket.AF_INET6
    )


@asynccontextmanager
async def serving(
    listener: socket.socket, handler: Handler, log: Log, limits: Limits | None = None
) -> AsyncIterator[None]:
    """Serves until the context ends; connections end with it. The socket is closed."""
    bounds = limits or Limits()
    connections: dict[asyncio.Task[None], _Connection] = {}

    def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(connections) >= bounds.connections:
            idle = next((task for task, connection in connections.items() if connection.idle), None)
            if idle is None:
                writer.transport.abort()
                return
            connections.pop(idle)
            idle.cancel()
        connection = _Connection(reader, writer, handler, log, bounds)
        task = asyncio.get_running_loop().create_task(connection.run())
        connections[task] = connection
        task.add_done_callback(lambda ended: connections.pop(ended, None))

    server = await asyncio.start_server(arrived, sock=listener, limit=MAX_HEAD)
    try:
        yield
    finally:
        server.close()
        ending = tuple(connections)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)


class _Connection:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler, log: Log, limits: Limits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._handler = handler
        self._log = log
        self._limits = limits
        self._peer = _address(writer)
        self.idle = True
        """Waits for a request."""

    async def run(self) -> None:
        try:
            while await self._one():
                pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            # The other side has gone, or has been too slow.
            pass
        except BadRequest as refused:
            with contextlib.suppress(OSError, TimeoutError):
                await self._send(None, words(HTTPStatus(refused.status), str(refused)))
        except Exception as error:
            self._log.error(f"an answer was cut short: {error!r}")
        finally:
            self._writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await self._writer.wait_closed()

    async def _one(self) -> bool:
        """Answers one request; whether another may follow."""
        request = await self._request()
        if request is None:
            return False
        try:
            response = await self._handler(request)
        except Exception as error:
            # A fault in one page costs that page only.
            self._log.error(f"{request.method} {request.path} failed: {error!r}")
            response = words(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; the agent's log tells more")
        return await self._send(request, response)

    async def _request(self) -> Request | None:
        self.idle = True
        async with asyncio.timeout(self._limits.idle_time):
            first = await self._reader.read(1)
        self.idle = False
        if not first:
            return None
        try:
            async with asyncio.timeout(self._limits.head_time):
                head = first + await self._reader.readuntil(b"\r\n\r\n")
                request = parse_request(head, self._peer)
                if request.body_length:
                    if request.header("expect").lower() == "100-continue":
                        self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                    await self._reader.readexactly(request.body_length)
        except asyncio.LimitOverrunError as error:
            raise BadRequest(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"headers of more than {MAX_HEAD} bytes are not taken"
            ) from error
        except TimeoutError as error:
            raise BadRequest(HTTPStatus.REQUEST_TIMEOUT, "the request did not arrive in time") from error
        return request

    async def _send(self, request: Request | None, response: Response) -> bool:
        """Whether the connection may go on. `request` is None where there was none that could be read."""
        body = response.body
        chunked = not isinstance(body, bytes) and request is not None and request.chunks
        keep_alive = request is not None and request.keep_alive and (chunked or isinstance(body, bytes))
        status = HTTPStatus(response.status) if response.status in _KNOWN else None
        lines = [f"HTTP/1.1 {int(response.status)} {status.phrase if status else 'Unknown'}"]
        if response.status not in _WITHOUT_BODY:
            lines.append(f"Content-Type: {response.content_type}")
            if isinstance(body, bytes):
                lines.append(f"Content-Length: {len(body)}")
            elif chunked:
                lines.append("Transfer-Encoding: chunked")
        lines += [f"{name}: {value}" for name, value in response.headers]
        if not keep_alive:
            lines.append("Connection: close")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        silent = (request is not None and request.method == "HEAD") or response.status in _WITHOUT_BODY
        if isinstance(body, bytes):
            await self._write(head if silent else head + body)
            return keep_alive
        async with aclosing(body):
            await self._write(head)
            if not silent:
                async for piece in body:
                    if piece:
                        await self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                if chunked:
                    await self._write(b"0\r\n\r\n")
        return keep_alive

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        async with asyncio.timeout(self._limits.write_time):
            await self._writer.drain()


_KNOWN: Final = frozenset(status.value for status in HTTPStatus)
_WITHOUT_BODY: Final = frozenset({204, 304})


def _address(writer: asyncio.StreamWriter) -> str:
    """The peer's, as IPv4 where it is that in IPv6's clothes."""
    name = writer.get_extra_info("peername")
    text = str(name[0]).partition("%")[0] if name else ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
