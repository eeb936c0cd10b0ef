"""A hypothetical world on top of one revision of an engine: for diffs, what-ifs, webhooks and snapshots.

An overlay is its engine's revision plus some writes. A result that those writes do not reach is the engine's own; one
they reach is computed here, unless everything it read turns out the same. When the engine moves on, the overlay keeps
the old values of what changed as writes of its own, so that it stays at its revision: a snapshot is an overlay without
writes.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from lateen.engine.errors import CycleError, QueryError
from lateen.engine.inputs import Table
from lateen.engine.node import Dependency, Node, Source, as_result
from lateen.engine.query import Query
from lateen.engine.reader import Reader
from lateen.engine.statistics import QueryStatistics
from lateen.engine.table_data import ABSENT, TableData
from lateen.engine.transaction import Writes

if TYPE_CHECKING:
    from lateen.engine.engine import Engine

P = ParamSpec("P")
R = TypeVar("R")


class Overlay:
    """Made by `Engine.overlay`. Discard it when done: it holds what it computed."""

    def __init__(self, engine: Engine, writes: Writes) -> None:
        self.revision = engine.revision
        self.computed = 0
        """Runs of query functions on behalf of this overlay."""
        self._engine = engine
        self._writes: Writes = {table: dict(written) for table, written in writes.items()}
        self.nodes: dict[Query[Any, Any], dict[tuple[Any, ...], Node]] = {}
        """Results that this world has for itself."""
        self.tables: Mapping[Table[Any, Any], TableData] = {}
        """None: every table is the engine's beneath the writes."""
        self._borrowed: dict[Node, int] = {}
        """Results of the engine that were found right here too, by when they had changed last: later ones are not."""
        self._stack: list[Node] = []
        self._written_in: dict[Table[Any, Any], Mapping[tuple[str, Hashable], set[Any]]] = {}
        """Keys of the writes by index and bucket, once asked for: one value may be in thousands of buckets."""
        self._sources: dict[tuple[Table[Any, Any], Any, str, Hashable], Source] = {}
        self._reached: set[Node] | None = None
        self._reached_at = -1
        self._counts = QueryStatistics()
        """Of private results: `computed` tells all there is to tell of them."""

    def get(self, query: Query[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result in this world. Raises the error when that is the result."""
        if kwargs:
            raise TypeError(f"{query.name}: query arguments are positional (they are the key of the result)")
        result: R = self.node(query, args).result()
        return result

    def differs(self, node: Node) -> bool:
        """Whether this world's result differs from the one that `node` of the engine holds now."""
        here = self.node(node.query, node.args)
        return here is not node and not node.same_result(here.value, here.error)

    def keep_old(self, table: Table[Any, Any], values: dict[Any, Any]) -> None:
        """The engine is about to change inputs: this world keeps the values they have (called by the engine)."""
        kept = self._writes.setdefault(table, {})
        for key, value in values.items():
            kept.setdefault(key, value)
        self._written_in.pop(table, None)
        self._reached = None

    # --- the world that queries read ---------------------------------------------------------------------------

    def node(self, query: Query[Any, Any], args: tuple[Any, ...]) -> Node:
        here = self.nodes.setdefault(query, {}).get(args)
        if here is not None:
            if here.running:
                self._close_cycle(here)
            return here
        base = self._engine.peek(query, args)
        if base is not None:
            if self._borrowed.get(base, -1) == base.changed_at:
                return base
            if not base.stale:
                if base not in self._closure():
                    return base
                if base.cycle is None and self._reads_the_same(base):
                    self._borrowed[base] = base.changed_at
                    return base
        return self._compute(query, args, base)

    def value(self, table: Table[Any, Any], key: Any) -> tuple[Source, Any]:
        value = self._writes.get(table, _NOTHING).get(key)
        if value is None:
            value = self._engine.data(table).values.get(key)
        return self._source(table, key), None if value is ABSENT else value

    def keys(self, table: Table[Any, Any]) -> tuple[Source, tuple[Any, ...]]:
        data = self._engine.data(table)
        written = self._writes.get(table)
        if not written:
            return self._source(table), data.keys()
        members = {k for k in data.values if k not in written}
        members.update(k for k, v in written.items() if v is not ABSENT)
        return self._source(table), tuple(sorted(members))

    def bucket(self, table: Table[Any, Any], index: str, bucket: Hashable) -> tuple[Source, tuple[Any, ...]]:
        data = self._engine.data(table)
        source = self._source(table, None, index, bucket)
        written = self._writes.get(table)
        if not written:
            return source, data.members(index, bucket).sorted()
        members = {k for k in data.members(index, bucket).members if k not in written}
        members.update(self._written(table).get((index, bucket), ()))
        return source, tuple(sorted(members))

    def _written(self, table: Table[Any, Any]) -> Mapping[tuple[str, Hashable], set[Any]]:
        found = self._written_in.get(table)
        if found is None:
            data = self._engine.data(table)
            listed: dict[tuple[str, Hashable], set[Any]] = {}
            for key, value in self._writes[table].items():
                for place in data.buckets_of(value):
                    listed.setdefault(place, set()).add(key)
            found = self._written_in[table] = listed
        return found

    # --- computing -------------------------------------------------------------------------------------------

    def _compute(self, query: Query[Any, Any], args: tuple[Any, ...], base: Node | None) -> Node:
        node = self.nodes[query][args] = Node(query, args, self._counts)
        node.running = True
        reader = Reader(self)
        self._stack.append(node)
        self.computed += 1
        value: Any = None
        error: QueryError | None = None
        try:
            try:
                value = query.function(reader, *args)
            except Exception as raised:
                error = as_result(raised, node)
        except BaseException:
            del self.nodes[query][args]
            raise
        finally:
            self._stack.pop()
            node.running = False
        node.deps = reader.finish()
        if node.cycle is not None:
            value, error = None, CycleError(node.cycle)
        if base is not None and not base.stale and base.same_result(value, error):
            # The engine's own node stands for an equal result, so that readers can tell by identity.
            del self.nodes[query][args]
            self._borrowed[base] = base.changed_at
            return base
        node.value, node.error, node.stale = value, error, False
        return node

    def _reads_the_same(self, base: Node) -> bool:
        """Whether everything that the engine's result read is the same in this world, asked in reading order."""
        for dependency in base.deps:
            if isinstance(dependency, Source):
                if self._differs_here(dependency):
                    return False
            elif self.node(dependency.query, dependency.args) is not dependency:
                return False
        return True

    def _differs_here(self, read: Source) -> bool:
        if read.index:
            theirs = self._engine.data(read.table).members(read.index, read.bucket).sorted()
            return self.bucket(read.table, read.index, read.bucket)[1] != theirs
        if read.key is None:
            return self.keys(read.table)[1] != self._engine.data(read.table).keys()
        value = self.value(read.table, read.key)[1]
        current = self._engine.data(read.table).values.get(read.key)
        return bool(value is not current and value != current)

    def _closure(self) -> set[Node]:
        """The engine's results that this world's writes may reach; found anew when the engine's graph has grown."""
        if self._reached is None or self._reached_at != self._engine.computations:
            self._reached = set()
            self._reached_at = self._engine.computations
            pending: list[Dependency] = []
            for table, written in self._writes.items():
                pending.extend(self._touched(table, written))
            while pending:
                for reader in pending.pop().readers:
                    if reader not in self._reached:
                        self._reached.add(reader)
                        pending.append(reader)
        return self._reached

    def _touched(self, table: Table[Any, Any], written: dict[Any, Any]) -> list[Source]:
        """The engine's sources that read differently here, or might."""
        data = self._engine.data(table)
        found = [data.sources[key] for key in written if key in data.sources]
        if data.keys_read is not None:
            found.append(data.keys_read)
        for key, value in written.items():
            places = data.buckets_of(value) ^ data.buckets_of(data.values.get(key, ABSENT))
            listings = (data.members(index, bucket) for index, bucket in places)
            found.extend(listing.source for listing in listings if listing.source is not None)
        return found

    def _close_cycle(self, node: Node) -> None:
        members = self._stack[self._stack.index(node) :]
        cycle = tuple(sorted(repr(member) for member in members))
        for member in members:
            if member.cycle is None:
                member.cycle = cycle

    def _source(self, table: Table[Any, Any], key: Any = None, index: str = "", bucket: Hashable = None) -> Source:
        identity = (table, key, index, bucket)
        source = self._sources.get(identity)
        if source is None:
            source = self._sources[identity] = Source(*identity)
        return source


_NOTHING: Final[Mapping[Any, Any]] = {}
