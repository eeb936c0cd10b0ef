"""Keeps one collection what its listing and the demand for it say.

Work is done in two steps, so that all collections move together: `update` computes and stages, a little at a time;
`publish` shows what is staged, at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lateen.engine import Observation
from lateen.translate.resource import Recipe, Resource
from lateen.xds.collection import Collection
from lateen.xds.follower import Follower
from lateen.xds.shared_resource import SharedResource
from lateen.xds.subscription import Subscription

if TYPE_CHECKING:
    from lateen.xds.inventory import Inventory


class Feed:
    """Of one collection. Whoever uses it takes a lease for what it subscribes to, and lets it go afterwards."""

    __slots__ = (
        "_admitting", "_demands", "_explicit", "_inventory", "_listed", "_listing", "_loaded", "_recipes", "_relist",
        "_sources", "_staged", "_wildcards", "collection", "error", "followers",
    )  # fmt: skip

    def __init__(self, collection: Collection, inventory: Inventory) -> None:
        self.collection = collection
        self.followers: dict[Follower, int] = {}
        """Those with leases, and how many."""
        self.error: Exception | None = None
        """Of the listing; the last good one stays."""
        self._inventory = inventory
        self._listing: Observation[tuple[Recipe, ...]] | None = None
        self._listed = False
        """There has been a listing. Before that nothing is loaded: proxies wait rather than lose what they have."""
        self._recipes: dict[str, Recipe] = {}
        self._relist = True
        self._demands: dict[Subscription, int] = {}
        self._admitting: dict[Subscription, None] = {}
        """Demanded, but not in the collection yet."""
        self._loaded: set[Subscription] = set()
        self._wildcards = 0
        self._explicit: dict[str, int] = {}
        """How many loaded subscriptions name it."""
        self._sources: dict[str, SharedResource] = {}
        self._staged: dict[str, SharedResource | None] = {}

    # --- demand ----------------------------------------------------------------------------------------------

    def lease(self, subscription: Subscription, follower: Follower) -> None:
        """From now on `subscription` is demanded; `is_loaded` tells when it can be served."""
        self.followers[follower] = self.followers.get(follower, 0) + 1
        count = self._demands.get(subscription, 0)
        self._demands[subscription] = count + 1
        if count:
            return
        self._admitting[subscription] = None
        if not self._listed or self._relist or self._staged or any(True for _ in self._unsourced(subscription)):
            self._inventory.demand(self)
        else:
            self._admit()

    def release(self, subscription: Subscription, follower: Follower) -> None:
        """Ends a lease. What nobody demands any more is dropped."""
        self.followers[follower] -= 1
        if not self.followers[follower]:
            del self.followers[follower]
        self._demands[subscription] -= 1
        if self._demands[subscription]:
            return
        del self._demands[subscription]
        if subscription in self._admitting:
            del self._admitting[subscription]
        else:
            self._unload(subscription)
        if not self._demands:
            self._inventory.drop(self)

    def is_loaded(self, subscription: Subscription) -> bool:
        """Whether the collection holds all there is of a subscription."""
        return subscription in self._loaded

    def recipe(self, name: str) -> Recipe | None:
        """How a resource of the present listing is made."""
        return self._recipes.get(name)

    def errors(self) -> Iterator[tuple[str, Exception]]:
        """Resources that could not be made anew: (name, error)."""
        for name, source in self._sources.items():
            if source.error is not None:
                yield name, source.error

    def _unload(self, subscription: Subscription) -> None:
        self._loaded.discard(subscription)
        self._wildcards -= subscription.wildcard
        for name in subscription.names:
            self._explicit[name] -= 1
            if not self._explicit[name]:
                del self._explicit[name]
        gone = list(self._sources) if subscription.wildcard else subscription.names
        for name in gone:
            if name in self._sources and not self._demanded(name):
                self._inventory.let_go(self._sources.pop(name), self)
                self.collection.forget(name)

    def _demanded(self, name: str) -> bool:
        return bool(self._wildcards) or name in self._explicit

    def _unsourced(self, subscription: Subscription) -> Iterator[str]:
        """What a subscription asks for that there is a recipe for, and which nobody has asked for yet."""
        names = self._recipes if subscription.wildcard else subscription.names
        return (name for name in names if name in self._recipes and name not in self._sources)

    # --- computing -------------------------------------------------------------------------------------------

    def listing_changed(self) -> None:
        """The listing went stale and was brought up to date."""
        self._relist = True
        self._inventory.demand(self)

    def update(self) -> Iterator[None]:
        """Stages what the listing and the demand have become. Yields after each piece of work."""
        if self._relist:
            self._relist = False
            self._read_listing()
            yield
            yield from self._stage(list({**self._recipes, **self._sources, **self._staged}))
        for subscription in list(self._admitting):
            yield from self._stage(list(self._unsourced(subscription)))

    def _read_listing(self) -> None:
        try:
            if self._listing is None:
                self._listing = self._inventory.observe_listing(self)
            self._recipes = {recipe.name: recipe for recipe in self._listing.get()}
            self._listed = True
            self.error = None
        except Exception as error:
            self.error = error

    def _stage(self, names: list[str]) -> Iterator[None]:
        for name in names:
            if not self._demands:
                return
            recipe = self._recipes.get(name) if self._wanted(name) else None
            current = self._sources.get(name)
            planned = self._staged.get(name, current)
            if (planned.recipe if planned is not None else None) == recipe:
                continue
            if planned is not None and planned is not current:
                self._inventory.let_go(planned, self)
            if current is not None and current.recipe == recipe:
                self._staged[name] = current
            elif recipe is None:
                self._staged[name] = None
            else:
                self._staged[name] = self._inventory.acquire(recipe, self)
                yield

    def _wanted(self, name: str) -> bool:
        return self._demanded(name) or any(subscription.matches(name) for subscription in self._admitting)

    # --- showing ---------------------------------------------------------------------------------------------

    def publish(self, refreshed: set[str]) -> bool:
        """Shows what is staged, and the resources named, which were recomputed. Returns whether followers have news."""
        changes: dict[str, Resource | None] = {}
        loads: dict[str, Resource] = {}
        for name, source in self._staged.items():
            old = self._sources.pop(name, None)
            if source is not None:
                self._sources[name] = source
            if old is not None and old is not source:
                self._inventory.let_go(old, self)
            found = self._resource(name)
            if self._demanded(name):
                changes[name] = found
            elif found is not None:
                loads[name] = found
        for name in refreshed:
            if name in self._sources and name not in self._staged:
                changes[name] = self._resource(name)
        staged = list(self._staged)
        self._staged.clear()
        admitted = self._listed and bool(self._admitting)
        if admitted:
            self._admit()
        for name in staged:
            # Whoever wanted it may have gone while it was being computed.
            if name in self._sources and not self._demanded(name):
                self._inventory.let_go(self._sources.pop(name), self)
                loads.pop(name, None)
        self.collection.load(loads)
        return self.collection.apply(changes) or admitted

    def _resource(self, name: str) -> Resource | None:
        """What to show under a name: the present resource, or the last good one while its recipe errs."""
        source = self._sources.get(name)
        if source is None:
            return None
        return source.resource if source.resource is not None else self.collection.resources.get(name)

    def _admit(self) -> None:
        for subscription in self._admitting:
            self._loaded.add(subscription)
            self._wildcards += subscription.wildcard
            for name in subscription.names:
                self._explicit[name] = self._explicit.get(name, 0) + 1
        self._admitting.clear()

    def close(self) -> None:
        """Lets go of everything. A feed without leases is closed by its inventory."""
        if self._listing is not None:
            self._inventory.end_listing(self, self._listing)
            self._listing = None
        for source in {*self._sources.values(), *(s for s in self._staged.values() if s is not None)}:
            self._inventory.let_go(source, self)
        self._sources.clear()
        self._staged.clear()
