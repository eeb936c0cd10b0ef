"""What it costs to write durably with SQLite and nothing else: the floor of every API write."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path


class SqliteWrites:
    """One table in one file, with the log synced at every commit (WAL, synchronous=FULL)."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("CREATE TABLE objects (revision INTEGER PRIMARY KEY, name TEXT, body BLOB)")
        self._lock = threading.Lock()

    def write(self, name: str, body: bytes) -> None:
        """One write, one commit."""
        with self._lock:
            self._database.execute("INSERT INTO objects (name, body) VALUES (?, ?)", (name, body))

    def seconds(self, body: bytes) -> float:
        """How long one write takes."""
        started = time.perf_counter()
        self.write("single", body)
        return time.perf_counter() - started

    def seconds_together(self, body: bytes, writers: int, each: int) -> float:
        """How long one of `writers` x `each` writes takes when as many threads write at the same time."""

        def run() -> None:
            for _ in range(each):
                self.write("together", body)

        threads = [threading.Thread(target=run) for _ in range(writers)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return (time.perf_counter() - started) / (writers * each)

    def seconds_in_one_commit(self, body: bytes, rows: int) -> float:
        """How long one of `rows` writes takes that share a commit: the least that durability can cost."""
        started = time.perf_counter()
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT INTO objects (name, body) VALUES ('batch', ?)", [(body,)] * rows)
            self._database.execute("COMMIT")
        return (time.perf_counter() - started) / rows

    def close(self) -> None:
        self._database.close()
