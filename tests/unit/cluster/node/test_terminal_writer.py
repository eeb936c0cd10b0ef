from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import Callable, Iterator

import pytest
import uvloop

from lateen.cluster.node.terminal_writer import terminal_writer

LOOPS = [pytest.param(asyncio.new_event_loop, id="asyncio"), pytest.param(uvloop.new_event_loop, id="uvloop")]
Loop = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield master, slave
    for fd in (master, slave):
        os.close(fd)


def run(loop: Loop, work: Callable[[], object]) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(work())


@pytest.mark.parametrize("loop", LOOPS)
def test_output_is_left_to_its_reader(loop: Loop, terminal: tuple[int, int]) -> None:
    master, slave = terminal

    async def work() -> None:
        writer = terminal_writer(os.dup(master))
        writer.write(b"input")
        await writer.drain()
        assert await asyncio.to_thread(os.read, slave, 100) == b"input"
        os.write(slave, b"output")
        for _ in range(20):
            await asyncio.sleep(0)
        assert os.read(master, 100) == b"output"
        writer.close()
        await writer.wait_closed()

    run(loop, work)


@pytest.mark.parametrize("loop", LOOPS)
def test_waits_for_a_terminal_that_is_full(loop: Loop, terminal: tuple[int, int]) -> None:
    master, slave = terminal
    data = os.urandom(300_000)

    async def work() -> None:
        writer = terminal_writer(os.dup(master))
        writer.write(data)
        draining = asyncio.create_task(writer.drain())
        await asyncio.sleep(0)
        assert not draining.done()
        received = b""
        while len(received) < len(data):
            received += await asyncio.to_thread(os.read, slave, 65536)
        assert received == data
        await draining
        writer.close()
        await writer.wait_closed()

    run(loop, work)
