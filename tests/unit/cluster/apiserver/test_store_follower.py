from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lateen.cluster.apiserver.store.event import GroupResource
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.apiserver.store_follower import follow
from lateen.cluster.objects import Key, Obj
from lateen.cluster.status import internal_error

PODS = ("", "pods")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "state.db")
    yield opened
    await opened.close()


def pod(name: str) -> Obj:
    return {"metadata": {"name": name, "namespace": "ns"}}


async def test_what_is_there_and_what_changes(store: Store) -> None:
    await store.create(PODS, pod("before"))
    seen: asyncio.Queue[str] = asyncio.Queue()

    async def reconcile(resource: GroupResource, key: Key) -> None:
        seen.put_nowait(key.name)
        if key.name == "broken":
            raise internal_error("cannot")

    following = asyncio.create_task(follow(store, [PODS], reconcile))
    assert await seen.get() == "before"
    await store.create(PODS, pod("broken"))
    assert await seen.get() == "broken"
    await store.delete(PODS, Key("ns", "before"), None)
    assert await seen.get() == "before"
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
