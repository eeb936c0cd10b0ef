from __future__ import annotations

import asyncio

import pytest

from lateen.istiod import supervision
from lateen.istiod.supervision import keep_running


async def test_work_that_fails_or_ends_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "_FIRST_SECONDS", 0.001)
    begun = asyncio.Semaphore(0)
    count = 0

    async def work() -> None:
        nonlocal count
        count += 1
        begun.release()
        if count % 2:
            raise RuntimeError("broken")

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        task = group.create_task(keep_running("work", work))
        for _ in range(4):
            await begun.acquire()
        task.cancel()
    assert count >= 4


async def test_cancelling_cancels_the_work() -> None:
    began, ended = asyncio.Event(), False

    async def work() -> None:
        nonlocal ended
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended = True

    task = asyncio.create_task(keep_running("work", work))
    await began.wait()
    task.cancel()
    await asyncio.wait([task])
    assert ended
