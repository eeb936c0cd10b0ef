"""Inputs: the cells and tables that transactions write and queries read.

A `Table` or `Cell` is a declaration without data, so it may be a module constant; each engine and overlay holds its own
data for it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from lateen.engine.reader import Reader

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

IndexFunction = Callable[[Any], tuple[Hashable, ...]]


class Table(Generic[K, V]):
    """A keyed collection of immutable values. Keys are hashable and can be sorted among themselves.

    `indexes` name functions from a value to the buckets it is in. A read depends on exactly what was read: one key
    (present or absent), the set of all keys, or the set of keys of one bucket.
    """

    __slots__ = ("indexes", "name")

    def __init__(self, name: str, indexes: Mapping[str, IndexFunction] | None = None) -> None:
        self.name = name
        self.indexes = dict(indexes or {})

    def get(self, db: Reader, key: K) -> V | None:
        """The value at `key`; None when there is none (which is a dependency as well)."""
        data = db.tables.get(self)
        value: V | None
        if data is not None:
            db.reads[data.sources.get(key) or data.value_source(key)] = None
            value = data.values.get(key)
        else:
            source, value = db.world.value(self, key)
            db.reads[source] = None
        return value

    def keys(self, db: Reader) -> tuple[K, ...]:
        """All keys, sorted. Depends on which keys there are, not on the values."""
        return db.read_keys(self)

    def where(self, db: Reader, index: str, bucket: Hashable) -> tuple[K, ...]:
        """The keys whose values the index puts in `bucket`, sorted. Depends on that bucket's membership alone."""
        return db.read_bucket(self, index, bucket)

    def __repr__(self) -> str:
        return f"<table {self.name}>"


class Cell(Generic[V]):
    """A single immutable value with a default."""

    __slots__ = ("default", "table")

    def __init__(self, name: str, default: V) -> None:
        self.default = default
        self.table: Table[str, V] = Table(name)

    def get(self, db: Reader) -> V:
        value = self.table.get(db, "")
        return self.default if value is None else value

    def __repr__(self) -> str:
        return f"<cell {self.table.name}>"


class Input:
    """Names one thing that can be read, for provenance: a table's key, its key set, or a bucket of an index."""

    __slots__ = ("bucket", "index", "key", "table")

    def __init__(self, table: Table[Any, Any], key: Any = None, index: str = "", bucket: Any = None) -> None:
        self.table = table
        self.key = key
        self.index = index
        self.bucket = bucket

    @property
    def is_value(self) -> bool:
        return not self.index and self.key is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Input) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[Any, ...]:
        return (self.table, self.key, self.index, self.bucket)

    def __repr__(self) -> str:
        if self.index:
            return f"{self.table.name}[{self.index}={self.bucket!r}]"
        return f"{self.table.name}[{self.key!r}]" if self.key is not None else f"{self.table.name}[*]"
