"""The vertices of the dependency graph: sources (one readable input each) and nodes (one query result each)."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING, Any, TypeAlias

from lateen.engine.errors import CycleError, EngineMisuse, QueryError, QueryFailed, show_call
from lateen.engine.inputs import Input
from lateen.engine.query import Query
from lateen.engine.statistics import QueryStatistics

if TYPE_CHECKING:
    from lateen.engine.inputs import Table
    from lateen.engine.observation import Observer


class Source:
    """One readable input that somebody read. `changed_at` is the revision of its last change; 0: none since."""

    __slots__ = ("bucket", "changed_at", "index", "key", "readers", "table")

    def __init__(self, table: Table[Any, Any], key: Any = None, index: str = "", bucket: Hashable = None) -> None:
        self.table = table
        self.key = key
        self.index = index
        self.bucket = bucket
        self.changed_at = 0
        self.readers: Collection[Node] = ()

    @property
    def input(self) -> Input:
        return Input(self.table, self.key, self.index, self.bucket)

    def __repr__(self) -> str:
        return repr(self.input)


class Node:
    """One result: of `query` with `args`. `error` is set instead of `value` when the result is an error.

    `verified_at` is the revision at which the result was last known right, `changed_at` the one at which it last became
    different. `stale` means that something it read, however indirectly, may have changed since; a node that is being
    computed or verified is stale too, so that whoever finds one that is not may take its result as it stands.
    """

    __slots__ = (
        "args", "changed_at", "counts", "cycle", "deps", "error", "observers", "query", "readers", "running", "stale",
        "value", "verified_at",
    )  # fmt: skip

    def __init__(self, query: Query[Any, Any], args: tuple[Any, ...], counts: QueryStatistics) -> None:
        self.query = query
        self.args = args
        self.counts = counts
        """Of its query, shared with the query's other nodes."""
        self.value: Any = None
        self.error: QueryError | None = None
        self.deps: tuple[Dependency, ...] = ()
        self.readers: Collection[Node] = ()
        self.changed_at = 0
        self.verified_at = -1
        self.stale = True
        self.running = False
        self.cycle: tuple[str, ...] | None = None
        self.observers: tuple[Observer, ...] = ()
        """Each once, however many observations it has of this."""

    def same_result(self, value: Any, error: QueryError | None) -> bool:
        if error is not None or self.error is not None:
            return self.error == error
        return bool(self.value is value or self.value == value)

    def result(self) -> Any:
        """The value. Raises the error when that is the result, which it is already while a cycle is being closed."""
        if self.running and self.cycle is not None:
            raise CycleError(self.cycle)
        if self.error is not None:
            # The traceback of an earlier reader would grow with every raise.
            raise self.error.with_traceback(None)
        return self.value

    def __repr__(self) -> str:
        return show_call(self.query.name, self.args)


Dependency: TypeAlias = Source | Node


def add_reader(dependencies: Collection[Dependency], reader: Node) -> None:
    """`reader` reads each of these from now on.

    Most dependencies have one reader or none, and an empty set takes 216 bytes: it is one only of two and more.
    """
    for dependency in dependencies:
        readers = dependency.readers
        if type(readers) is set:
            readers.add(reader)
        elif not readers:
            dependency.readers = (reader,)
        elif reader not in readers:
            dependency.readers = {*readers, reader}


def remove_reader(dependency: Dependency, reader: Node) -> None:
    """`reader` does not read it any more."""
    readers = dependency.readers
    if type(readers) is set:
        readers.discard(reader)
    elif reader in readers:
        dependency.readers = ()


def as_result(raised: Exception, node: Node) -> QueryError:
    """What a query raised, as its result: faults of the query become QueryFailed. Raises again what is no result."""
    if isinstance(raised, QueryError):
        return raised.with_traceback(None)
    if isinstance(raised, (RecursionError, MemoryError, EngineMisuse)):
        raise raised
    return QueryFailed(repr(node), raised)
