from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from lateen.identity.current import CurrentAuthority
from lateen.identity.distribution import RootDistribution
from lateen.identity.plugged import Loaded
from lateen.identity.rounds import RoundsPace
from lateen.identity.self_signed import self_signed
from lateen.testing.memory_api import MemoryAnswer, MemoryApi
from lateen.testing.until import until

NOW = datetime.now(UTC)
FAST = RoundsPace(spacing=0.001, interval=30.0, retry=0.005)


class Cluster(MemoryApi):
    """Lists and watches of namespaces and ConfigMaps, on top of single objects."""

    def __init__(self, *namespaces: str) -> None:
        super().__init__()
        self.watched = True
        self.page = 2
        self._waiting: list[asyncio.Event] = []
        for name in namespaces:
            self.namespace(name)

    def namespace(self, name: str, phase: str = "Active") -> None:
        self.put(f"/api/v1/namespaces/{name}", {"metadata": {"name": name}, "status": {"phase": phase}})

    def put(self, path: str, body: Mapping[str, Any]) -> None:
        super().put(path, body)
        self.stir()

    def remove(self, path: str) -> None:
        del self.objects[path]
        self.stir()

    def stir(self) -> None:
        for event in self._waiting:
            event.set()

    async def send(self, method: str, path: str, *, parameters=None, body=None, content_type="") -> MemoryAnswer:
        if method != "GET" or path not in ("/api/v1/namespaces", "/api/v1/configmaps"):
            return await super().send(method, path, body=body, content_type=content_type)
        self.requests.append((method, path))
        if (failure := self.fail(method, path)) is not None:
            if isinstance(failure, Exception):
                raise failure
            return MemoryAnswer(failure, {"message": "refused"})
        depth = 5 if path.endswith("namespaces") else 7
        kind = path.rsplit("/", 1)[1]
        found = [each for at, each in sorted(self.objects.items()) if at.count("/") == depth - 1 and f"/{kind}/" in at]
        begin = int((parameters or {}).get("continue") or 0)
        more = begin + self.page < len(found)
        metadata = {"continue": str(begin + self.page)} if more else {}
        return MemoryAnswer(200, {"metadata": metadata, "items": found[begin : begin + self.page]})

    async def watch(self, path: str, parameters: Mapping[str, str]) -> AsyncIterator[tuple[Any, ...]]:
        if not self.watched:
            raise ConnectionError("no watch")
        event = asyncio.Event()
        self._waiting.append(event)
        yield ()
        while True:
            await event.wait()
            event.clear()
            yield (object(),)

    def roots(self) -> dict[str, str]:
        found = {at.split("/")[4]: each for at, each in self.objects.items() if at.endswith("/istio-ca-root-cert")}
        return {name: each["data"]["root-cert.pem"] for name, each in found.items()}


def place(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps/istio-ca-root-cert"


def authority() -> CurrentAuthority:
    current = CurrentAuthority()
    current.offer(Loaded(self_signed(NOW)), "test")
    return current


@asynccontextmanager
async def running(cluster: Cluster, current: CurrentAuthority, pace: RoundsPace = FAST):
    distribution = RootDistribution(cluster, current, pace=pace)
    task = asyncio.create_task(distribution.run())
    try:
        yield distribution
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_every_namespace_gets_it_but_those_of_no_workloads() -> None:
    cluster, current = Cluster("default", "kube-system", "kube-public", "shop", "bank"), authority()
    async with running(cluster, current):
        await until(lambda: len(cluster.roots()) == 4)
    assert cluster.roots() == dict.fromkeys(("default", "kube-system", "shop", "bank"), current.authority.bundle)
    assert cluster.objects[place("shop")]["metadata"]["labels"] == {"istio.io/config": "true"}


async def test_a_new_namespace_gets_it_at_once() -> None:
    cluster = Cluster("default")
    async with running(cluster, authority()):
        await until(lambda: cluster.roots())
        cluster.namespace("new")
        await until(lambda: "new" in cluster.roots())


async def test_what_is_changed_or_deleted_is_put_right() -> None:
    cluster, current = Cluster("shop"), authority()
    bundle = current.authority.bundle
    async with running(cluster, current):
        await until(lambda: cluster.roots())
        cluster.remove(place("shop"))
        await until(lambda: cluster.roots() == {"shop": bundle})
        forged = {**cluster.objects[place("shop")], "data": {"root-cert.pem": "forged", "other": "kept"}}
        cluster.put(place("shop"), forged)
        await until(lambda: cluster.roots() == {"shop": bundle})
        assert cluster.objects[place("shop")]["data"]["other"] == "kept"
        bare = {**cluster.objects[place("shop")], "metadata": {"name": "istio-ca-root-cert", "namespace": "shop"}}
        cluster.put(place("shop"), bare)
        await until(lambda: "labels" in cluster.objects[place("shop")]["metadata"])


async def test_new_roots_go_everywhere() -> None:
    cluster, current = Cluster("a", "b"), authority()
    async with running(cluster, current) as distribution:
        await until(lambda: len(cluster.roots()) == 2)
        following = self_signed(NOW)
        current.offer(Loaded(following), "test")
        distribution.changed()
        await until(lambda: cluster.roots() == dict.fromkeys("ab", following.bundle))


async def test_it_waits_for_an_authority() -> None:
    cluster, current = Cluster("a"), CurrentAuthority()
    async with running(cluster, current):
        await asyncio.sleep(0)
        assert cluster.requests == []
        current.offer(Loaded(self_signed(NOW)), "test")
        await until(lambda: cluster.roots())


async def test_when_all_is_right_nothing_is_written() -> None:
    cluster, current = Cluster("a", "b", "c"), authority()
    distribution = RootDistribution(cluster, current)
    assert await distribution.round()
    cluster.requests.clear()
    assert await distribution.round()
    assert {method for method, _ in cluster.requests} == {"GET"}


async def test_a_namespace_that_refuses_holds_up_no_other_and_is_tried_again() -> None:
    cluster = Cluster("a", "b", "c")
    cluster.fail = lambda method, path: 403 if method == "POST" and "/b/" in path else None
    async with running(cluster, authority()):
        await until(lambda: set(cluster.roots()) == {"a", "c"})
        cluster.fail = lambda method, path: None
        await until(lambda: "b" in cluster.roots())


async def test_a_namespace_on_its_way_out_is_left_alone() -> None:
    cluster = Cluster("a")
    cluster.namespace("going", "Terminating")
    assert await RootDistribution(cluster, authority()).round()
    assert set(cluster.roots()) == {"a"}


@pytest.mark.parametrize("failure", [ConnectionError("down"), 500, 403])
async def test_an_api_server_that_is_away_for_a_while(failure: Any) -> None:
    cluster = Cluster("a")
    cluster.fail = lambda method, path: failure
    async with running(cluster, authority()):
        await until(lambda: len(cluster.requests) > 2)
        cluster.fail = lambda method, path: None
        await until(lambda: cluster.roots())


async def test_without_watches_it_looks_by_itself() -> None:
    cluster = Cluster("a")
    cluster.watched = False
    async with running(cluster, authority(), RoundsPace(spacing=0.001, interval=0.005, retry=0.005)):
        await until(lambda: cluster.roots())
        cluster.namespace("b")
        await until(lambda: "b" in cluster.roots())


async def test_immutable_or_odd_content_is_no_end() -> None:
    cluster, current = Cluster("a"), authority()
    cluster.put(place("a"), {"metadata": {"name": "istio-ca-root-cert", "namespace": "a"}, "data": None})
    await RootDistribution(cluster, current).round()
    assert cluster.roots() == {"a": current.authority.bundle}
