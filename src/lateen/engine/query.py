"""The `@query` decorator: names a pure function so that the engine can remember its results."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, Generic, ParamSpec, TypeVar

if TYPE_CHECKING:
    from lateen.engine.reader import Reader

P = ParamSpec("P")
R = TypeVar("R")


class Query(Generic[P, R]):
    """A pure function of a reader and hashable positional arguments. Calling it demands its result."""

    def __init__(self, function: Callable[Concatenate[Reader, P], R]) -> None:
        self.function = function
        self.name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"
        self.__doc__ = function.__doc__

    def __call__(self, db: Reader, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result as `db` sees the inputs. Raises the error when that is the query's value."""
        if kwargs:
            raise TypeError(f"{self.name}: query arguments are positional (they are the key of the result)")
        # Most demands find a result that is right as it stands: they are answered here, without a further call.
        nodes = db.nodes.get(self)
        node = nodes.get(args) if nodes is not None else None
        if node is None or node.stale:
            node = db.world.node(self, args)
        else:
            node.counts.hits += 1
        db.reads[node] = None
        value: R = node.value if node.error is None and not node.running else node.result()
        return value

    def __repr__(self) -> str:
        return f"<query {self.name}>"


def query(function: Callable[Concatenate[Reader, P], R]) -> Query[P, R]:
    """Makes a query of a pure function whose first parameter is the reader."""
    return Query(function)
