"""Where the control plane's own HTTP servers listen, and whom they let in.

Anybody may connect, and a connection costs before it has said anything: a file, and with TLS 300 kB. So there are only
so many, and whoever has most of them loses one to the next who comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Final

import msgspec
from aiohttp import web

_log = logging.getLogger(__name__)

_NO_FILES_SECONDS: Final = 1.0
"""Until it is tried again to accept a connection that there was no room for."""


class ListeningLimits(msgspec.Struct, frozen=True):
    connections: int = 512
    """At once, more than an API server makes. For one more, the oldest goes of the address that has most."""
    handshake: float = 10.0
    """Seconds for that of TLS."""


@asynccontextmanager
async def listening(
    server: web.Server,
    host: str,
    port: int,
    context: ssl.SSLContext | None = None,
    limits: ListeningLimits | None = None,
) -> AsyncIterator[int]:
    """Hands connections to `server` until the context ends. Gives the port.

    `::` is every address of both families. Raises OSError when the address cannot be had.
    """
    bounds = limits or ListeningLimits()
    places, tasks = _Places(bounds.connections), set[asyncio.Task[None]]()

    def start(task: asyncio.Task[None]) -> None:
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def accept(listener: socket.socket) -> None:
        while True:
            try:
                connection, address = await loop.sock_accept(listener)
            except ConnectionAbortedError:
                continue
            except OSError as problem:
                _log.warning("no connection can be accepted at port %d: %s", listener.getsockname()[1], problem)
                await asyncio.sleep(_NO_FILES_SECONDS)
                continue
            places.take(connection, str(address[0]))
            start(loop.create_task(let_in(connection)))

    async def let_in(connection: socket.socket) -> None:
        time = bounds.handshake if context else None
        try:
            await loop.connect_accepted_socket(server, connection, ssl=context, ssl_handshake_timeout=time)
        except OSError as problem:
            # A handshake that fails is nobody's fault but the caller's. The problem's frames hold the connection's
            # memory and, through what was waited for, themselves: it would stay until the garbage collector comes.
            problem.__traceback__ = None

    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        listeners = [stack.enter_context(each) for each in await _listeners(host, port)]
        for listener in listeners:
            start(loop.create_task(accept(listener)))
        try:
            yield listeners[0].getsockname()[1]
        finally:
            ending = tuple(tasks)
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)


async def _listeners(host: str, port: int) -> list[socket.socket]:
    if host == "::":
        # By itself a socket for IPv6 may take nothing else.
        return [_quick(socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=True))]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    made: list[socket.socket] = []
    lacking: OSError | None = None
    with ExitStack() as stack:
        for family, *_, address in dict.fromkeys(found):
            try:
                made.append(stack.enter_context(_quick(socket.create_server(address[:2], family=family))))
            except OSError as problem:
                # A name may stand for an address of a family that the kernel is without.
                if problem.errno != errno.EAFNOSUPPORT:
                    raise
                lacking = problem
        if lacking is not None and not made:
            raise lacking
        stack.pop_all()
    return made


def _quick(listener: socket.socket) -> socket.socket:
    listener.setblocking(False)
    return listener


class _Places:
    """For so many connections."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[socket.socket, str] = {}
        """By address; the oldest first."""

    def take(self, connection: socket.socket, address: str) -> None:
        """Ends another one if there is no place."""
        for ended in [each for each in self._held if each.fileno() < 0]:
            del self._held[ended]
        if len(self._held) >= self._most:
            crowd = Counter((*self._held.values(), address)).most_common(1)[0][0]
            self._end(next(each for each, by in self._held.items() if by == crowd))
        self._held[connection] = address

    def _end(self, connection: socket.socket) -> None:
        """Whoever serves it is told by its end; that closes it, too."""
        del self._held[connection]
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
