"""The SQLite file: one row per version of an object, keyed by the global revision at which it was written.

The newest row of a key is its present state (or the tombstone of its deletion, with its final state). Older rows
are the history for watches; `compact` removes them. One row per write makes every write atomic by itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lateen.cluster.apiserver.store.event import GroupResource
from lateen.cluster.objects import Key

_FORMAT = 1
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE versions (
    revision INTEGER PRIMARY KEY,
    grp TEXT NOT NULL, plural TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    type TEXT NOT NULL,
    object BLOB NOT NULL
) STRICT;
CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
INSERT INTO facts VALUES ('compacted', 0);
PRAGMA user_version = {_FORMAT};
COMMIT;
"""
_COLUMNS = 7


class DatabaseFormatError(Exception):
    """The file is not one that this version can read."""


@dataclass(frozen=True, slots=True)
class Row:
    """One version. `type` is the watch event's type."""

    revision: int
    resource: GroupResource
    key: Key
    type: str
    raw: bytes


class Database:
    """A connection used by one thread at a time. Methods raise sqlite3.Error and then have changed nothing."""

    def __init__(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        execute = self._connection.execute
        execute("PRAGMA journal_mode = WAL")
        # FULL syncs the log at every commit: an acknowledged write outlives a power failure.
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA wal_autocheckpoint = 1000")
        execute("PRAGMA journal_size_limit = 16777216")
        (found,) = execute("PRAGMA user_version").fetchone()
        if found == 0:
            self._connection.executescript(_SCHEMA)
        elif found != _FORMAT:
            self._connection.close()
            raise DatabaseFormatError(f"{path}: format {found}; this version reads format {_FORMAT}")

    def rows(self) -> Iterator[Row]:
        """Every version, oldest first."""
        query = "SELECT revision, grp, plural, namespace, name, type, object FROM versions ORDER BY revision"
        for revision, group, plural, namespace, name, type_, raw in self._connection.execute(query):
            yield Row(revision, (group, plural), Key(namespace, name), type_, raw)

    def compacted(self) -> int:
        """History is complete after this revision."""
        (found,) = self._connection.execute("SELECT value FROM facts WHERE name = 'compacted'").fetchone()
        return int(found)

    def insert(self, rows: Sequence[Row]) -> None:
        """Adds versions durably, all or none."""
        # A single statement is a transaction of its own and takes the interpreter's lock back only once.
        values = ",".join(["(" + ",".join("?" * _COLUMNS) + ")"] * len(rows))
        parameters = [
            value for row in rows for value in (row.revision, *row.resource, row.key[0], row.key[1], row.type, row.raw)
        ]
        self._connection.execute(f"INSERT INTO versions VALUES {values}", parameters)

    def compact(self, revisions: Iterable[int], compacted: int) -> None:
        """Removes versions that nothing needs any more and moves the start of history to `compacted`."""
        listed = msgspec.json.encode(list(revisions)).decode()
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            execute("DELETE FROM versions WHERE revision IN (SELECT value FROM json_each(?))", (listed,))
            execute("UPDATE facts SET value = ? WHERE name = 'compacted'", (compacted,))
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

    def limit_pages(self, pages: int) -> None:
        """Bounds the file's size in pages (4096 bytes each); writes beyond it fail as on a full disk."""
        self._connection.execute(f"PRAGMA max_page_count = {int(pages)}")

    def close(self) -> None:
        self._connection.close()
