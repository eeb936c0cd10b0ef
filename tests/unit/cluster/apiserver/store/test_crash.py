"""A writer that is killed in the middle of a stream of writes loses nothing that it acknowledged."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import name_of

MAPS = ("", "configmaps")
WRITER = """
import asyncio, sys
from lateen.cluster.apiserver.store.store import Store

async def write(store, writer):
    for n in range(1_000_000):
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "d", "name": f"{writer}-{n}"},
               "data": {"x": "x" * 500}}
        await store.create(("", "configmaps"), obj)
        print(f"{writer}-{n}", flush=True)

async def main():
    store = await Store.open(sys.argv[1])
    await asyncio.gather(*(write(store, writer) for writer in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 60, 400])
def test_killed_writer(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "state.db"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [process.stdout.readline().strip() for _ in range(acknowledged)]
    process.kill()
    told += [line.strip() for line in process.stdout if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    asyncio.run(check(path, told))


async def check(path: Path, told: list[str]) -> None:
    store = await Store.open(path)
    found = {name_of(obj): obj for obj in store.list(MAPS).items}
    assert set(told) <= set(found)
    assert all(obj["data"] == {"x": "x" * 500} for obj in found.values())
    # Every writer had one write under way at most.
    assert len(found) <= len(told) + 8
    with store.watch(MAPS, since=0) as watch:
        events = [event.key.name for event in iter(watch.take, None)]
    assert set(events) == set(found)
    await store.close()
