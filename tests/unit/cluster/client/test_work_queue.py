from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from lateen.cluster.client.work_queue import WorkQueue


@asynccontextmanager
async def running(
    queue: WorkQueue[str], work: Callable[[str], Awaitable[float | None]], workers: int = 3
) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.run(work, workers))
    try:
        async with asyncio.timeout(60):
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_key_added_twice_is_worked_on_once() -> None:
    queue: WorkQueue[str] = WorkQueue("test")
    done: list[str] = []

    async def work(key: str) -> None:
        done.append(key)

    queue.add("a")
    queue.add("a")
    queue.add("b")
    async with running(queue, work):
        await queue.drained()
    assert sorted(done) == ["a", "b"]


async def test_a_key_is_never_worked_on_twice_at_a_time_and_is_not_lost() -> None:
    queue: WorkQueue[str] = WorkQueue("test")
    active, runs = 0, 0
    release = asyncio.Event()

    async def work(_key: str) -> None:
        nonlocal active, runs
        active, runs = active + 1, runs + 1
        assert active == 1
        await release.wait()
        active -= 1

    async with running(queue, work):
        queue.add("a")
        while not active:
            await asyncio.sleep(0)
        queue.add("a")
        release.set()
        await queue.drained()
    assert runs == 2


async def test_failures_come_back() -> None:
    queue: WorkQueue[str] = WorkQueue("test", first=0.001)
    attempts = 0
    done = asyncio.Event()

    async def work(_key: str) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 4:
            raise ValueError("not yet")
        done.set()

    async with running(queue, work):
        queue.add("a")
        await done.wait()
    assert attempts == 4


async def test_work_can_ask_to_be_done_again() -> None:
    queue: WorkQueue[str] = WorkQueue("test")
    runs = 0
    done = asyncio.Event()

    async def work(_key: str) -> float | None:
        nonlocal runs
        runs += 1
        if runs == 3:
            done.set()
            return None
        return 0.001

    async with running(queue, work):
        queue.add_after("a", 0.001)
        queue.add_after("a", 100)
        await done.wait()
    assert runs == 3
