"""A hypothetical world on top of one revision of an engine: for diffs, what-ifs, webhooks and snapshots.

An overlay is its engine's revision plus some writes. A result that those writes do not reach is the engine's own; one
they reach is computed here, unless everything it read turns out the same. When the engine moves on, the overlay keeps
the old values of what changed as writes of its own, so that it stays at its revision: a snapshot is an overlay without
writes.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from lateen.engine.errors import CycleError, QueryError
from lateen.engine.inputs import Input, Table
from lateen.engine.node import Dependency, Node, Source
from lateen.engine.query import Query
from lateen.engine.reader import Reader
from lateen.engine.statistics import QueryStatistics
from lateen.engine.table_data import ABSENT

if TYPE_CHECKING:
    from lateen.engine.engine import Engine

P = ParamSpec("P")
R = TypeVar("R")

Writes = dict[tuple[Table[Any, Any], Any], Any]


class Overlay:
    """Made by `Engine.overlay`. Discard it when done: it holds what it computed."""

    def __init__(self, engine: Engine, writes: Writes) -> None:
        self.revision = engine.revision
        self.computed = 0
        """Runs of query functions on behalf of this overlay."""
        self._engine = engine
        self._writes: Writes = dict(writes)
        self._by_table: dict[Table[Any, Any], dict[Any, Any]] = {}
        for (table, key), value in writes.items():
            self._by_table.setdefault(table, {})[key] = value
        self._results: dict[tuple[Query[Any, Any], tuple[Any, ...]], Node] = {}
        self._stack: list[Node] = []
        self._sources: dict[Input, Source] = {}
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

    def keep_old(self, table: Table[Any, Any], key: Any, value: Any) -> None:
        """The engine is about to change an input: this world keeps the value it has (called by the engine)."""
        if (table, key) not in self._writes:
            self._writes[table, key] = value
            self._by_table.setdefault(table, {})[key] = value
        self._reached = None

    # --- the world that queries read ---------------------------------------------------------------------------

    def node(self, query: Query[Any, Any], args: tuple[Any, ...]) -> Node:
        here = self._results.get((query, args))
        if here is not None:
            if here.running:
                self._close_cycle(here)
            return here
        base = self._engine.peek(query, args)
        if base is not None and not base.stale and not base.running:
            if base not in self._closure():
                return base
            if base.cycle is None and self._reads_the_same(base):
                self._results[query, args] = base
                return base
        return self._compute(query, args, base)

    def value(self, table: Table[Any, Any], key: Any) -> tuple[Source, Any]:
        value = self._writes.get((table, key), None)
        if value is None:
            value = self._engine.data(table).values.get(key)
        return self._source(Input(table, key)), None if value is ABSENT else value

    def keys(self, table: Table[Any, Any]) -> tuple[Source, tuple[Any, ...]]:
        listing = self._engine.data(table).keys
        written = self._by_table.get(table)
        if not written:
            return self._source(Input(table)), listing.sorted()
        members = {k for k in listing.members if k not in written}
        members.update(k for k, v in written.items() if v is not ABSENT)
        return self._source(Input(table)), tuple(sorted(members))

    def bucket(self, table: Table[Any, Any], index: str, bucket: Hashable) -> tuple[Source, tuple[Any, ...]]:
        data = self._engine.data(table)
        source = self._source(Input(table, None, index, bucket))
        written = self._by_table.get(table)
        if not written:
            return source, data.members(index, bucket).sorted()
        members = {k for k in data.members(index, bucket).members if k not in written}
        members.update(k for k, v in written.items() if (index, bucket) in data.buckets_of(v))
        return source, tuple(sorted(members))

    # --- computing -------------------------------------------------------------------------------------------

    def _compute(self, query: Query[Any, Any], args: tuple[Any, ...], base: Node | None) -> Node:
        from lateen.engine.engine import run

        node = self._results[query, args] = Node(query, args, self._counts)
        node.running = True
        reader = Reader(self)
        self._stack.append(node)
        self.computed += 1
        value: Any = None
        error: QueryError | None = None
        try:
            value, error = run(query, args, reader)
        except BaseException:
            del self._results[query, args]
            raise
        finally:
            self._stack.pop()
            node.running = False
        if node.cycle is not None:
            value, error = None, CycleError(node.cycle)
        if base is not None and not base.stale and base.same_result(value, error):
            # The engine's own node stands for an equal result, so that readers can tell by identity.
            self._results[query, args] = base
            return base
        node.deps = reader.finish()
        node.value, node.error, node.stale = value, error, False
        return node

    def _reads_the_same(self, base: Node) -> bool:
        """Whether everything that the engine's result read is the same in this world, asked in reading order."""
        for dependency in base.deps:
            if isinstance(dependency, Source):
                if self._differs_here(dependency.input):
                    return False
            elif self.node(dependency.query, dependency.args) is not dependency:
                return False
        return True

    def _differs_here(self, read: Input) -> bool:
        if read.index:
            theirs = self._engine.data(read.table).members(read.index, read.bucket).sorted()
            return self.bucket(read.table, read.index, read.bucket)[1] != theirs
        if read.key is None:
            return self.keys(read.table)[1] != self._engine.data(read.table).keys.sorted()
        value = self.value(read.table, read.key)[1]
        current = self._engine.data(read.table).values.get(read.key)
        return bool(value is not current and value != current)

    def _closure(self) -> set[Node]:
        """The engine's results that this world's writes may reach; found anew when the engine's graph has grown."""
        if self._reached is None or self._reached_at != self._engine.computations:
            self._reached = set()
            self._reached_at = self._engine.computations
            pending: list[Dependency] = []
            for table, written in self._by_table.items():
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
        if data.keys.source is not None:
            found.append(data.keys.source)
        for key, value in written.items():
            places = data.buckets_of(value) ^ data.buckets_of(data.values.get(key, ABSENT))
            found.extend(s for p in places if p in data.buckets and (s := data.buckets[p].source) is not None)
        return found

    def _close_cycle(self, node: Node) -> None:
        members = self._stack[self._stack.index(node) :]
        cycle = tuple(sorted(repr(member) for member in members))
        for member in members:
            if member.cycle is None:
                member.cycle = cycle

    def _source(self, read: Input) -> Source:
        source = self._sources.get(read)
        if source is None:
            source = self._sources[read] = Source(read)
        return source
