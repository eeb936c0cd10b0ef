"""Everything that connected proxies use, kept up to date with the engine and shown all at once.

The proxies' side sees one published state: all collections at one revision. `refresh` brings what is behind it up to
date, a little at a time; `publish` then shows it. Each resource is observed once, however many collections hold it, so
that a change costs the resources and collections it reaches.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import count
from typing import Any, NamedTuple

from lateen.engine import Engine, Observation
from lateen.model.proxy import Proxy
from lateen.translate.resource import Recipe, ResourceType
from lateen.xds.catalog import Catalog
from lateen.xds.collection import Collection
from lateen.xds.feed import Feed
from lateen.xds.follower import Follower
from lateen.xds.proxy_views import ProxyViews
from lateen.xds.shared_resource import SharedResource
from lateen.xds.subscription import Subscriptions


class ResourceError(NamedTuple):
    """Something that could not be made; what there was before is still served."""

    type: ResourceType | None
    """None: a proxy's views."""
    view: Hashable
    name: str
    """Of the resource; empty when the whole listing failed; the proxy's id for views."""
    error: Exception


_Owner = Feed | SharedResource | ProxyViews


class Inventory:
    """Belongs to the engine's event loop. Nothing here awaits."""

    def __init__(self, engine: Engine, catalog: Catalog) -> None:
        self.engine = engine
        self.catalog = catalog
        self.subscriptions = Subscriptions()
        self.revision = -1
        """The engine's revision that is published."""
        self._observer = engine.observer()
        self._serials = count(1)
        self._feeds: dict[tuple[ResourceType, Hashable], Feed] = {}
        self._resources: dict[Recipe, SharedResource] = {}
        self._views: dict[Proxy, ProxyViews] = {}
        self._owners: dict[Any, tuple[_Owner, ...]] = {}
        """By node of the engine."""
        self._demanded: dict[Feed, None] = {}
        self._asked: dict[ProxyViews, None] = {}
        self._to_publish: dict[Feed, set[str]] = {}
        """Feeds with something to show, and which of their resources were recomputed."""
        self._moved: set[Follower] = set()
        """Those whose views have changed since the last publication."""

    # --- demand ----------------------------------------------------------------------------------------------

    def feed(self, type_: ResourceType, view: Hashable) -> Feed:
        """Of a type in a view; take a lease, since what nobody leases is not kept."""
        found = self._feeds.get((type_, view))
        if found is None:
            found = self._feeds[type_, view] = Feed(Collection(next(self._serials), type_, view), self)
        return found

    def follow_views(self, proxy: Proxy, follower: Follower) -> ProxyViews:
        """The follower is told of the proxy's views by the next refresh, and whenever they change. May be known now."""
        found = self._views.get(proxy)
        if found is None:
            found = self._views[proxy] = ProxyViews(proxy, self)
            self._asked[found] = None
        found.followers.add(follower)
        return found

    def unfollow_views(self, proxy: Proxy, follower: Follower) -> None:
        found = self._views[proxy]
        found.followers.discard(follower)
        self._moved.discard(follower)
        if not found.followers:
            del self._views[proxy]
            self._asked.pop(found, None)
            found.close()

    # --- moving on -------------------------------------------------------------------------------------------

    @property
    def is_behind(self) -> bool:
        """Whether there is anything to refresh or to publish."""
        return bool(self._observer.has_stale or self._demanded or self._asked or self._to_publish or self._moved)

    def refresh(self) -> Iterator[None]:
        """Brings everything up to date with the engine, and computes what is newly demanded.

        Yields after each piece of work, so that the caller may let others run; the engine may even change meanwhile.
        When the iterator ends everything is at the engine's revision: publish before anything else happens.
        """
        while self._observer.has_stale or self._demanded or self._asked:
            for node in self._observer.take_stale():
                for owner in self._owners.get(node, ()):
                    self._refresh_owner(owner)
                yield
            while self._asked:
                self._asked.popitem()[0].update()
                yield
            while self._demanded:
                feed, _ = self._demanded.popitem()
                self._to_publish.setdefault(feed, set())
                yield from feed.update()

    def _refresh_owner(self, owner: _Owner) -> None:
        if isinstance(owner, SharedResource):
            owner.refresh()
            for feed in owner.feeds:
                self._to_publish.setdefault(feed, set()).add(owner.recipe.name)
        elif isinstance(owner, Feed):
            owner.listing_changed()
        else:
            owner.update()

    def publish(self) -> set[Follower]:
        """Shows what the last refresh has brought. Returns the followers of what has moved."""
        self.revision = self.engine.revision
        found, self._moved = self._moved, set()
        pending, self._to_publish = self._to_publish, {}
        for feed, refreshed in pending.items():
            if feed.publish(refreshed):
                found.update(feed.followers)
        return found

    def moved(self, follower: Follower) -> None:
        """The views of a follower have changed."""
        self._moved.add(follower)

    # --- for feeds and views ---------------------------------------------------------------------------------

    def demand(self, feed: Feed) -> None:
        """A feed has something to compute."""
        self._demanded[feed] = None

    def drop(self, feed: Feed) -> None:
        """Nobody has a lease of a feed any more."""
        collection = feed.collection
        del self._feeds[collection.type, collection.view]
        self._demanded.pop(feed, None)
        self._to_publish.pop(feed, None)
        feed.close()

    def acquire(self, recipe: Recipe, feed: Feed) -> SharedResource:
        """The one shared resource of a recipe, computed if nobody had it yet."""
        found = self._resources.get(recipe)
        if found is None:
            found = self._resources[recipe] = SharedResource(recipe, self._observer)
            self._own(found.node, found)
        found.feeds.add(feed)
        return found

    def let_go(self, resource: SharedResource, feed: Feed) -> None:
        resource.feeds.discard(feed)
        if not resource.feeds:
            del self._resources[resource.recipe]
            self._disown(resource.node, resource)
            resource.close()

    def observe_listing(self, feed: Feed) -> Observation[tuple[Recipe, ...]]:
        collection = feed.collection
        observation = self._observer.observe(self.catalog.listing, collection.type, collection.view)
        self._own(observation.node, feed)
        return observation

    def end_listing(self, feed: Feed, observation: Observation[tuple[Recipe, ...]]) -> None:
        self._disown(observation.node, feed)
        observation.close()

    def observe_views(self, views: ProxyViews) -> Observation[tuple[Hashable, ...]]:
        observation = self._observer.observe(self.catalog.views, views.proxy)
        self._own(observation.node, views)
        return observation

    def end_views(self, views: ProxyViews, observation: Observation[tuple[Hashable, ...]]) -> None:
        self._disown(observation.node, views)
        observation.close()

    def _own(self, node: object, owner: _Owner) -> None:
        if node is not None:
            self._owners[node] = (*self._owners.get(node, ()), owner)

    def _disown(self, node: object, owner: _Owner) -> None:
        rest = tuple(o for o in self._owners.get(node, ()) if o is not owner)
        if rest:
            self._owners[node] = rest
        else:
            self._owners.pop(node, None)

    # --- telling ---------------------------------------------------------------------------------------------

    def feeds(self) -> Iterator[Feed]:
        yield from self._feeds.values()

    def errors(self) -> list[ResourceError]:
        """What cannot be made at present."""
        found = [
            ResourceError(None, views.views, proxy.id, views.error)
            for proxy, views in self._views.items()
            if views.error is not None
        ]
        for (type_, view), feed in self._feeds.items():
            if feed.error is not None:
                found.append(ResourceError(type_, view, "", feed.error))
            found.extend(ResourceError(type_, view, name, error) for name, error in feed.errors())
        return found

    @property
    def shared_resources(self) -> int:
        """How many resources are observed."""
        return len(self._resources)
