"""One resource, observed once for all the collections that hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lateen.engine import Observation, Observer
from lateen.translate.resource import Recipe, Resource

if TYPE_CHECKING:
    from lateen.xds.feed import Feed


class SharedResource:
    """A recipe's resource. While its query errs, the last good resource stays, if there was one."""

    __slots__ = ("_observation", "error", "feeds", "recipe", "resource")

    def __init__(self, recipe: Recipe, observer: Observer) -> None:
        self.recipe = recipe
        self.resource: Resource | None = None
        self.error: Exception | None = None
        self.feeds: set[Feed] = set()
        """Those of the collections that hold it."""
        self._observation: Observation[Resource] | None = None
        try:
            self._observation = observer.observe(recipe.query, *recipe.args)
        except Exception as error:
            # Too deep, or out of memory: what one resource asks too much must not stop the others.
            self.error = error
        self.refresh()

    @property
    def node(self) -> object:
        """What the observer lists when it is stale; None when the query could not be run at all."""
        return self._observation.node if self._observation is not None else None

    def refresh(self) -> None:
        """Brings it up to date."""
        if self._observation is None:
            return
        try:
            self.resource = self._observation.get()
            self.error = None
        except Exception as error:
            self.error = error

    def close(self) -> None:
        if self._observation is not None:
            self._observation.close()
