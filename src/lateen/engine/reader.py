"""What a query is given to read with: it records every read as a dependency of the query."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol, TypeVar

from lateen.engine.errors import EngineMisuse
from lateen.engine.inputs import Table
from lateen.engine.node import Dependency, Node, Source
from lateen.engine.query import Query

R = TypeVar("R")

_FINISHED = (
    "a reader was used after its query had returned (a generator or closure kept it?): read everything before returning"
)


class World(Protocol):
    """One consistent set of inputs with the results over it: the engine itself, or an overlay."""

    def node(self, query: Query[Any, Any], args: tuple[Any, ...]) -> Node:
        """The up-to-date node of a query."""

    def value(self, table: Table[Any, Any], key: Any) -> tuple[Source, Any]: ...

    def keys(self, table: Table[Any, Any]) -> tuple[Source, tuple[Any, ...]]: ...

    def bucket(self, table: Table[Any, Any], index: str, bucket: Hashable) -> tuple[Source, tuple[Any, ...]]: ...


class Reader:
    """Reads inputs and other queries on behalf of one running query. Unusable once that query has returned."""

    __slots__ = ("_reads", "_world")

    def __init__(self, world: World) -> None:
        self._world = world
        self._reads: dict[Dependency, None] | None = {}

    def demand(self, query: Query[Any, R], args: tuple[Any, ...]) -> R:
        """The query's result. Raises its error when that is its result."""
        reads = self._reads
        if reads is None:
            raise EngineMisuse(_FINISHED)
        node = self._world.node(query, args)
        reads[node] = None
        result: R = node.result()
        return result

    def read_value(self, table: Table[Any, Any], key: Any) -> Any:
        reads = self._reads
        if reads is None:
            raise EngineMisuse(_FINISHED)
        source, value = self._world.value(table, key)
        reads[source] = None
        return value

    def read_keys(self, table: Table[Any, Any]) -> tuple[Any, ...]:
        reads = self._recording()
        source, keys = self._world.keys(table)
        reads[source] = None
        return keys

    def read_bucket(self, table: Table[Any, Any], index: str, bucket: Hashable) -> tuple[Any, ...]:
        reads = self._recording()
        source, keys = self._world.bucket(table, index, bucket)
        reads[source] = None
        return keys

    def finish(self) -> tuple[Dependency, ...]:
        """Ends the recording: what was read, in the order of first reads."""
        reads = self._recording()
        self._reads = None
        return tuple(reads)

    def _recording(self) -> dict[Dependency, None]:
        if self._reads is None:
            raise EngineMisuse(_FINISHED)
        return self._reads
