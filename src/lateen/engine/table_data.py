"""The data of one table: values, index buckets, and the sources that queries have read."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from lateen.engine.inputs import Input, Table
from lateen.engine.node import Source

ABSENT: Any = object()


class Listing:
    """A set of keys, and its sorted tuple, made when first asked for after a change."""

    __slots__ = ("_sorted", "members", "source")

    def __init__(self) -> None:
        self.members: set[Any] = set()
        self.source: Source | None = None
        self._sorted: tuple[Any, ...] | None = None

    def sorted(self) -> tuple[Any, ...]:
        if self._sorted is None:
            self._sorted = tuple(sorted(self.members))
        return self._sorted

    def change(self, key: Any, present: bool) -> None:
        self._sorted = None
        if present:
            self.members.add(key)
        else:
            self.members.discard(key)


class TableData:
    """Mutable; changed by the engine's transactions alone."""

    __slots__ = ("buckets", "keys", "sources", "table", "values")

    def __init__(self, table: Table[Any, Any]) -> None:
        self.table = table
        self.values: dict[Any, Any] = {}
        self.keys = Listing()
        self.buckets: dict[tuple[str, Hashable], Listing] = {}
        self.sources: dict[Any, Source] = {}

    def value_source(self, key: Any) -> Source:
        source = self.sources.get(key)
        if source is None:
            source = self.sources[key] = Source(Input(self.table, key))
        return source

    def keys_source(self) -> Source:
        if self.keys.source is None:
            self.keys.source = Source(Input(self.table))
        return self.keys.source

    def bucket_source(self, index: str, bucket: Hashable) -> Source:
        listing = self.listing(index, bucket)
        if listing.source is None:
            listing.source = Source(Input(self.table, None, index, bucket))
        return listing.source

    def members(self, index: str, bucket: Hashable) -> Listing:
        """The keys in one bucket, to read. Raises KeyError when the table has no such index."""
        if index not in self.table.indexes:
            raise KeyError(f"{self.table!r} has no index {index!r}; it has: {', '.join(self.table.indexes)}")
        return self.buckets.get((index, bucket)) or Listing()

    def listing(self, index: str, bucket: Hashable) -> Listing:
        """The keys in one bucket, to hold a source or to change."""
        listing = self.members(index, bucket)
        self.buckets[index, bucket] = listing
        return listing

    def write(self, key: Any, value: Any, changed: list[Source]) -> None:
        """Sets or (with ABSENT) removes one value; adds the sources whose reading now differs to `changed`."""
        old = self.values.get(key, ABSENT)
        if old is value or (old is not ABSENT and value is not ABSENT and old == value):
            return
        before, after = self.buckets_of(old), self.buckets_of(value)
        if value is ABSENT:
            del self.values[key]
        else:
            self.values[key] = value
        if (source := self.sources.get(key)) is not None:
            changed.append(source)
        if (old is ABSENT) != (value is ABSENT):
            self.keys.change(key, value is not ABSENT)
            if self.keys.source is not None:
                changed.append(self.keys.source)
        for place in before ^ after if before else after:
            listing = self.buckets.get(place)
            if listing is None:
                listing = self.buckets[place] = Listing()
            listing.change(key, place in after)
            if listing.source is not None:
                changed.append(listing.source)
            elif not listing.members:
                del self.buckets[place]

    def buckets_of(self, value: Any) -> set[tuple[str, Hashable]]:
        """Every (index, bucket) that a value is in."""
        if value is ABSENT or not self.table.indexes:
            return set()
        return {(name, bucket) for name, function in self.table.indexes.items() for bucket in function(value)}

    def forget(self, source: Source) -> None:
        """Drops a source that nobody reads any more."""
        read = source.input
        if read.index:
            listing = self.buckets.get((read.index, read.bucket))
            if listing is not None and listing.source is source:
                listing.source = None
                if not listing.members:
                    del self.buckets[read.index, read.bucket]
        elif read.key is None:
            self.keys.source = None
        elif self.sources.get(read.key) is source:
            del self.sources[read.key]
