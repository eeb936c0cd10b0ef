"""Listens for DNS messages on UDP and TCP and has a function answer them: bounded in messages, connections and time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias, cast

_log = logging.getLogger(__name__)

Answer: TypeAlias = Callable[[bytes, bool], Awaitable[bytes | None]]
"""(message, whether it came by TCP) -> answer; None for one that deserves none."""

MAX_UNDER_WAY = 1024
MAX_CONNECTIONS = 256
IDLE_SECONDS = 10.0


@contextlib.asynccontextmanager
async def listening(host: str, port: int, answer: Answer) -> AsyncIterator[int]:
    """Answers on one address while the context is open; gives the port (also when 0 was asked for). Raises OSError."""
    loop = asyncio.get_running_loop()
    connections = _Connections(answer)
    async with asyncio.TaskGroup() as group:
        server = await asyncio.start_server(connections.serve, host, port)
        bound: int = server.sockets[0].getsockname()[1]
        try:
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: _Datagrams(answer, group), sock=_datagram_socket(host, bound)
            )
            try:
                yield bound
            finally:
                transport.close()
                protocol.close()
        finally:
            server.close()
            connections.close()


def _datagram_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_INET6:
            # As asyncio does for TCP: IPv4 has a socket of its own.
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answer: Answer, group: asyncio.TaskGroup) -> None:
        self._answer = answer
        self._group = group
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own datagram transport is no subclass of its abstract one.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(self._tasks) < MAX_UNDER_WAY:
            task = self._group.create_task(self._reply(data, addr))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _reply(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            answer = await self._answer(data, False)
        except Exception:
            _log.exception("a DNS message could not be answered")
            return
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


class _Connections:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= MAX_CONNECTIONS:
            writer.close()
            return
        self._open.add(writer)
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                    message = await reader.readexactly(size)
                    answer = await self._answer(message, True)
                    if answer is None:
                        return
                    writer.write(struct.pack("!H", len(answer)) + answer)
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return
        except Exception:
            _log.exception("a DNS message could not be answered")
        finally:
            self._open.discard(writer)
            writer.close()

    def close(self) -> None:
        for writer in self._open:
            writer.close()
