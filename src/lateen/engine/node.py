"""The vertices of the dependency graph: sources (one readable input each) and nodes (one query result each)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from lateen.engine.errors import CycleError, QueryError, show_call
from lateen.engine.inputs import Input
from lateen.engine.query import Query
from lateen.engine.statistics import QueryStatistics

if TYPE_CHECKING:
    from lateen.engine.observation import Observer


class Source:
    """One readable input that somebody read. `changed_at` is the revision of its last change; 0: none since."""

    __slots__ = ("changed_at", "input", "readers")

    def __init__(self, input: Input) -> None:
        self.input = input
        self.changed_at = 0
        self.readers: set[Node] = set()

    def __repr__(self) -> str:
        return repr(self.input)


class Node:
    """One result: of `query` with `args`. `error` is set instead of `value` when the result is an error.

    `verified_at` is the revision at which the result was last known right, `changed_at` the one at which it last became
    different. `stale` means that something it read, however indirectly, may have changed since.
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
        self.readers: set[Node] = set()
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
