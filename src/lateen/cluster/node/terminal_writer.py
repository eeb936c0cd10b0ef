"""Writing to a terminal's master end.

The event loop's own pipe transport will not do: to notice that the other end is closed it reads from what it
writes to, which on a terminal takes away the program's output.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

_HIGH_WATER = 64 * 1024


class _TerminalTransport(asyncio.WriteTransport):
    """Owns `fd`, which must be non-blocking."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = loop
        self._fd = fd
        self._protocol = protocol
        self._pending = bytearray()
        self._paused = False
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or not data:
            return
        was_idle = not self._pending
        self._pending += data
        if was_idle:
            self._flush()
        if len(self._pending) > _HIGH_WATER and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def _flush(self) -> None:
        try:
            while self._pending:
                written = os.write(self._fd, self._pending)
                del self._pending[:written]
        except BlockingIOError:
            self._loop.add_writer(self._fd, self._flush)
        except OSError as error:
            self._end(error)
            return
        else:
            self._loop.remove_writer(self._fd)
        if self._paused and len(self._pending) <= _HIGH_WATER // 2:
            self._paused = False
            self._protocol.resume_writing()
        if self._closing and not self._pending:
            self._end(None)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if not self._pending:
                self._end(None)

    def abort(self) -> None:
        self._end(None)

    def is_closing(self) -> bool:
        return self._closing

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return len(self._pending)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def _end(self, error: OSError | None) -> None:
        self._closing = True
        self._pending.clear()
        if self._fd >= 0:
            self._loop.remove_writer(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._loop.call_soon(self._protocol.connection_lost, error)


def terminal_writer(fd: int) -> asyncio.StreamWriter:
    """A writer that owns `fd`."""
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)
    protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    return asyncio.StreamWriter(_TerminalTransport(loop, fd, protocol), protocol, None, loop)
