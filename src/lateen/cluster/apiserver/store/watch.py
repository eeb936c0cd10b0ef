"""One watcher's bounded queue of events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from lateen.cluster.apiserver.store.event import Event
from lateen.cluster.status import gone


class Watch:
    """Delivers a collection's events in order. Close it, or use it as a context manager.

    Iterating ends when the store closes, and raises StatusError 410 after the watcher fell too far behind.
    """

    def __init__(
        self,
        namespace: str,
        backlog: Iterable[Event],
        limit: int,
        max_bytes: int,
        closed: Callable[[Watch], None],
        revision: int,
    ) -> None:
        self.namespace = namespace
        self.revision = revision
        """Everything up to this revision has been queued."""
        self.on_overflow: Callable[[], None] | None = None
        """Called when the watcher is cut off, which may be while it is busy sending."""
        # What happened before the watch began is held by the history anyway, and does not count.
        self._queue = deque(backlog)
        self._limit = limit + len(self._queue)
        self._bytes = sum(event.size for event in self._queue)
        self._max_bytes = max_bytes + self._bytes
        self._wake: asyncio.Future[None] | None = None
        self._closed = closed
        self._ended = False
        self._overflowed = False

    def push(self, event: Event) -> None:
        if self._overflowed or self._ended:
            return
        if len(self._queue) >= self._limit or (self._queue and self._bytes + event.size > self._max_bytes):
            self._overflowed = True
            self._clear()
            self._closed(self)
            if self.on_overflow is not None:
                self.on_overflow()
        else:
            self._queue.append(event)
            self._bytes += event.size
        self._awake()

    def end(self) -> None:
        """No more events will come."""
        self._ended = True
        self._awake()

    def close(self) -> None:
        self._closed(self)
        self._clear()
        self.end()

    @property
    def empty(self) -> bool:
        return not self._queue

    def take(self) -> Event | None:
        """The next event, if one waits."""
        if not self._queue:
            return None
        event = self._queue.popleft()
        self._bytes -= event.size
        return event

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while (event := self.take()) is None:
            if self._overflowed:
                raise gone("too old resource version: the watcher fell too far behind")
            if self._ended:
                raise StopAsyncIteration
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _clear(self) -> None:
        self._queue.clear()
        self._bytes = 0

    def _awake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
