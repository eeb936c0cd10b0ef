from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lateen.cluster.apiserver.store.store import Bounds, Store
from lateen.cluster.apiserver.store_changes import StoreChanges
from lateen.cluster.objects import Key, Obj

PODS = ("", "pods")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "state.db", Bounds(watch_backlog=2))
    yield opened
    await opened.close()


def pod(name: str) -> Obj:
    return {"metadata": {"name": name, "namespace": "ns"}}


async def test_the_first_look_and_every_change(store: Store) -> None:
    changes = StoreChanges(store, [PODS])
    assert changes.take()
    assert not changes.take()
    await store.create(PODS, pod("a"))
    assert changes.take()
    assert not changes.take()
    await store.delete(PODS, Key("ns", "a"), None)
    assert changes.take()


async def test_other_collections_do_not_matter(store: Store) -> None:
    changes = StoreChanges(store, [PODS])
    changes.take()
    await store.create(("", "secrets"), pod("a"))
    assert not changes.take()


async def test_more_changes_than_are_kept_are_a_change(store: Store) -> None:
    changes = StoreChanges(store, [PODS])
    changes.take()
    for number in range(5):
        await store.create(PODS, pod(f"p{number}"))
    assert changes.take()
    assert not changes.take()
    await store.create(PODS, pod("late"))
    assert changes.take()
