"""The views of one connected proxy, and who is to know when they change."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from lateen.engine import Observation
from lateen.model.proxy import Proxy
from lateen.xds.follower import Follower

if TYPE_CHECKING:
    from lateen.xds.inventory import Inventory


class ProxyViews:
    """While the query errs the last good views stay; without any, the proxy waits."""

    __slots__ = ("_inventory", "_observation", "error", "followers", "proxy", "views")

    def __init__(self, proxy: Proxy, inventory: Inventory) -> None:
        self.proxy = proxy
        self.views: tuple[Hashable, ...] | None = None
        self.error: Exception | None = None
        self.followers: set[Follower] = set()
        self._inventory = inventory
        self._observation: Observation[tuple[Hashable, ...]] | None = None

    def update(self) -> None:
        """Brings the views up to date and tells followers when they are different."""
        try:
            if self._observation is None:
                self._observation = self._inventory.observe_views(self)
            views = self._observation.get()
            self.error = None
        except Exception as error:
            self.error = error
            return
        if views != self.views:
            self.views = views
            for follower in list(self.followers):
                follower.views_changed(views)
                self._inventory.moved(follower)

    def close(self) -> None:
        if self._observation is not None:
            self._inventory.end_views(self, self._observation)
            self._observation = None
