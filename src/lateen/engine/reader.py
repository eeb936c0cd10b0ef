"""What a query is given to read with: it records every read as a dependency of the query."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final, NoReturn, Protocol

from lateen.engine.errors import EngineMisuse
from lateen.engine.inputs import Table
from lateen.engine.node import Dependency, Node, Source
from lateen.engine.query import Query
from lateen.engine.table_data import TableData

Nodes = Mapping[Query[Any, Any], Mapping[tuple[Any, ...], Node]]
Tables = Mapping[Table[Any, Any], TableData]


class World(Protocol):
    """One consistent set of inputs with the results over it: the engine itself, or an overlay."""

    @property
    def nodes(self) -> Nodes:
        """Nodes by query and arguments. One that is here and not stale may be taken without asking `node`."""

    @property
    def tables(self) -> Tables:
        """Tables whose data is here may be read without asking `value`."""

    def node(self, query: Query[Any, Any], args: tuple[Any, ...]) -> Node:
        """The up-to-date node of a query."""

    def value(self, table: Table[Any, Any], key: Any) -> tuple[Source, Any]: ...

    def keys(self, table: Table[Any, Any]) -> tuple[Source, tuple[Any, ...]]: ...

    def bucket(self, table: Table[Any, Any], index: str, bucket: Hashable) -> tuple[Source, tuple[Any, ...]]: ...


class Reader:
    """Reads inputs and other queries on behalf of one running query. Unusable once that query has returned.

    Queries and tables look into `nodes` and `tables` themselves, ask `world` for what is not there, and record in
    `reads` what they gave: a call less each, of which a mesh makes hundreds of thousands.
    """

    __slots__ = ("nodes", "reads", "tables", "world")

    def __init__(self, world: World) -> None:
        self.world = world
        self.nodes = world.nodes
        self.tables = world.tables
        self.reads: dict[Dependency, None] = {}

    def read_keys(self, table: Table[Any, Any]) -> tuple[Any, ...]:
        source, keys = self.world.keys(table)
        self.reads[source] = None
        return keys

    def read_bucket(self, table: Table[Any, Any], index: str, bucket: Hashable) -> tuple[Any, ...]:
        source, keys = self.world.bucket(table, index, bucket)
        self.reads[source] = None
        return keys

    def finish(self) -> tuple[Dependency, ...]:
        """Ends the recording: what was read, in the order of first reads."""
        self.world = _FINISHED
        self.nodes = self.tables = _NOTHING
        return tuple(self.reads)


class _Finished:
    """The world of a reader whose query has returned."""

    nodes: Nodes = {}
    tables: Tables = {}

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise EngineMisuse(
            "a reader was used after its query had returned (a generator or closure kept it?): "
            "read everything before returning"
        )

    node = value = keys = bucket = _refuse


_FINISHED: Final = _Finished()
_NOTHING: Final[Mapping[Any, Any]] = {}
