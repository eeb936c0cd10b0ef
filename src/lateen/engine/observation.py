"""A standing demand: keeps a result alive and is told when it may have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from lateen.engine.errors import QueryError
from lateen.engine.node import Node

if TYPE_CHECKING:
    from lateen.engine.engine import Engine

R = TypeVar("R")


class Observation(Generic[R]):
    """One observer of one result. Several observers of the same query share the result. Close it when done."""

    __slots__ = ("_closed", "_engine", "node")

    def __init__(self, engine: Engine, node: Node) -> None:
        self._engine = engine
        self.node = node
        self._closed = False

    def get(self) -> R:
        """The result now. Raises its error when that is the result."""
        self._engine.refresh(self.node)
        result: R = self.node.result()
        return result

    @property
    def error(self) -> QueryError | None:
        """The error that is the result now, if it is one."""
        self._engine.refresh(self.node)
        return self.node.error

    @property
    def changed_at(self) -> int:
        """The revision at which the result last became different (after bringing it up to date)."""
        self._engine.refresh(self.node)
        return self.node.changed_at

    def close(self) -> None:
        """Ends the demand; what nobody else needs is dropped. Closing twice does nothing."""
        if not self._closed:
            self._closed = True
            self._engine.unobserve(self.node)
