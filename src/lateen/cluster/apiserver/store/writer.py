"""Group commit: one thread writes to the database; writes that wait at the same time share one transaction."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from lateen.cluster.apiserver.store.database import Database, Row

_log = logging.getLogger(__name__)

MAX_BATCH = 64
"""Rows in one transaction at most: bounds the latency of the first, and the number of distinct statements."""

Committed = Callable[[Sequence[Row], Exception | None], None]


@dataclass(frozen=True, slots=True)
class _Compaction:
    revisions: tuple[int, ...]
    compacted: int


class Writer:
    """Writes rows in the order of `submit`, and reports each batch to `committed` on the event loop, in that order."""

    def __init__(self, database: Database, committed: Committed) -> None:
        self._database = database
        self._committed = committed
        self._queue: SimpleQueue[Row | _Compaction | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, row: Row) -> None:
        self._queue.put(row)

    def compact(self, revisions: tuple[int, ...], compacted: int) -> None:
        """Removes old versions after what was submitted before. A failure leaves them for the next start."""
        self._queue.put(_Compaction(revisions, compacted))

    async def close(self) -> None:
        """Writes what was submitted, then ends the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        item: Row | _Compaction | None = self._queue.get()
        while item is not None:
            if isinstance(item, _Compaction):
                self._compact(item)
                item = self._queue.get()
                continue
            batch, item = self._gather(item)
            self._write(batch)
            if item is _NOTHING_WAITS:
                item = self._queue.get()

    def _gather(self, first: Row) -> tuple[list[Row], Row | _Compaction | None]:
        """The rows that wait now, and what came after them."""
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                item = self._queue.get_nowait()
            except Empty:
                break
            if not isinstance(item, Row):
                return batch, item
            batch.append(item)
        return batch, _NOTHING_WAITS

    def _write(self, batch: Sequence[Row]) -> None:
        error: Exception | None = None
        try:
            self._database.insert(batch)
        except (sqlite3.Error, OSError) as caught:
            error = caught
        self._loop.call_soon_threadsafe(self._committed, batch, error)

    def _compact(self, compaction: _Compaction) -> None:
        try:
            self._database.compact(compaction.revisions, compaction.compacted)
        except (sqlite3.Error, OSError) as error:
            # Logging never raises: the log may be on the disk that is full, and this thread must go on.
            _log.warning("compaction of the state database failed: %s", error)


_NOTHING_WAITS = _Compaction((), -1)
