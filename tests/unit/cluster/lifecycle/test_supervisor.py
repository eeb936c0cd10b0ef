from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lateen.cluster.layout import Layout
from lateen.cluster.lifecycle import processes, supervisor
from lateen.cluster.lifecycle.components import Component
from lateen.cluster.lifecycle.supervisor import Child

FOREVER = (sys.executable, "-c", "import signal; signal.pause()")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout("t", 0, tmp_path)
    for directory in (found.run, found.logs):
        directory.mkdir(parents=True)
    return found


@asynccontextmanager
async def kept(layout: Layout, argv: tuple[str, ...] = FOREVER) -> AsyncIterator[None]:
    task = asyncio.create_task(Child(Component("a", argv), layout).keep())
    # A task that is cancelled before its first step never looks at what runs already.
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def recorded(layout: Layout, other_than: processes.ProcessRecord | None = None) -> processes.ProcessRecord:
    async with asyncio.timeout(60):
        while True:
            found = processes.read_record(layout.run / "a.pid")
            if found is not None and found != other_than:
                return found
            await asyncio.sleep(0.01)


async def test_a_killed_process_is_started_again_and_a_stopped_supervisor_ends_it(layout: Layout) -> None:
    async with kept(layout):
        first = await recorded(layout)
        os.kill(first.pid, signal.SIGKILL)
        second = await recorded(layout, first)
        assert second.alive
        assert (layout.run / "a.restarts").read_text() == "1"
    assert not second.alive
    assert not (layout.run / "a.pid").exists()


async def test_a_process_that_runs_already_is_taken_over(layout: Layout) -> None:
    running = await asyncio.create_subprocess_exec(*FOREVER)
    known = processes.record(layout.run / "a.pid", running.pid)
    async with kept(layout):
        assert await recorded(layout) == known
    assert await running.wait() == -signal.SIGTERM


async def test_a_full_disk_ends_neither_the_supervisor_nor_what_it_keeps(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = False
    refused = asyncio.Event()

    def write(path: Path, content: bytes, *, mode: int = 0o644, durable: bool = True) -> None:
        if not room:
            refused.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        path.write_bytes(content)

    monkeypatch.setattr(supervisor, "_RECORD_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(processes, "replace_file", write)
    monkeypatch.setattr(supervisor, "replace_file", write)
    async with kept(layout):
        await refused.wait()
        room = True
        first = await recorded(layout)
        room = False
        refused.clear()
        os.kill(first.pid, signal.SIGKILL)
        await refused.wait()
        room = True
        assert (await recorded(layout, first)).alive


async def test_a_program_that_cannot_be_started_is_tried_again(layout: Layout, tmp_path: Path) -> None:
    program = tmp_path / "program"
    async with kept(layout, (str(program),)):
        async with asyncio.timeout(60):
            while not (layout.run / "a.restarts").exists():
                await asyncio.sleep(0.01)
        program.write_text("#!/bin/sh\nexec sleep 1000\n")
        program.chmod(0o755)
        assert (await recorded(layout)).alive
