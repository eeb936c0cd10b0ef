"""The data of one table: values, index buckets, and the sources that queries have read."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Any

from lateen.engine.inputs import Table
from lateen.engine.node import Source

ABSENT: Any = object()


class Listing:
    """The keys in one bucket, and their sorted tuple, made when first asked for after a change.

    A bucket of one key that nobody has read is that key itself: most buckets of most indexes are.
    """

    __slots__ = ("_members", "_sorted", "source")

    def __init__(self, *keys: Any) -> None:
        """Of one key or none."""
        self._members: set[Any] | None = None
        """None: `_sorted` says it all."""
        self._sorted: tuple[Any, ...] | None = keys
        self.source: Source | None = None

    @property
    def members(self) -> Collection[Any]:
        return self._sorted if self._sorted is not None else self._members or ()

    def sorted(self) -> tuple[Any, ...]:
        if self._sorted is None:
            self._sorted = tuple(sorted(self._members or ()))
        return self._sorted

    def add(self, key: Any) -> None:
        if self._members is None:
            if not self._sorted:
                self._sorted = (key,)
                return
            self._members = set(self._sorted)
        self._members.add(key)
        self._sorted = None

    def discard(self, key: Any) -> None:
        if self._members is None:
            self._members = set(self._sorted or ())
        self._members.discard(key)
        self._sorted = None


Buckets = dict[Hashable, Any]
"""Of one index: a Listing, or a lone key."""


class TableData:
    """Mutable; changed by the engine's transactions alone."""

    __slots__ = ("_indexes", "_sorted", "buckets", "keys_read", "sources", "table", "values")

    def __init__(self, table: Table[Any, Any]) -> None:
        self.table = table
        self.values: dict[Any, Any] = {}
        self.buckets: dict[str, Buckets] = {name: {} for name in table.indexes}
        self.sources: dict[Any, Source] = {}
        """Of keys that were read."""
        self.keys_read: Source | None = None
        """Of the set of all keys, if it was read."""
        self._sorted: tuple[Any, ...] | None = ()
        self._indexes = tuple((function, self.buckets[name]) for name, function in table.indexes.items())

    # --- reading -------------------------------------------------------------------------------------------------

    def keys(self) -> tuple[Any, ...]:
        """All keys, sorted; made when first asked for after a change."""
        if self._sorted is None:
            self._sorted = tuple(sorted(self.values))
        return self._sorted

    def value_source(self, key: Any) -> Source:
        source = self.sources.get(key)
        if source is None:
            source = self.sources[key] = Source(self.table, key)
        return source

    def keys_source(self) -> Source:
        if self.keys_read is None:
            self.keys_read = Source(self.table)
        return self.keys_read

    def members(self, index: str, bucket: Hashable) -> Listing:
        """The keys in one bucket, to read. Raises KeyError when the table has no such index."""
        return _listing(self._index(index).get(bucket, ABSENT))

    def listing(self, index: str, bucket: Hashable) -> Listing:
        """The keys in one bucket, with a source for a reader. Raises KeyError when the table has no such index."""
        buckets = self._index(index)
        listing = buckets[bucket] = _listing(buckets.get(bucket, ABSENT))
        if listing.source is None:
            listing.source = Source(self.table, None, index, bucket)
        return listing

    def _index(self, name: str) -> Buckets:
        found = self.buckets.get(name)
        if found is None:
            raise KeyError(f"{self.table!r} has no index {name!r}; it has: {', '.join(self.table.indexes)}")
        return found

    def buckets_of(self, value: Any) -> set[tuple[str, Hashable]]:
        """Every (index, bucket) that a value is in."""
        if value is ABSENT or not self.table.indexes:
            return set()
        return {(name, bucket) for name, function in self.table.indexes.items() for bucket in function(value)}

    def sources_held(self) -> int:
        """How many there are, of keys, buckets and the set of keys."""
        entries = (entry for buckets in self.buckets.values() for entry in buckets.values())
        of_buckets = sum(type(entry) is Listing and entry.source is not None for entry in entries)
        return len(self.sources) + of_buckets + (self.keys_read is not None)

    # --- changing ------------------------------------------------------------------------------------------------

    def write(self, written: Mapping[Any, Any], changed: list[Source]) -> bool:
        """Sets or (with ABSENT) removes values; adds the sources whose reading now differs to `changed`.

        Returns whether any value is a different one now.
        """
        values, sources = self.values, self.sources
        different = False
        for key, value in written.items():
            old = values.get(key, ABSENT)
            if old is value or (old is not ABSENT and value is not ABSENT and old == value):
                continue
            different = True
            if value is ABSENT:
                del values[key]
            else:
                values[key] = value
            if sources and (source := sources.get(key)) is not None:
                changed.append(source)
            if old is ABSENT or value is ABSENT:
                self._sorted = None
                if self.keys_read is not None:
                    changed.append(self.keys_read)
            for function, buckets in self._indexes:
                if old is ABSENT:
                    for bucket in function(value):
                        if bucket in buckets:
                            _join(buckets, bucket, key, changed)
                        else:
                            buckets[bucket] = key
                    continue
                before = function(old)
                after = () if value is ABSENT else function(value)
                if before != after:
                    for bucket in set(before).difference(after):
                        _leave(buckets, bucket, key, changed)
                    for bucket in set(after).difference(before):
                        _join(buckets, bucket, key, changed)
        return different

    def forget(self, source: Source) -> None:
        """Drops a source that nobody reads any more."""
        if source.index:
            buckets = self.buckets[source.index]
            listing = buckets.get(source.bucket)
            if type(listing) is Listing and listing.source is source:
                listing.source = None
                if not listing.members:
                    del buckets[source.bucket]
        elif source.key is None:
            self.keys_read = None
        elif self.sources.get(source.key) is source:
            del self.sources[source.key]


def _listing(entry: Any) -> Listing:
    """What a bucket holds; empty if it is ABSENT."""
    if type(entry) is Listing:
        return entry
    return Listing() if entry is ABSENT else Listing(entry)


def _join(buckets: Buckets, bucket: Hashable, key: Any, changed: list[Source]) -> None:
    """Puts a key into a bucket."""
    entry = buckets.get(bucket, ABSENT)
    if entry is ABSENT:
        buckets[bucket] = key
        return
    listing = buckets[bucket] = _listing(entry)
    listing.add(key)
    if listing.source is not None:
        changed.append(listing.source)


def _leave(buckets: Buckets, bucket: Hashable, key: Any, changed: list[Source]) -> None:
    """Takes a key out of a bucket that it is in."""
    listing = buckets[bucket]
    if type(listing) is not Listing:
        del buckets[bucket]
        return
    listing.discard(key)
    if listing.source is not None:
        changed.append(listing.source)
    elif not listing.members:
        del buckets[bucket]
