"""Bytes from one task to another, with a bound on what is in between."""

from __future__ import annotations

import asyncio
from collections import deque

LIMIT_BYTES = 256 * 1024


class BytePipe:
    """One writer, one reader. Writing waits while more than the limit is unread."""

    def __init__(self, limit: int = LIMIT_BYTES) -> None:
        self._limit = limit
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._abandoned = False
        self._changed = asyncio.Condition()

    async def write(self, data: bytes) -> None:
        """Dropped once the end was written or the reader has gone."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._size < self._limit or self._ended or self._abandoned)
            if data and not self._ended and not self._abandoned:
                self._chunks.append(data)
                self._size += len(data)
                self._changed.notify_all()

    async def end(self) -> None:
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def abandon(self) -> None:
        """The reader needs no more: whatever comes is dropped, and nobody waits."""
        async with self._changed:
            self._abandoned = True
            self._chunks.clear()
            self._size = 0
            self._changed.notify_all()

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._chunks or self._ended or self._abandoned)
            if not self._chunks:
                return b""
            data = self._chunks.popleft()
            self._size -= len(data)
            self._changed.notify_all()
            return data
