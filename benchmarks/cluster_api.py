"""The local cluster's API server: writes, lists, watch fan-out, memory."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.result import Result, against
from lateen.cluster.client.api import Client
from lateen.cluster.objects import GVR, Key, Obj
from lateen.testing.local_cluster import LocalCluster

CONFIG_MAPS = GVR("", "v1", "configmaps")
OBJECTS = 10_000
WATCHERS = 100
SAMPLES = 200


def config_map(name: str, namespace: str = "default") -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "bench", "number": name}},
        "data": {"key": "value" * 20, "other": "x" * 200},
    }


def measure() -> Sequence[Result]:
    """Writes one after another against one SQLite write (WAL, synchronous=FULL) of the same bytes; a list against
    encoding the same objects as JSON; a watch event's way to all of 100 watchers against its way to one."""
    with LocalCluster(nodes=1) as cluster:
        return asyncio.run(_measure(cluster))


async def _measure(cluster: LocalCluster) -> list[Result]:
    async with Client.from_kubeconfig(cluster.kubeconfig) as client:
        before = _resident_mebibytes(cluster)
        one_by_one = await _writes(client)
        floor = _raw_writes(config_map("x"))
        together = await _concurrent_writes(client)
        results = [
            against("create, one after another", one_by_one, "SQLite write", floor),
            against("create, 50 at a time, each", together, "SQLite write", floor),
        ]
        await _fill(client)
        memory = _resident_mebibytes(cluster)
        results.append(await _list(client))
        alone = await _fan_out(client, 1)
        results.append(
            against("event to the last of 100 watchers", await _fan_out(client, WATCHERS), "1 watcher", alone)
        )
        results.append(Result(f"API server memory at {OBJECTS:,} objects", memory, "MiB", "empty", before))
        return results


async def _writes(client: Client) -> list[float]:
    samples = []
    for number in range(SAMPLES):
        started = time.perf_counter()
        await client.create(CONFIG_MAPS, config_map(f"single-{number}"))
        samples.append(time.perf_counter() - started)
    return samples


async def _concurrent_writes(client: Client) -> list[float]:
    samples = []
    for batch in range(10):
        started = time.perf_counter()
        await asyncio.gather(*(client.create(CONFIG_MAPS, config_map(f"batch-{batch}-{n}")) for n in range(50)))
        samples.append((time.perf_counter() - started) / 50)
    return samples


def _raw_writes(obj: Obj) -> list[float]:
    samples = []
    with tempfile.TemporaryDirectory() as directory:
        database = sqlite3.connect(Path(directory) / "floor.db", isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE objects (name TEXT PRIMARY KEY, body BLOB)")
        for number in range(SAMPLES):
            started = time.perf_counter()
            database.execute("INSERT INTO objects VALUES (?, ?)", (str(number), json.dumps(obj).encode()))
            samples.append(time.perf_counter() - started)
        database.close()
    return samples


async def _fill(client: Client) -> None:
    for start in range(0, OBJECTS, 100):
        await asyncio.gather(*(client.create(CONFIG_MAPS, config_map(f"fill-{start + n}")) for n in range(100)))


async def _list(client: Client) -> Result:
    samples, floor = [], []
    for _ in range(7):
        started = time.perf_counter()
        body = await client.request("GET", "/api/v1/namespaces/default/configmaps")
        samples.append(time.perf_counter() - started)
        decoded = json.loads(body)
        started = time.perf_counter()
        json.dumps(decoded)
        floor.append(time.perf_counter() - started)
    return against(f"list of {OBJECTS:,} objects", samples, "json.dumps of it", floor)


async def _fan_out(client: Client, watchers: int) -> list[float]:
    """From the write's start to the event's arrival at the last watcher."""
    start = (await client.list(CONFIG_MAPS, "kube-public")).resource_version
    arrived: asyncio.Queue[None] = asyncio.Queue()
    ready = asyncio.Semaphore(0)

    async def follow() -> None:
        async with client.watch(CONFIG_MAPS, "kube-public", resource_version=start) as watch:
            ready.release()
            async for event in watch:
                if event.type in ("ADDED", "MODIFIED"):
                    arrived.put_nowait(None)

    samples = []
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(follow()) for _ in range(watchers)]
        for _ in tasks:
            await ready.acquire()
        await client.create(CONFIG_MAPS, config_map(f"fan-{watchers}", "kube-public"))
        for _ in tasks:
            await arrived.get()
        for number in range(50):
            started = time.perf_counter()
            await client.patch(CONFIG_MAPS, Key("kube-public", f"fan-{watchers}"), {"data": {"n": str(number)}})
            for _ in tasks:
                await arrived.get()
            samples.append(time.perf_counter() - started)
        for task in tasks:
            task.cancel()
    return samples


def _resident_mebibytes(cluster: LocalCluster) -> float:
    status = Path(f"/proc/{cluster.pid_of('apiserver')}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
