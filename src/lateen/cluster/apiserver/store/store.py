"""The store: every object in memory, every write on disk before it is acknowledged or seen by anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lateen.cluster.apiserver.store.collection import Collection
from lateen.cluster.apiserver.store.database import Database, Row
from lateen.cluster.apiserver.store.event import ADDED, DELETED, MODIFIED, Event, GroupResource
from lateen.cluster.apiserver.store.history import History
from lateen.cluster.apiserver.store.record import DecodedCache, Record
from lateen.cluster.apiserver.store.watch import Watch
from lateen.cluster.apiserver.store.writer import Writer
from lateen.cluster.objects import Key, Obj, key_of
from lateen.cluster.status import StatusError, already_exists, conflict, gone, internal_error, not_found

_COMPACTION = 256
"""Obsolete versions gathered before they are removed from disk."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the store keeps in memory beyond the objects themselves."""

    history_events: int = 10_000
    history_bytes: int = 64 * 1024 * 1024
    watch_backlog: int = 8_192
    """Events a watcher may lag behind before it is cut off."""
    watch_backlog_bytes: int = 64 * 1024 * 1024
    """Their bytes. Watchers of a collection that lag share the events, so that this bounds all of them together."""
    decoded_objects: int = 4_096
    decoded_bytes: int = 32 * 1024 * 1024
    """The decoded objects' bytes as encoded; decoded they take several times as much."""


@dataclass(frozen=True, slots=True)
class _Write:
    """A write on its way to disk. Its outcome is the error to raise, or None."""

    type: str
    resource: GroupResource
    record: Record
    obj: Obj
    outcome: asyncio.Future[StatusError | None]


class Snapshot:
    """A collection (or one namespace of it) at one revision, ordered by key."""

    def __init__(self, records: list[Record], revision: int, decoded: DecodedCache) -> None:
        self.records = records
        self.revision = revision
        self._decoded = decoded

    @cached_property
    def items(self) -> list[Obj]:
        """The objects, in the storage version. Shared: never change them."""
        return [self._decoded.get(record) for record in self.records]

    def obj(self, record: Record) -> Obj:
        """One record's object. Shared: never change it."""
        return self._decoded.get(record)


class Store:
    """One global revision over all collections, as etcd has. Use `await Store.open(path)`; all on one event loop."""

    def __init__(self, database: Database, bounds: Bounds) -> None:
        self._bounds = bounds
        self._database = database
        self._decoded = DecodedCache(bounds.decoded_objects, bounds.decoded_bytes)
        self._collections: dict[GroupResource, Collection] = {}
        self._history = History(bounds.history_events, bounds.history_bytes, database.compacted())
        self._pending: dict[tuple[GroupResource, Key], _Write] = {}
        self._writes: dict[int, _Write] = {}
        self._obsolete: list[int] = []
        self.revision = 0
        """The revision of the last committed write."""
        self.healthy = True
        """Whether the last write reached the disk."""
        self._load()
        self._assigned = self.revision
        self._writer = Writer(database, self._committed)

    @classmethod
    async def open(cls, path: Path | str, bounds: Bounds | None = None) -> Store:
        """Opens or makes the database. Raises sqlite3.Error, DatabaseFormatError."""
        return cls(Database(path), bounds or Bounds())

    def end_watches(self) -> None:
        """Ends every watch, after what it has still to deliver."""
        for collection in self._collections.values():
            for watch in list(collection.watches):
                watch.end()

    async def close(self) -> None:
        """Ends every watch, and completes the writes under way."""
        self.end_watches()
        await self._writer.close()
        self._database.close()

    # --- reading ---------------------------------------------------------------------------------------------

    @property
    def compacted(self) -> int:
        """Watches and lists at revisions below this are gone."""
        return self._history.compacted

    def resources(self) -> list[GroupResource]:
        """The collections that hold any object."""
        return [resource for resource, collection in self._collections.items() if len(collection)]

    def count(self, resource: GroupResource) -> int:
        """How many objects a collection holds."""
        found = self._collections.get(resource)
        return len(found) if found is not None else 0

    def get(self, resource: GroupResource, key: Key) -> Obj | None:
        """The object, in the storage version. Shared: never change it."""
        record = self.record(resource, key)
        return None if record is None else self._decoded.get(record)

    def record(self, resource: GroupResource, key: Key) -> Record | None:
        """The object with its encoded form."""
        collection = self._collections.get(resource)
        return None if collection is None else collection.get(key)

    def list(self, resource: GroupResource, namespace: str = "") -> Snapshot:
        """The collection as it is now."""
        collection = self._collections.get(resource)
        records = [] if collection is None else collection.records(namespace)
        return Snapshot(records, self.revision, self._decoded)

    def list_at(self, resource: GroupResource, namespace: str, revision: int) -> Snapshot:
        """The collection as it was at a revision. Raises StatusError 410 when that is no longer known."""
        if revision < self._history.compacted:
            raise gone(f"The provided resource version is too old: {revision} ({self._history.compacted})")
        now = self.list(resource, namespace)
        changed = self._history.states_at(resource, revision)
        if not changed:
            return Snapshot(now.records, revision, self._decoded)
        then = [record for record in now.records if record.key not in changed]
        then += [r for key, r in changed.items() if r is not None and namespace in ("", key.namespace)]
        then.sort(key=lambda record: str(record.key))
        return Snapshot(then, revision, self._decoded)

    def watch(self, resource: GroupResource, namespace: str = "", since: int | None = None) -> Watch:
        """Changes after revision `since` (after now, when None). Raises StatusError 410 when it is too old."""
        if since is not None and since < self._history.compacted:
            raise gone(f"too old resource version: {since} ({self._history.compacted})")
        backlog = [] if since is None else self._history.since(resource, since)
        watches = self._collection(resource).watches
        watch = Watch(
            namespace,
            (event for event in backlog if namespace in ("", event.key.namespace)),
            self._bounds.watch_backlog,
            self._bounds.watch_backlog_bytes,
            watches.discard,
            self.revision,
        )
        watches.add(watch)
        return watch

    # --- writing ---------------------------------------------------------------------------------------------

    async def create(self, resource: GroupResource, obj: Obj) -> Obj:
        """Adds an object and returns it with its resourceVersion. Raises StatusError AlreadyExists.

        The given object becomes the store's, here and in `update`: it must not be changed afterwards.
        """
        key = key_of(obj)
        while True:
            if self.record(resource, key) is not None:
                raise already_exists(*resource, key.name)
            if not await self._turn(resource, key):
                return await self._write(ADDED, resource, key, obj)

    async def update(self, resource: GroupResource, obj: Obj, expected: str | None) -> Obj:
        """Replaces an object. Raises StatusError NotFound, and Conflict unless its resourceVersion is `expected`."""
        key = key_of(obj)
        while True:
            self._expect(resource, key, expected)
            if not await self._turn(resource, key):
                return await self._write(MODIFIED, resource, key, obj)

    async def delete(self, resource: GroupResource, key: Key, expected: str | None, final: Obj | None = None) -> Obj:
        """Removes an object and returns its final state, with the deletion's resourceVersion.

        `final` is its final state when that differs from the stored one. Raises as `update`.
        """
        while True:
            record = self._expect(resource, key, expected)
            if not await self._turn(resource, key):
                return await self._write(DELETED, resource, key, final or self._decoded.get(record))

    def _expect(self, resource: GroupResource, key: Key, expected: str | None) -> Record:
        record = self.record(resource, key)
        if record is None:
            raise not_found(*resource, key.name)
        if expected is not None and expected != str(record.revision):
            raise conflict(*resource, key.name)
        return record

    async def _turn(self, resource: GroupResource, key: Key) -> bool:
        """Waits while a write to the same object is on its way to disk; True when there was one."""
        pending = self._pending.get((resource, key))
        if pending is None:
            return False
        await asyncio.wait([pending.outcome])
        return True

    async def _write(self, type_: str, resource: GroupResource, key: Key, obj: Obj) -> Obj:
        revision = self._assigned + 1
        # apiVersion comes first, so that the version of an encoded object can be told from its first bytes.
        identity = {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind")}
        stored = {**identity, **obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
        record = Record.of(key, revision, stored)
        self._assigned = revision
        write = _Write(type_, resource, record, stored, asyncio.get_running_loop().create_future())
        self._pending[resource, key] = self._writes[revision] = write
        self._writer.submit(Row(revision, resource, key, type_, record.raw))
        # A write goes on when the one who asked for it has gone; `asyncio.wait` leaves the future alone then.
        await asyncio.wait([write.outcome])
        if (error := write.outcome.result()) is not None:
            raise error
        return stored

    def _committed(self, rows: Sequence[Row], error: Exception | None) -> None:
        """The writer's report on a batch: only now are its writes visible."""
        self.healthy = error is None
        for row in rows:
            write = self._writes.pop(row.revision)
            del self._pending[row.resource, row.key]
            if error is None:
                # First, for watches with field selectors look at the decoded object.
                self._decoded.put(write.record, write.obj)
                self._apply(write.type, write.resource, write.record)
                write.outcome.set_result(None)
            else:
                refused = internal_error(f"the cluster's state could not be written to disk: {error}")
                write.outcome.set_result(refused)
        if len(self._obsolete) >= _COMPACTION:
            self._writer.compact(tuple(self._obsolete), self._history.compacted)
            self._obsolete.clear()

    # --- state -----------------------------------------------------------------------------------------------

    def _collection(self, resource: GroupResource) -> Collection:
        found = self._collections.get(resource)
        if found is None:
            found = self._collections[resource] = Collection()
        return found

    def _apply(self, type_: str, resource: GroupResource, record: Record) -> None:
        collection = self._collection(resource)
        event = Event(type_, resource, record, collection.get(record.key), self._decoded)
        if type_ == DELETED:
            collection.remove(record.key)
        else:
            collection.put(record)
        self.revision = record.revision
        self._obsolete += self._history.append(event)
        for watch in tuple(collection.watches):
            if watch.namespace in ("", record.key.namespace):
                watch.push(event)

    def _load(self) -> None:
        compacted = self._history.compacted
        for row in self._database.rows():
            record = Record.load(row.key, row.revision, row.raw)
            if row.revision > compacted:
                self._apply(row.type, row.resource, record)
            elif row.type == DELETED:
                # Left over by a compaction that failed or was cut short.
                self._collection(row.resource).remove(row.key)
                self._obsolete.append(row.revision)
            else:
                collection = self._collection(row.resource)
                previous = collection.get(row.key)
                if previous is not None:
                    self._obsolete.append(previous.revision)
                collection.put(record)
                self.revision = row.revision
