from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lateen.cluster.apiserver.store.store import Bounds, Store
from lateen.cluster.objects import Key, Obj, metadata, name_of
from lateen.cluster.status import StatusError

MAPS = ("", "configmaps")


def config_map(name: str, namespace: str = "default", **data: str) -> Obj:
    return {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": namespace},
        "data": dict(data),
    }


def version(obj: Obj) -> str:
    return str(metadata(obj)["resourceVersion"])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "state.db")
    yield opened
    await opened.close()


async def test_created_object_carries_the_revision_of_its_write(store: Store) -> None:
    first = await store.create(MAPS, config_map("a"))
    second = await store.create(MAPS, config_map("b"))
    assert int(version(second)) == int(version(first)) + 1 == store.revision
    assert store.get(MAPS, Key("default", "b")) == second


async def test_second_create_of_a_name_already_exists(store: Store) -> None:
    await store.create(MAPS, config_map("a"))
    with pytest.raises(StatusError, match='configmaps "a" already exists'):
        await store.create(MAPS, config_map("a"))


async def test_of_concurrent_creates_of_a_name_one_wins(store: Store) -> None:
    results = await asyncio.gather(
        *(store.create(MAPS, config_map("a", n=str(n))) for n in range(10)), return_exceptions=True
    )
    assert sum(isinstance(r, dict) for r in results) == 1
    assert {r.reason for r in results if isinstance(r, StatusError)} == {"AlreadyExists"}


async def test_update_needs_the_expected_version(store: Store) -> None:
    created = await store.create(MAPS, config_map("a"))
    updated = await store.update(MAPS, config_map("a", x="1"), version(created))
    with pytest.raises(StatusError, match="the object has been modified"):
        await store.update(MAPS, config_map("a", x="2"), version(created))
    assert store.get(MAPS, Key("default", "a")) == updated


async def test_of_concurrent_updates_from_one_version_one_wins(store: Store) -> None:
    created = await store.create(MAPS, config_map("a"))
    results = await asyncio.gather(
        *(store.update(MAPS, config_map("a", n=str(n)), version(created)) for n in range(10)), return_exceptions=True
    )
    assert sum(isinstance(r, dict) for r in results) == 1
    assert {r.reason for r in results if isinstance(r, StatusError)} == {"Conflict"}


async def test_delete_returns_the_final_state_with_its_own_revision(store: Store) -> None:
    created = await store.create(MAPS, config_map("a", x="1"))
    deleted = await store.delete(MAPS, Key("default", "a"), version(created))
    assert deleted["data"] == {"x": "1"}
    assert int(version(deleted)) > int(version(created))
    assert store.get(MAPS, Key("default", "a")) is None
    with pytest.raises(StatusError, match="not found"):
        await store.delete(MAPS, Key("default", "a"), None)


async def test_list_is_ordered_and_by_namespace(store: Store) -> None:
    for namespace, name in (("b", "x"), ("a", "z"), ("a", "y"), ("ab", "w")):
        await store.create(MAPS, config_map(name, namespace))
    assert [name_of(o) for o in store.list(MAPS).items] == ["y", "z", "w", "x"]
    assert [name_of(o) for o in store.list(MAPS, "a").items] == ["y", "z"]
    assert store.list(MAPS, "none").items == []


async def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "state.db")
    kept = await store.create(MAPS, config_map("a", x="1"))
    gone = await store.create(MAPS, config_map("b"))
    await store.delete(MAPS, Key("default", "b"), version(gone))
    revision = store.revision
    await store.close()
    store = await Store.open(tmp_path / "state.db")
    assert store.list(MAPS).items == [kept]
    assert store.revision == revision
    assert int(version(await store.create(MAPS, config_map("c")))) == revision + 1
    with store.watch(MAPS, since=int(version(kept))) as watch:
        seen = [(event.type, event.key.name) for event in iter(watch.take, None)]
    assert seen == [("ADDED", "b"), ("DELETED", "b"), ("ADDED", "c")]
    await store.close()


async def test_list_at_an_earlier_revision(store: Store) -> None:
    a = await store.create(MAPS, config_map("a", x="1"))
    b = await store.create(MAPS, config_map("b"))
    then = store.revision
    await store.update(MAPS, config_map("a", x="2"), version(a))
    await store.delete(MAPS, Key("default", "b"), None)
    await store.create(MAPS, config_map("c"))
    assert store.list_at(MAPS, "", then).items == [a, b]
    assert store.list_at(MAPS, "other", then).items == []


async def test_history_is_bounded_and_older_revisions_are_gone(tmp_path: Path) -> None:
    bounds = Bounds(history_events=5)
    store = await Store.open(tmp_path / "state.db", bounds)
    obj = await store.create(MAPS, config_map("a"))
    for n in range(600):
        obj = await store.update(MAPS, config_map("a", n=str(n)), version(obj))
    with pytest.raises(StatusError) as refused:
        store.watch(MAPS, since=1)
    assert (refused.value.code, refused.value.reason) == (410, "Expired")
    with pytest.raises(StatusError):
        store.list_at(MAPS, "", 1)
    store.watch(MAPS, since=store.revision - 5).close()
    await store.close()
    reopened = await Store.open(tmp_path / "state.db", bounds)
    assert reopened.list(MAPS).items == [obj]
    assert reopened.compacted == store.compacted
    # Obsolete versions are off the disk but for the last few, which wait for company.
    assert sum(1 for _ in reopened._database.rows()) < 300
    await reopened.close()


async def test_slow_watcher_is_cut_off_and_delays_nobody(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "state.db", Bounds(watch_backlog=3))
    cut = []
    with store.watch(MAPS) as slow, store.watch(MAPS) as quick:
        slow.on_overflow = lambda: cut.append(True)
        for n in range(5):
            await store.create(MAPS, config_map(f"m{n}"))
            assert (await anext(quick)).key.name == f"m{n}"
        with pytest.raises(StatusError) as gone:
            await anext(slow)
        assert gone.value.code == 410
    assert cut == [True]
    await store.close()


async def test_watcher_that_lags_by_too_many_bytes_is_cut_off(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "state.db", Bounds(watch_backlog_bytes=10_000))
    with store.watch(MAPS) as slow, store.watch(MAPS) as quick:
        for n in range(4):
            await store.create(MAPS, config_map(f"m{n}", x="x" * 4_000))
            assert (await anext(quick)).key.name == f"m{n}"
        with pytest.raises(StatusError) as gone:
            await anext(slow)
        assert gone.value.code == 410
    await store.close()


async def test_one_large_event_reaches_a_watcher_that_keeps_up(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "state.db", Bounds(watch_backlog_bytes=100))
    with store.watch(MAPS) as watch:
        await store.create(MAPS, config_map("large", x="x" * 4_000))
        assert (await anext(watch)).key.name == "large"
    await store.close()


async def test_watch_sees_its_namespace_alone(store: Store) -> None:
    with store.watch(MAPS, "a") as watch:
        await store.create(MAPS, config_map("x", "b"))
        await store.create(MAPS, config_map("y", "a"))
        assert (await anext(watch)).key == Key("a", "y")
        assert watch.empty


async def test_closing_the_store_ends_watches_after_their_last_event(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "state.db")
    watch = store.watch(MAPS)
    await store.create(MAPS, config_map("a"))
    await store.close()
    assert [event.key.name async for event in watch] == ["a"]


async def test_full_disk_refuses_the_write_and_recovers(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "state.db")
    await store.create(MAPS, config_map("before"))
    store._database.limit_pages(20)
    with store.watch(MAPS) as watch:
        with pytest.raises(StatusError) as refused:
            await store.create(MAPS, config_map("big", x="x" * 1_000_000))
        assert (refused.value.code, refused.value.reason) == (500, "InternalError")
        assert "could not be written to disk" in refused.value.message
        assert not store.healthy
        assert store.get(MAPS, Key("default", "big")) is None
        assert watch.empty
        store._database.limit_pages(1_000_000)
        await store.create(MAPS, config_map("big", x="x" * 1_000_000))
        assert (await anext(watch)).key.name == "big"
    assert store.healthy
    await store.close()
    reopened = await Store.open(tmp_path / "state.db")
    assert [name_of(o) for o in reopened.list(MAPS).items] == ["before", "big"]
    await reopened.close()


async def test_cancelled_writer_leaves_the_write_to_go_on(store: Store) -> None:
    task = asyncio.create_task(store.create(MAPS, config_map("a")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(StatusError, match="already exists"):
        await store.create(MAPS, config_map("a"))


async def test_event_frames_are_encoded_once_for_all(store: Store) -> None:
    encoded = []

    def encode() -> bytes:
        encoded.append(1)
        return b"frame"

    watches = [store.watch(MAPS) for _ in range(100)]
    await store.create(MAPS, config_map("a"))
    frames = {id((await anext(watch)).frame("json", encode)) for watch in watches}
    assert len(frames) == len(encoded) == 1
