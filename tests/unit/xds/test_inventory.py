"""Collections that follow the engine: what is demanded is observed, what is shared is made once, what errs stays."""

from __future__ import annotations

from collections.abc import Hashable

from lateen.model.proxy import Proxy, Role
from lateen.testing.fake_mesh import FakeMesh
from lateen.translate.resource import ResourceType
from lateen.xds.feed import Feed
from lateen.xds.inventory import Inventory
from lateen.xds.subscription import Subscription

CDS, EDS = ResourceType.CDS, ResourceType.EDS


class Anyone:
    def __init__(self) -> None:
        self.views: tuple[Hashable, ...] | None = None

    def views_changed(self, views: tuple[Hashable, ...]) -> None:
        self.views = views


class Here:
    def __init__(self) -> None:
        self.mesh = FakeMesh()
        self.inventory = Inventory(self.mesh.engine, FakeMesh.catalog)
        self.all = self.inventory.subscriptions.of(True, ())
        self.someone = Anyone()

    def names(self, *names: str) -> Subscription:
        return self.inventory.subscriptions.of(False, names)

    def lease(self, view: str, subscription: Subscription, type_: ResourceType = CDS) -> Feed:
        feed = self.inventory.feed(type_, view)
        feed.lease(subscription, self.someone)
        return feed

    def publish(self) -> set[object]:
        for _ in self.inventory.refresh():
            pass
        return set(self.inventory.publish())

    def bodies(self, feed: Feed) -> dict[str, bytes]:
        return {name: resource.body for name, resource in feed.collection.resources.items()}

    def runs(self, query: str) -> int:
        statistics = self.mesh.engine.statistics().queries.get(query)
        return statistics.computed if statistics else 0


def test_a_resource_in_many_views_is_made_once() -> None:
    here = Here()
    for view in "xyz":
        here.mesh.put(CDS, view, "a", b"1")
    feeds = [here.lease(view, here.all) for view in "xyz"]
    here.publish()
    assert here.runs("fake_mesh.made") == 1
    assert len({id(feed.collection.resources["a"]) for feed in feeds}) == 1
    here.mesh.put(CDS, "x", "a", b"2")
    assert here.publish() == {here.someone}
    assert here.runs("fake_mesh.made") == 2
    assert all(here.bodies(feed) == {"a": b"2"} for feed in feeds)


def test_only_what_is_asked_for_is_made() -> None:
    here = Here()
    for name in "abc":
        here.mesh.put(EDS, "x", name, b"1")
    feed = here.lease("x", here.names("a", "none"), EDS)
    here.publish()
    assert here.bodies(feed) == {"a": b"1"}
    assert here.runs("fake_mesh.made") == 1


def test_what_is_loaded_later_is_news_only_to_who_asked() -> None:
    here = Here()
    for name in "ab":
        here.mesh.put(EDS, "x", name, b"1")
    feed = here.lease("x", here.names("a"), EDS)
    here.publish()
    generation = feed.collection.generation
    here.lease("x", here.names("b"), EDS)
    here.publish()
    assert here.bodies(feed) == {"a": b"1", "b": b"1"}
    assert feed.collection.generation == generation


def test_what_was_asked_for_before_it_existed_is_news() -> None:
    here = Here()
    feed = here.lease("x", here.names("a"), EDS)
    here.publish()
    generation = feed.collection.generation
    here.mesh.put(EDS, "x", "a", b"1")
    assert here.publish() == {here.someone}
    assert feed.collection.generation == generation + 1


def test_a_change_visits_only_collections_it_reaches() -> None:
    here = Here()
    here.mesh.put(CDS, "x", "a", b"1")
    here.mesh.put(CDS, "y", "b", b"1")
    here.lease("x", here.all)
    other = Anyone()
    here.inventory.feed(CDS, "y").lease(here.all, other)
    here.publish()
    here.mesh.put(CDS, "y", "b", b"2")
    assert here.publish() == {other}


def test_a_change_that_comes_to_nothing_is_no_news() -> None:
    here = Here()
    here.mesh.put(CDS, "x", "a", b"1")
    feed = here.lease("x", here.all)
    here.publish()
    here.mesh.put(CDS, "x", "a", b"2")
    here.mesh.put(CDS, "x", "a", b"1")
    assert here.publish() == set()
    assert feed.collection.generation == 0


def test_what_cannot_be_made_any_more_stays_as_it_was_and_is_told() -> None:
    here = Here()
    here.mesh.put(CDS, "x", "a", b"1")
    feed = here.lease("x", here.all)
    here.publish()
    here.mesh.fail(CDS, "a")
    here.mesh.put(CDS, "x", "b", b"1")
    here.publish()
    assert here.bodies(feed) == {"a": b"1", "b": b"1"}
    (error,) = here.inventory.errors()
    assert (error.type, error.view, error.name) == (CDS, "x", "a")
    here.mesh.put(CDS, "x", "a", b"2")
    here.publish()
    assert here.bodies(feed)["a"] == b"2"
    assert here.inventory.errors() == []


def test_the_last_good_stays_when_a_name_gets_a_recipe_that_fails() -> None:
    here = Here()
    here.mesh.put(CDS, "x", "a", b"1")
    feed = here.lease("x", here.all)
    here.publish()
    with here.mesh.together():
        here.mesh.put(CDS, "x", "a", b"2", "variant")
        here.mesh.fail(CDS, "a", "variant")
    here.publish()
    assert here.bodies(feed) == {"a": b"1"}
    assert len(here.inventory.errors()) == 1


def test_what_could_never_be_made_is_left_out() -> None:
    here = Here()
    here.mesh.put(CDS, "x", "a", b"1")
    here.mesh.fail(CDS, "a")
    feed = here.lease("x", here.all)
    here.publish()
    assert here.bodies(feed) == {}
    assert feed.is_loaded(here.all)


def test_what_nobody_uses_any_more_is_not_observed() -> None:
    here = Here()
    for name in "ab":
        here.mesh.put(CDS, "x", name, b"1")
    some = here.names("a")
    feed = here.lease("x", here.all)
    here.lease("x", some)
    here.publish()
    feed.release(here.all, here.someone)
    assert here.bodies(feed) == {"a": b"1"}
    assert here.inventory.shared_resources == 1
    feed.release(some, here.someone)
    assert here.inventory.shared_resources == 0
    assert here.mesh.engine.statistics().observed == 0


def test_who_leaves_while_being_computed_for_leaves_nothing_behind() -> None:
    here = Here()
    for name in "abc":
        here.mesh.put(CDS, "x", name, b"1")
    feed = here.lease("x", here.all)
    work = here.inventory.refresh()
    next(work)
    next(work)
    feed.release(here.all, here.someone)
    for _ in work:
        pass
    here.inventory.publish()
    assert here.inventory.shared_resources == 0
    assert here.mesh.engine.statistics().observed == 0


def test_what_is_published_is_of_one_revision_though_the_mesh_changes_meanwhile() -> None:
    here = Here()
    here.mesh.put(CDS, "x", "a", b"1")
    here.mesh.put(EDS, "x", "a", b"1")
    clusters, endpoints = here.lease("x", here.all), here.lease("x", here.all, EDS)
    here.publish()
    with here.mesh.together():
        here.mesh.put(CDS, "x", "a", b"2")
        here.mesh.put(EDS, "x", "a", b"2")
    work = here.inventory.refresh()
    next(work)
    with here.mesh.together():
        here.mesh.put(CDS, "x", "a", b"3")
        here.mesh.put(EDS, "x", "a", b"3")
    assert here.bodies(clusters) == here.bodies(endpoints) == {"a": b"1"}
    for _ in work:
        pass
    here.inventory.publish()
    assert here.bodies(clusters) == here.bodies(endpoints) == {"a": b"3"}
    assert here.inventory.revision == here.mesh.engine.revision


def test_views_are_told_and_stay_while_they_err() -> None:
    here = Here()
    proxy = Proxy("web.default", Role.SIDECAR, "default")
    followed = here.inventory.follow_views(proxy, here.someone)
    here.publish()
    assert here.someone.views is None
    assert [error.name for error in here.inventory.errors()] == ["web.default"]
    here.mesh.set_views("web.default", "x")
    assert here.publish() == {here.someone}
    assert here.someone.views == ("x",)
    here.mesh.set_views("web.default", "x", "y")
    here.publish()
    assert here.someone.views == ("x", "y")
    here.inventory.unfollow_views(proxy, here.someone)
    assert followed.followers == set()
    assert here.mesh.engine.statistics().observed == 0
