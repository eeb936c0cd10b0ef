"""The engine: holds inputs and results, marks what a change reaches, recomputes what is demanded.

Single-threaded: one thread (or event loop) owns an engine; no call awaits.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from lateen.engine.errors import CycleError, EngineMisuse, QueryError
from lateen.engine.inputs import Table
from lateen.engine.node import Dependency, Node, Source, add_reader, as_result, remove_reader
from lateen.engine.observation import Observation, Observer
from lateen.engine.overlay import Overlay
from lateen.engine.provenance import Explanation, explain
from lateen.engine.query import Query
from lateen.engine.reader import Reader
from lateen.engine.statistics import QueryStatistics, Statistics
from lateen.engine.table_data import ABSENT, TableData
from lateen.engine.transaction import Transaction

P = ParamSpec("P")
R = TypeVar("R")


class Engine:
    """`keep` bounds how many results are held that were demanded once and are not observed."""

    def __init__(self, *, keep: int = 1024) -> None:
        self.revision = 0
        self._keep = keep
        self.tables: dict[Table[Any, Any], TableData] = {}
        self.nodes: dict[Query[Any, Any], dict[tuple[Any, ...], Node]] = {}
        """Every result held, by query and arguments; read by readers and overlays."""
        self._recent: OrderedDict[Node, None] = OrderedDict()
        self._stack: list[Node] = []
        self._demands = 0
        """Depth of demands from outside; orphans are dropped when it returns to zero."""
        self._orphans: set[Dependency] = set()
        self._observer = Observer(self)
        self._changing = False
        self._overlays: weakref.WeakSet[Overlay] = weakref.WeakSet()
        self._counters: dict[Query[Any, Any], QueryStatistics] = {}
        self._marked = 0
        self._dropped = 0
        self.computations = 0
        """Grows with every run of a query's function; tells overlays that the graph may have new edges."""

    # --- changing --------------------------------------------------------------------------------------------

    @contextmanager
    def change(self) -> Iterator[Transaction]:
        """Writes made inside become visible together at the end; none do when the block raises.

        They make one new revision, or none when everything is as it was. Costs the values written plus the results
        that (transitively) read them.
        """
        if self._stack:
            raise EngineMisuse(f"{self._stack[-1]!r} tried to change inputs: queries are pure")
        if self._changing:
            raise EngineMisuse("changes cannot be nested")
        self._changing = True
        transaction = Transaction()
        try:
            yield transaction
        finally:
            self._changing = False
            transaction.close()
        self._commit(transaction)

    def _commit(self, transaction: Transaction) -> None:
        changed: list[Source] = []
        different = False
        overlays = tuple(self._overlays)
        for table, written in transaction.writes.items():
            data = self.data(table)
            for overlay in overlays:
                overlay.keep_old(table, {key: data.values.get(key, ABSENT) for key in written})
            different |= data.write(written, changed)
        if not different:
            return
        self.revision += 1
        for source in changed:
            source.changed_at = self.revision
        self._mark(changed)

    def _mark(self, changed: list[Source]) -> None:
        """Marks everything that read the changed sources; stops at what is marked already."""
        # A bucket is in the list as often as its membership changed.
        pending: list[Dependency] = list(dict.fromkeys(changed))
        while pending:
            for reader in pending.pop().readers:
                if not reader.stale:
                    reader.stale = True
                    self._marked += 1
                    for observer in reader.observers:
                        observer.reached(reader)
                    pending.append(reader)

    # --- demanding -------------------------------------------------------------------------------------------

    def get(self, query: Query[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of a query now. Raises the error when that is its result."""
        _positional(query, kwargs)
        self._enter()
        try:
            node = self.node(query, args)
            self._recent[node] = None
            self._recent.move_to_end(node)
            while len(self._recent) > self._keep:
                forgotten, _ = self._recent.popitem(last=False)
                self._orphans.add(forgotten)
        finally:
            self._leave()
        result: R = node.result()
        return result

    def observer(self) -> Observer:
        """A party of its own that observes results, and learns of its own stale ones whatever others take."""
        return Observer(self)

    def observe(self, query: Query[P, R], *args: P.args, **kwargs: P.kwargs) -> Observation[R]:
        """A standing demand for a query's result, computed now; of the engine's own observer."""
        return self._observer.observe(query, *args, **kwargs)

    def take_stale(self) -> list[Node]:
        """Results of `observe` that changes have reached since the last call (they may yet turn out the same)."""
        return self._observer.take_stale()

    def refresh(self, node: Node) -> None:
        """Brings a held node up to date."""
        if node.stale:
            self._enter()
            try:
                self._update(node)
            finally:
                self._leave()

    def hold(self, observer: Observer, query: Query[P, R], *args: P.args, **kwargs: P.kwargs) -> Node:
        """The up-to-date node of a query, held from now on by an observer."""
        _positional(query, kwargs)
        self._enter()
        try:
            node = self.node(query, args)
            if not node.observers:
                node.observers = observer.alone
            elif observer not in node.observers:
                node.observers = (*node.observers, observer)
        finally:
            self._leave()
        return node

    def let_go(self, node: Node) -> None:
        """An observer no longer holds a node: it is dropped unless somebody else demands it."""
        self._enter()
        self._orphans.add(node)
        self._leave()

    def overlay(self, change: Callable[[Transaction], None] | None = None) -> Overlay:
        """A hypothetical world: this revision with `change` on top, unaffected by later changes of the engine.

        Without a change it is a snapshot. Results that the change does not reach are shared with the engine.
        """
        transaction = Transaction()
        if change is not None:
            change(transaction)
        transaction.close()
        overlay = Overlay(self, transaction.writes)
        self._overlays.add(overlay)
        return overlay

    # --- the world that queries read ---------------------------------------------------------------------------

    def node(self, query: Query[Any, Any], args: tuple[Any, ...]) -> Node:
        """The up-to-date node of a query; for readers and observers."""
        nodes = self.nodes.get(query)
        if nodes is None:
            nodes = self.nodes[query] = {}
            self._counters[query] = QueryStatistics()
        node = nodes.get(args)
        if node is None:
            node = nodes[args] = Node(query, args, self._counters[query])
            self._compute(node)
        elif node.stale:
            self._update(node)
        else:
            node.counts.hits += 1
        return node

    def value(self, table: Table[Any, Any], key: Any) -> tuple[Source, Any]:
        data = self.data(table)
        return data.value_source(key), data.values.get(key)

    def keys(self, table: Table[Any, Any]) -> tuple[Source, tuple[Any, ...]]:
        data = self.data(table)
        return data.keys_source(), data.keys()

    def bucket(self, table: Table[Any, Any], index: str, bucket: Hashable) -> tuple[Source, tuple[Any, ...]]:
        listing = self.data(table).listing(index, bucket)
        assert listing.source is not None
        return listing.source, listing.sorted()

    def data(self, table: Table[Any, Any]) -> TableData:
        """The data of a table."""
        data = self.tables.get(table)
        if data is None:
            data = self.tables[table] = TableData(table)
        return data

    def peek(self, query: Query[Any, Any], args: tuple[Any, ...]) -> Node | None:
        """The node as it is, up to date or not, if there is one."""
        nodes = self.nodes.get(query)
        return nodes.get(args) if nodes is not None else None

    # --- computing -------------------------------------------------------------------------------------------

    def _update(self, node: Node) -> None:
        if node.running:
            self._close_cycle(node)
            return
        # What was cyclic is computed anew: its dependencies lead back to itself.
        if node.verified_at >= 0 and node.cycle is None:
            differs = self._read_something_new(node)
            if node.cycle is not None:
                self._remember(node, None, CycleError(node.cycle))
                return
            if not differs:
                node.verified_at = self.revision
                node.stale = False
                node.counts.verified += 1
                return
        self._compute(node)

    def _read_something_new(self, node: Node) -> bool:
        """Whether any dependency differs from what the node saw, updating them in the order they were read.

        The order matters: a later read may only have happened because of what an earlier one gave. For the same
        reason a dependency that now needs this node closes a true cycle: all reads before it gave what they gave then.
        """
        node.running = True
        self._stack.append(node)
        try:
            for dependency in node.deps:
                if isinstance(dependency, Node) and (dependency.stale or dependency.running):
                    self._update(dependency)
                if dependency.changed_at > node.verified_at or node.cycle is not None:
                    return True
        finally:
            self._stack.pop()
            node.running = False
        return False

    def _compute(self, node: Node) -> None:
        node.counts.computed += 1
        self.computations += 1
        reader = Reader(self)
        value: Any = None
        error: QueryError | None = None
        node.running = True
        node.cycle = None
        self._stack.append(node)
        try:
            try:
                value = node.query.function(reader, *node.args)
            except Exception as raised:
                error = as_result(raised, node)
        except BaseException:
            # Interrupted, out of memory or too deep: nothing is known of the result, so nothing is remembered.
            self._link(node, ())
            node.verified_at = -1
            node.stale = True
            self._orphans.add(node)
            raise
        finally:
            self._stack.pop()
            node.running = False
        if node.cycle is not None:
            value, error = None, CycleError(node.cycle)
        deps = reader.finish()
        if not node.deps:
            node.deps = deps
            add_reader(deps, node)
        elif deps != node.deps:
            self._link(node, deps)
        self._remember(node, value, error)

    def _remember(self, node: Node, value: Any, error: QueryError | None) -> None:
        if node.verified_at >= 0 and node.same_result(value, error):
            node.counts.cutoffs += 1
        else:
            node.value, node.error, node.changed_at = value, error, self.revision
        node.verified_at = self.revision
        node.stale = False

    def _close_cycle(self, node: Node) -> None:
        """`node` is being computed and was demanded again: everything computed since is on the cycle.

        Its result is a CycleError from now on (`Node.result`); that it was read must still be recorded.
        """
        members = self._stack[self._stack.index(node) :]
        cycle = tuple(sorted(repr(member) for member in members))
        for member in members:
            if member.cycle is None:
                member.cycle = cycle

    def _link(self, node: Node, deps: tuple[Dependency, ...]) -> None:
        old = node.deps
        node.deps = deps
        add_reader(deps, node)
        if old:
            kept = set(deps)
            for dependency in old:
                if dependency not in kept:
                    remove_reader(dependency, node)
                    if _may_be_orphan(dependency):
                        self._orphans.add(dependency)

    # --- forgetting ------------------------------------------------------------------------------------------

    def _enter(self) -> None:
        """Begins a demand from outside; `_leave` ends it whatever came of it."""
        if self._changing:
            raise EngineMisuse("results cannot be demanded inside a change: end it first")
        if self._stack:
            raise EngineMisuse(f"{self._stack[-1]!r} asked the engine itself: a query reads through its reader")
        self._demands += 1

    def _leave(self) -> None:
        self._demands -= 1
        if self._orphans and not self._demands:
            self._sweep()

    def _sweep(self) -> None:
        """Drops what nobody reads, observes or demanded recently, and then what only that had read."""
        pending, self._orphans = self._orphans, set()
        while pending:
            found = pending.pop()
            if isinstance(found, Source):
                if not found.readers:
                    self.data(found.table).forget(found)
                continue
            if self.peek(found.query, found.args) is not found or self._wanted(found):
                continue
            del self.nodes[found.query][found.args]
            self._dropped += 1
            for dependency in found.deps:
                remove_reader(dependency, found)
                if _may_be_orphan(dependency):
                    pending.add(dependency)

    def _wanted(self, node: Node) -> bool:
        """Whether somebody outside demands the node or anything that reads it."""
        if node.cycle is None:
            return bool(node.readers or node.observers or node in self._recent)
        # The members of a cycle read one another, so having readers proves nothing.
        seen = {node}
        pending = [node]
        while pending:
            found = pending.pop()
            if found.observers or found in self._recent or found.cycle is None:
                return True
            pending.extend(reader for reader in found.readers if reader not in seen)
            seen.update(found.readers)
        return False

    # --- telling ---------------------------------------------------------------------------------------------

    def explain(self, query: Query[P, R], *args: P.args, **kwargs: P.kwargs) -> Explanation:
        """Which inputs a query's present result was made from, down to the values, and through which queries."""
        _positional(query, kwargs)
        self._enter()
        try:
            node = self.node(query, args)
            self._orphans.add(node)
            return explain(node)
        finally:
            self._leave()

    def statistics(self) -> Statistics:
        total = QueryStatistics()
        for counter in self._counters.values():
            total.hits += counter.hits
            total.verified += counter.verified
            total.computed += counter.computed
            total.cutoffs += counter.cutoffs
        nodes = [node for nodes in self.nodes.values() for node in nodes.values()]
        return Statistics(
            revision=self.revision,
            nodes=len(nodes),
            sources=sum(table.sources_held() for table in self.tables.values()),
            observed=sum(bool(node.observers) for node in nodes),
            values=sum(len(table.values) for table in self.tables.values()),
            marked=self._marked,
            dropped=self._dropped,
            total=total,
            queries={query.name: counter.copy() for query, counter in self._counters.items()},
        )


def _positional(query: Query[Any, Any], kwargs: dict[str, Any]) -> None:
    if kwargs:
        raise TypeError(f"{query.name}: query arguments are positional (they are the key of the result)")


def _may_be_orphan(dependency: Dependency) -> bool:
    return not dependency.readers or (isinstance(dependency, Node) and dependency.cycle is not None)
