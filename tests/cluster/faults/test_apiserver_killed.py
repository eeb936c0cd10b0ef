"""`kill -9` of the API server under load: nothing acknowledged is lost, nobody else notices, watches go on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from lateen.cluster.client.api import Client
from lateen.cluster.client.informer import Handler, Informer
from lateen.cluster.objects import GVR, Obj
from lateen.testing.local_cluster import LocalCluster
from lateen.testing.traffic import Traffic

pytestmark = pytest.mark.cluster

CONFIG_MAPS = GVR("", "v1", "configmaps")
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: nginx, readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""


@dataclass
class Writer:
    """Writes config maps one after the other and remembers what was acknowledged.

    Every value is in the object twice, with much between, so that half a write would show.
    """

    http: aiohttp.ClientSession
    path: str
    number: int
    acknowledged: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Name: (value, revision) of the last acknowledged write."""
    deleted: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    """Names of which a deletion was asked for and not answered."""
    revisions: set[int] = field(default_factory=set)
    stop: bool = False

    async def run(self) -> None:
        turn = 0
        while not self.stop:
            name = f"w{self.number}-{turn}"
            turn += 1
            await self._write("POST", self.path, name, 0)
            for value in range(1, 4):
                if name in self.acknowledged:
                    await self._write("PUT", f"{self.path}/{name}", name, value)
            if turn % 3 == 0 and name in self.acknowledged:
                await self._delete(name)

    async def _write(self, method: str, path: str, name: str, value: int) -> None:
        data = {"a": str(value), "between": "x" * 4000, "z": str(value)}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        try:
            async with self.http.request(method, path, json=body) as answer:
                obj = await answer.json()
        except (aiohttp.ClientError, OSError):
            await asyncio.sleep(0.02)
            return
        if answer.status in (200, 201):
            revision = int(obj["metadata"]["resourceVersion"])
            self.acknowledged[name] = (value, revision)
            self.revisions.add(revision)
        else:
            # What was asked for before the kill was done then, though unanswered.
            assert answer.status in (404, 409), obj

    async def _delete(self, name: str) -> None:
        try:
            async with self.http.delete(f"{self.path}/{name}") as answer:
                assert answer.status in (200, 404), await answer.text()
            self.deleted.add(name)
        except (aiohttp.ClientError, OSError):
            self.unsure.add(name)


@dataclass
class RawWatch:
    """A watch by hand: when it breaks it goes on from the last revision it has seen."""

    http: aiohttp.ClientSession
    path: str
    revision: str
    events: list[tuple[str, str, int]] = field(default_factory=list)
    """(type, name, revision), in order."""
    breaks: int = 0

    async def run(self) -> None:
        while True:
            query = {"watch": "true", "resourceVersion": self.revision}
            with suppress(aiohttp.ClientError, OSError, asyncio.IncompleteReadError):
                async with self.http.get(self.path, params=query, timeout=aiohttp.ClientTimeout()) as answer:
                    assert answer.status == 200, await answer.text()
                    async for line in answer.content:
                        self._take(json.loads(line))
            self.breaks += 1
            await asyncio.sleep(0.02)

    def _take(self, event: Any) -> None:
        assert event["type"] in ("ADDED", "MODIFIED", "DELETED"), event
        meta = event["object"]["metadata"]
        self.revision = meta["resourceVersion"]
        self.events.append((event["type"], meta["name"], int(self.revision)))


@asynccontextmanager
async def background(*works: Any) -> AsyncIterator[None]:
    """Runs coroutines meanwhile; a failure of one is the test's."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in works]
        yield
        for task in tasks:
            task.cancel()


async def until_serving(http: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(60):
        while True:
            with suppress(aiohttp.ClientError, OSError):
                async with http.get("/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.02)


async def until_acknowledged(writers: list[Writer], more: int) -> None:
    goal = sum(len(writer.revisions) for writer in writers) + more
    async with asyncio.timeout(60):
        while sum(len(writer.revisions) for writer in writers) < goal:
            await asyncio.sleep(0.01)


def identities(fragile: LocalCluster, room: str) -> dict[str, Any]:
    """What changes when a pod's processes do: container ids, restarts, and the kernel's own name of their PID space."""
    found = {}
    for pod in fragile.get("pods", "-n", room)["items"]:
        name = pod["metadata"]["name"]
        status = pod["status"]["containerStatuses"][0]
        space = fragile.kubectl("exec", name, "-n", room, "--", "readlink", "/proc/1/ns/pid")
        found[name] = (status["containerID"], status["restartCount"], status["state"]["running"]["startedAt"], space)
    return found


async def test_writes_pods_and_watches_survive(fragile: LocalCluster, room: str, http: aiohttp.ClientSession) -> None:
    n = ("-n", room)
    fragile.apply(WEB, *n)
    fragile.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    traffic = Traffic(fragile, room, "traffic", "web")
    traffic.start()
    before = identities(fragile, room)

    path = f"/api/v1/namespaces/{room}/configmaps"
    async with http.get(path) as answer:
        start = (await answer.json())["metadata"]["resourceVersion"]
    writers = [Writer(http, path, number) for number in range(8)]
    raw = RawWatch(http, path, start)
    seen: list[tuple[str, str, int]] = []

    def note(type_: str, obj: Obj) -> None:
        seen.append((type_, obj["metadata"]["name"], int(obj["metadata"]["resourceVersion"])))

    async with Client.from_kubeconfig(fragile.kubeconfig) as client:
        informer = Informer(client, CONFIG_MAPS, namespace=room)
        handler = Handler(
            lambda obj: note("ADDED", obj), lambda _, obj: note("MODIFIED", obj), lambda obj: note("DELETED", obj)
        )
        async with background(informer.run(), raw.run()):
            await informer.synced.wait()
            informer.add_handler(handler)
            async with asyncio.TaskGroup() as writing:
                for writer in writers:
                    writing.create_task(writer.run())
                for _ in range(3):
                    await until_acknowledged(writers, 150)
                    pid = fragile.kill("apiserver")
                    await asyncio.to_thread(fragile.until_replaced, "apiserver", pid)
                    await until_serving(http)
                await until_acknowledged(writers, 50)
                for writer in writers:
                    writer.stop = True
            # The last write of all, by its revision, tells when the watches have brought everything.
            async with http.post(path, json={"metadata": {"name": "last"}}) as answer:
                last = int((await answer.json())["metadata"]["resourceVersion"])
            async with asyncio.timeout(60):
                while int(raw.revision) < last or int(informer.resource_version) < last:
                    await asyncio.sleep(0.02)

    async with http.get(path) as answer:
        present = {item["metadata"]["name"]: item for item in (await answer.json())["items"]}
    for writer in writers:
        for name, (value, revision) in writer.acknowledged.items():
            if name in writer.deleted:
                assert name not in present, f"deletion of {name} was acknowledged"
            elif name not in writer.unsure:
                assert int(present[name]["metadata"]["resourceVersion"]) >= revision
                assert int(present[name]["data"]["a"]) >= value
    for item in present.values():
        if "data" in item and "a" in item["data"]:
            assert item["data"]["a"] == item["data"]["z"]

    # The raw watch: every acknowledged write once, in order, and what it tells adds up to what there is.
    assert raw.breaks >= 3
    revisions = [revision for _, _, revision in raw.events]
    assert revisions == sorted(set(revisions))
    assert set().union(*(writer.revisions for writer in writers)) <= set(revisions)
    state: dict[str, int] = {}
    for type_, name, revision in raw.events:
        assert (type_ == "ADDED") == (name not in state), (type_, name, revision)
        if type_ == "DELETED":
            del state[name]
        else:
            state[name] = revision
    listed = {name: int(item["metadata"]["resourceVersion"]) for name, item in present.items()}
    # Every namespace has this one; it was there before the watch began.
    del listed["kube-root-ca.crt"]
    assert state == listed
    # The informer has gone through the same states.
    assert [event for event in seen if event[1] != "kube-root-ca.crt"] == raw.events

    assert identities(fragile, room) == before
    traffic.until_more(20)
    tally = traffic.tally()
    assert tally.failures == ()


async def test_a_watch_from_before_the_kept_history_is_told_to_list_anew(
    fragile: LocalCluster, room: str, http: aiohttp.ClientSession
) -> None:
    path = f"/api/v1/namespaces/{room}/configmaps"
    body = {"metadata": {"name": "large"}, "data": {"value": "x" * 1_000_000}}
    async with http.post(path, json=body) as answer:
        assert answer.status == 201, await answer.text()
        start = (await answer.json())["metadata"]["resourceVersion"]
    for value in range(70):
        body["metadata"]["labels"] = {"value": str(value)}
        async with http.put(f"{path}/large", json=body) as answer:
            assert answer.status == 200, await answer.text()
            newest = (await answer.json())["metadata"]["resourceVersion"]

    pid = fragile.kill("apiserver")
    await asyncio.to_thread(fragile.until_replaced, "apiserver", pid)
    await until_serving(http)

    async with http.get(path, params={"watch": "true", "resourceVersion": start}) as answer:
        event = json.loads(await answer.content.readline())
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    async with Client.from_kubeconfig(fragile.kubeconfig) as client:
        informer = Informer(client, CONFIG_MAPS, namespace=room)
        informer.resource_version = start
        async with background(informer.run()), asyncio.timeout(60):
            await informer.synced.wait()
    found = next(obj for obj in informer.store.list() if obj["metadata"]["name"] == "large")
    assert found["metadata"]["resourceVersion"] == newest
    assert found["data"]["value"] == body["data"]["value"]
