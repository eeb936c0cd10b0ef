from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from lateen.cluster.client.indexed_store import by_label
from lateen.cluster.client.informer import Handler, Informer
from lateen.cluster.client.informer_factory import InformerFactory
from lateen.cluster.objects import GVR, Key, Obj, name_of

THINGS = GVR("", "v1", "things")


class Seen:
    """What handlers were told, and a way to wait for it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self._changed = asyncio.Event()

    def handler(self) -> Handler:
        return Handler(
            lambda obj: self._note("added", obj),
            lambda _old, new: self._note("updated", new),
            lambda obj: self._note("deleted", obj),
        )

    def _note(self, what: str, obj: Obj) -> None:
        self.calls.append((what, name_of(obj)))
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def running(informer: Informer) -> AsyncIterator[None]:
    task = asyncio.create_task(informer.run())
    try:
        async with asyncio.timeout(60):
            await informer.synced.wait()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_lists_then_follows_in_order(server: Any) -> None:
    await server.put("things", "n", "a", metadata={"labels": {"app": "x"}, "managedFields": [{}]})
    async with server.client() as client:
        informer = Informer(client, THINGS, indexes={"app": by_label("app")})
        seen = Seen()
        informer.add_handler(seen.handler())
        async with running(informer):
            await server.put("things", "n", "b")
            await server.put("things", "n", "a", metadata={"labels": {"app": "y"}})
            await server.drop("things", "n", "b")
            await seen.until(lambda: len(seen.calls) == 4)
            assert seen.calls == [("added", "a"), ("added", "b"), ("updated", "a"), ("deleted", "b")]
            assert [name_of(o) for o in informer.store.indexed("app", "y")] == ["a"]
            assert informer.store.indexed("app", "x") == ()
            stored = informer.store.get(Key("n", "a"))
            assert stored is not None
            assert "managedFields" not in stored["metadata"]


async def test_a_restarted_server_that_forgot_its_history_costs_no_change(server: Any) -> None:
    for name in "abc":
        await server.put("things", "n", name)
    async with server.client() as client:
        informer = Informer(client, THINGS)
        seen = Seen()
        informer.add_handler(seen.handler())
        async with running(informer):
            await server.stop()
            await server.drop("things", "n", "a")
            await server.put("things", "n", "b", spec=2)
            await server.put("things", "n", "c", metadata={"uid": "another"})
            await server.put("things", "n", "d")
            server.compact()
            await server.start()
            await seen.until(lambda: ("added", "d") in seen.calls)
    assert seen.calls[3:] == [("deleted", "a"), ("updated", "b"), ("deleted", "c"), ("added", "c"), ("added", "d")]


async def test_a_restarted_server_resumes_the_watch(server: Any) -> None:
    async with server.client() as client:
        informer = Informer(client, THINGS)
        seen = Seen()
        informer.add_handler(seen.handler())
        async with running(informer):
            await server.put("things", "n", "a")
            await seen.until(lambda: bool(seen.calls))
            await server.stop()
            await server.put("things", "n", "b")
            await server.start()
            await seen.until(lambda: ("added", "b") in seen.calls)
    lists = [path for _, path in server.requests if "watch" not in path]
    assert len(lists) == 1


async def test_a_failing_handler_does_not_stop_the_others(server: Any) -> None:
    def fail(_obj: Obj) -> None:
        raise ValueError

    async with server.client() as client:
        informer = Informer(client, THINGS)
        seen = Seen()
        informer.add_handler(Handler.of(fail))
        informer.add_handler(seen.handler())
        async with running(informer):
            await server.put("things", "n", "a")
            await seen.until(lambda: bool(seen.calls))
            late = Seen()
            informer.add_handler(late.handler())
            assert late.calls == [("added", "a")]


async def test_factory_shares_informers_and_starts_late_ones(server: Any) -> None:
    await server.put("things", "n", "a")
    await server.put("others", "n", "b")
    async with server.client() as client:
        factory = InformerFactory(client)
        first = factory.informer(THINGS)
        assert factory.informer(THINGS) is first
        task = asyncio.create_task(factory.run())
        async with asyncio.timeout(60):
            await factory.synced()
            late = factory.informer(GVR("", "v1", "others"))
            await late.synced.wait()
        assert len(late.store) == 1
        factory.drop(late)
        assert factory.find(late.gvr) is None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
