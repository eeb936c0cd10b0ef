"""Room for what is held or done at a time, shared fairly: whoever fills it with what takes long fills only its own
part."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple


class _Waiting(NamedTuple):
    address: str
    size: int
    let_in: asyncio.Future[None]


class Room:
    """Of so many bytes, or whatever is counted, of which one address may have `most_of_one`."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._taken = 0
        self._by: Counter[str] = Counter()
        self._waiting: list[_Waiting] = []
        """In order of arrival."""

    @asynccontextmanager
    async def taken(self, address: str, size: int) -> AsyncIterator[None]:
        """Waits until there is room for `size`, which is at most `most_of_one`, and holds it."""
        if self._fits(address, size):
            self._take(address, size)
        else:
            await self._wait(_Waiting(address, size, asyncio.get_running_loop().create_future()))
        try:
            yield
        finally:
            self._leave(address, size)

    async def _wait(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        try:
            await waiting.let_in
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:
                # Let in at the same moment.
                self._leave(waiting.address, waiting.size)
            raise

    def _fits(self, address: str, size: int) -> bool:
        return self._taken + size <= self._most and self._by[address] + size <= self._most_of_one

    def _take(self, address: str, size: int) -> None:
        self._taken += size
        self._by[address] += size

    def _leave(self, address: str, size: int) -> None:
        self._taken -= size
        self._by[address] -= size
        if not self._by[address]:
            del self._by[address]
        for each in list(self._waiting):
            # Who has just given up is still in the list.
            if not each.let_in.done() and self._fits(each.address, each.size):
                self._waiting.remove(each)
                self._take(each.address, each.size)
                each.let_in.set_result(None)
