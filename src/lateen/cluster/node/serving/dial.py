"""Dialing a port on a pod's loopback from outside of its network namespace."""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
from pathlib import Path
from threading import Thread

_CLONE_NEWNET = 0x40000000
DIAL_SECONDS = 10.0


async def dial_loopback(netns: Path | None, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connects to 127.0.0.1, else to ::1, in the namespace (None: the caller's own). Raises OSError, TimeoutError."""
    loop = asyncio.get_running_loop()
    refused: OSError | None = None
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        # A socket belongs to the namespace that it was made in, wherever it is used.
        opened = await _socket_in(netns, family)
        try:
            opened.setblocking(False)
            async with asyncio.timeout(DIAL_SECONDS):
                await loop.sock_connect(opened, (address, port))
            return await asyncio.open_connection(sock=opened)
        except OSError as error:
            opened.close()
            refused = refused or error
        except BaseException:
            opened.close()
            raise
    assert refused is not None
    raise refused


async def _socket_in(netns: Path | None, family: int) -> socket.socket:
    if netns is None:
        return socket.socket(family, socket.SOCK_STREAM)
    loop = asyncio.get_running_loop()
    made: asyncio.Future[socket.socket] = loop.create_future()

    def make() -> None:
        try:
            opened = _enter_and_open(netns, family)
        except OSError as error:
            loop.call_soon_threadsafe(_settle, made, None, error)
        else:
            loop.call_soon_threadsafe(_settle, made, opened, None)

    # A thread of its own, which ends afterwards: its namespace is never anyone else's.
    Thread(target=make, name="dial", daemon=True).start()
    return await made


def _settle(made: asyncio.Future[socket.socket], opened: socket.socket | None, error: OSError | None) -> None:
    if made.done():
        if opened is not None:
            opened.close()
    elif opened is not None:
        made.set_result(opened)
    elif error is not None:
        made.set_exception(error)


def _enter_and_open(netns: Path, family: int) -> socket.socket:
    descriptor = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(netns))
        return socket.socket(family, socket.SOCK_STREAM)
    finally:
        os.close(descriptor)
