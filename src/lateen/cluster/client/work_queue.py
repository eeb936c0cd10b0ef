"""A queue of keys to work on: each key is in it once, and is worked on by one worker at a time.

The contract of client-go's rate-limited work queue: a key added while it is worked on is worked on again after,
a failure brings the key back with exponential back-off.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from lateen.cluster.client.backoff import Backoff
from lateen.cluster.status import StatusError

_log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """`first` and `limit` bound the back-off of a failing key, in seconds."""

    def __init__(self, name: str, *, first: float = 0.005, limit: float = 60.0) -> None:
        self.name = name
        self._first = first
        self._limit = limit
        self._waiting: deque[K] = deque()
        self._dirty: set[K] = set()
        self._working: set[K] = set()
        self._failures: dict[K, Backoff] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._wake = asyncio.Semaphore(0)

    def __len__(self) -> int:
        """Keys that wait for a worker."""
        return len(self._waiting)

    def add(self, key: K) -> None:
        """Has the key worked on as soon as a worker is free."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._dirty:
            return
        self._dirty.add(key)
        self._idle.clear()
        if key not in self._working:
            self._waiting.append(key)
            self._wake.release()

    def add_after(self, key: K, delay: float) -> None:
        """Has the key worked on in `delay` seconds; the earliest of several times counts."""
        if delay <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= loop.time() + delay:
                return
            timer.cancel()
        self._timers[key] = loop.call_later(delay, self._due, key)

    def add_failed(self, key: K) -> float:
        """Brings the key back after its back-off: gives the delay in seconds."""
        delay = self._failures.setdefault(key, Backoff(self._first, self._limit, jitter=0.1)).next()
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """The key's work succeeded: its next failure starts with the shortest back-off."""
        self._failures.pop(key, None)

    async def drained(self) -> None:
        """Waits until nothing waits nor is worked on (keys due later do not count)."""
        await self._idle.wait()

    async def run(self, work: Callable[[K], Awaitable[float | None]], workers: int = 4) -> None:
        """Works on keys until cancelled. `work` gives the seconds after which it wants to see the key again.

        Whatever `work` raises is logged and retried with back-off; it never ends the queue.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._worker(work))

    async def _worker(self, work: Callable[[K], Awaitable[float | None]]) -> None:
        while True:
            await self._wake.acquire()
            key = self._waiting.popleft()
            self._dirty.discard(key)
            self._working.add(key)
            try:
                again = await work(key)
            except StatusError as error:
                delay = self.add_failed(key)
                _log.debug("%s: %s: %s; again in %.3f s", self.name, key, error, delay)
            except Exception:
                delay = self.add_failed(key)
                _log.exception("%s: %s failed; again in %.3f s", self.name, key, delay)
            else:
                self.forget(key)
                if again is not None:
                    self.add_after(key, again)
            finally:
                self._working.discard(key)
                if key in self._dirty:
                    self._waiting.append(key)
                    self._wake.release()
                if not self._dirty and not self._working:
                    self._idle.set()

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)
