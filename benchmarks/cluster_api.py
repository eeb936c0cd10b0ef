"""The local cluster's API server: writes, lists, watch fan-out, memory."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.http_connection import ApiConnection
from benchmarks.processes import mebibytes
from benchmarks.result import Result, against
from benchmarks.sqlite_writes import SqliteWrites
from lateen.cluster.client import credentials
from lateen.cluster.objects import Obj
from lateen.testing.local_cluster import LocalCluster

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
QUIET = "/api/v1/namespaces/kube-public/configmaps"
OBJECTS = 10_000
WATCHERS = 100
WRITERS = 50
ROUNDS = 10


def config_map(name: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"app": "bench", "number": name}},
        "data": {"key": "value" * 20, "other": "x" * 200},
    }


def pod(name: str) -> Obj:
    """Bound to no node that exists, so that nothing but the API server deals with it."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "bench"}},
        "spec": {"nodeName": "nowhere", "containers": [{"name": "main", "image": "busybox", "command": ["sleep"]}]},
    }


def measure() -> Sequence[Result]:
    """A write by a client on the loopback interface (TLS, authentication, authorization, admission, validation, field
    ownership, durable storage, watches) against a bare SQLite write of the bytes that are stored, each with a commit
    of its own that is synced to disk (WAL, synchronous=FULL); 50 writers at a time also against as many rows in one
    commit. A list against json.dumps of the same objects. A watch event's way, from the beginning of the write, to
    the last of 100 watchers against its way to one. Memory is the API server's proportional set size."""
    with LocalCluster(nodes=1) as cluster, _floor(cluster) as floor:
        connections = [ApiConnection(cluster.kubeconfig) for _ in range(WRITERS)]
        before = mebibytes((cluster.pid_of("apiserver"),))
        results = _writes(connections, floor)
        stored = _fill(connections)
        after = mebibytes((cluster.pid_of("apiserver"),))
        results.append(_list(connections[0]))
        alone, all_of_them = asyncio.run(_fan_out(cluster.kubeconfig, connections[0]))
        results.append(against(f"event to the last of {WATCHERS} watchers", all_of_them, "1 watcher", alone))
        results.append(Result(f"API server, {stored:,} objects", after, "MiB", "empty cluster", before))
        for connection in connections:
            connection.close()
        return results


@contextmanager
def _floor(cluster: LocalCluster) -> Iterator[SqliteWrites]:
    """On the file system that holds the cluster's state."""
    writes = SqliteWrites(cluster.root / "floor.db")
    try:
        yield writes
    finally:
        writes.close()


def _writes(connections: Sequence[ApiConnection], floor: SqliteWrites) -> list[Result]:
    """Floors and writes in turns, so that what else the machine does falls on both alike."""
    numbers = count()
    stored = connections[0].request("POST", CONFIG_MAPS, json.dumps(config_map("first")).encode())
    maps: list[float] = []
    pods: list[float] = []
    together: list[float] = []
    singles: list[float] = []
    locked: list[float] = []
    batched: list[float] = []
    for _ in range(ROUNDS):
        for _ in range(20):
            singles.append(floor.seconds(stored))
            maps.append(_create(connections[0], CONFIG_MAPS, config_map(f"single-{next(numbers)}")))
            pods.append(_create(connections[0], PODS, pod(f"single-{next(numbers)}")))
        locked.append(floor.seconds_together(stored, WRITERS, 4))
        batched.append(floor.seconds_in_one_commit(stored, WRITERS))
        together.append(_create_together(connections, 4, numbers))
    return [
        against("ConfigMap created, one after another", maps, "1 SQLite write", singles),
        against("Pod created, one after another", pods, "1 SQLite write", singles),
        against(f"ConfigMaps created by {WRITERS} writers, each", together, f"{WRITERS} SQLite writers, each", locked),
        against("the same against a shared commit", together, f"{WRITERS} rows in one commit, each", batched),
    ]


def _create(connection: ApiConnection, path: str, obj: Obj) -> float:
    body = json.dumps(obj).encode()
    started = time.perf_counter()
    connection.request("POST", path, body)
    return time.perf_counter() - started


def _create_together(connections: Sequence[ApiConnection], each: int, numbers: Iterator[int]) -> float:
    bodies = [[json.dumps(config_map(f"together-{next(numbers)}")).encode() for _ in range(each)] for _ in connections]

    def run(connection: ApiConnection, own: Sequence[bytes]) -> None:
        for body in own:
            connection.request("POST", CONFIG_MAPS, body)

    threads = [threading.Thread(target=run, args=pair) for pair in zip(connections, bodies, strict=True)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.perf_counter() - started) / (each * len(connections))


def _fill(connections: Sequence[ApiConnection]) -> int:
    numbers = count(10 * OBJECTS)
    _create_together(connections, OBJECTS // len(connections), numbers)
    return OBJECTS


def _list(connection: ApiConnection) -> Result:
    samples, floor = [], []
    for _ in range(9):
        started = time.perf_counter()
        body = connection.request("GET", CONFIG_MAPS)
        samples.append(time.perf_counter() - started)
        decoded = json.loads(body)
        started = time.perf_counter()
        json.dumps(decoded)
        floor.append(time.perf_counter() - started)
    return against(f"list of {len(decoded['items']):,} objects", samples, "json.dumps of it", floor)


async def _fan_out(kubeconfig: Path, writer: ApiConnection) -> tuple[list[float], list[float]]:
    """Seconds from the beginning of a write to its event's arrival at one watcher, and at the last of many."""
    writer.request("POST", QUIET, json.dumps(config_map("fan")).encode())
    return await _arrivals(kubeconfig, writer, 1), await _arrivals(kubeconfig, writer, WATCHERS)


async def _arrivals(kubeconfig: Path, writer: ApiConnection, watchers: int) -> list[float]:
    endpoint = credentials.from_kubeconfig(kubeconfig)
    address = urlsplit(endpoint.server)
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def follow() -> None:
        reader, stream = await asyncio.open_connection(address.hostname, address.port, ssl=endpoint.tls)
        path = f"{QUIET}?watch=true&fieldSelector=metadata.name%3Dfan"
        stream.write(f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
        try:
            while data := await reader.read(65536):
                arrived.put_nowait(data)
        finally:
            stream.close()

    async def all_have(marker: bytes) -> None:
        left = watchers
        while left > 0:
            left -= (await arrived.get()).count(marker)

    samples = []
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(follow()) for _ in range(watchers)]
        # Initial events tell that a watch has begun.
        await all_have(b'"type":"ADDED"')
        for number in range(50):
            marker = f"mark-{watchers}-{number}-"
            body = json.dumps({"data": {"mark": marker}}).encode()
            started = time.perf_counter()
            writing = asyncio.ensure_future(
                asyncio.to_thread(writer.request, "PATCH", f"{QUIET}/fan", body, "application/merge-patch+json")
            )
            await all_have(marker.encode())
            samples.append(time.perf_counter() - started)
            await writing
        for task in tasks:
            task.cancel()
    return samples
