"""Standing demands: they keep results alive, and tell their observer when those may have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

from lateen.engine.errors import QueryError
from lateen.engine.node import Node
from lateen.engine.query import Query

if TYPE_CHECKING:
    from lateen.engine.engine import Engine

P = ParamSpec("P")
R = TypeVar("R")


class Observer:
    """One party that observes results and learns, independently of all others, which of its own went stale.

    Made by `Engine.observer`. What it observes is shared with whoever else observes or reads it.
    """

    __slots__ = ("_counts", "_engine", "_stale", "alone")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counts: dict[Node, int] = {}
        self._stale: dict[Node, None] = {}
        self.alone = (self,)
        """The observers of a node that nobody else observes: one tuple for all of them."""

    def observe(self, query: Query[P, R], *args: P.args, **kwargs: P.kwargs) -> Observation[R]:
        """A standing demand for a query's result, computed now."""
        node = self._engine.hold(self, query, *args, **kwargs)
        self._counts[node] = self._counts.get(node, 0) + 1
        return Observation(self, node)

    def take_stale(self) -> list[Node]:
        """What it observes and changes have reached since the last call (it may yet turn out the same)."""
        found = list(self._stale)
        self._stale.clear()
        return found

    @property
    def has_stale(self) -> bool:
        """Whether `take_stale` would give anything."""
        return bool(self._stale)

    def reached(self, node: Node) -> None:
        """A change has reached a node (called by the engine)."""
        self._stale[node] = None

    def refresh(self, node: Node) -> None:
        self._engine.refresh(node)

    def release(self, node: Node) -> None:
        """Ends one observation of a node."""
        self._counts[node] -= 1
        if not self._counts[node]:
            del self._counts[node]
            self._stale.pop(node, None)
            node.observers = tuple(o for o in node.observers if o is not self)
            self._engine.let_go(node)


class Observation(Generic[R]):
    """One observation of one result. Several of the same query share the result. Close it when done."""

    __slots__ = ("_closed", "_observer", "node")

    def __init__(self, observer: Observer, node: Node) -> None:
        self._observer = observer
        self.node = node
        self._closed = False

    def get(self) -> R:
        """The result now. Raises its error when that is the result."""
        node = self.node
        if node.stale:
            self._observer.refresh(node)
        result: R = node.result()
        return result

    @property
    def error(self) -> QueryError | None:
        """The error that is the result now, if it is one."""
        self._observer.refresh(self.node)
        return self.node.error

    @property
    def changed_at(self) -> int:
        """The revision at which the result last became different (after bringing it up to date)."""
        self._observer.refresh(self.node)
        return self.node.changed_at

    def close(self) -> None:
        """Ends the demand; what nobody else needs is dropped. Closing twice does nothing."""
        if not self._closed:
            self._closed = True
            self._observer.release(self.node)
