from __future__ import annotations

import asyncio

from lateen.cluster.node.serving.byte_pipe import BytePipe


async def test_order_and_end() -> None:
    pipe = BytePipe()
    await pipe.write(b"a")
    await pipe.write(b"b")
    await pipe.end()
    await pipe.write(b"late")
    assert [await pipe.read() for _ in range(3)] == [b"a", b"b", b""]


async def test_writing_waits_for_reading() -> None:
    pipe = BytePipe(limit=1)
    await pipe.write(b"a")
    writing = asyncio.create_task(pipe.write(b"b"))
    await asyncio.sleep(0)
    assert not writing.done()
    assert await pipe.read() == b"a"
    await writing
    assert await pipe.read() == b"b"


async def test_nobody_waits_for_a_reader_that_has_gone() -> None:
    pipe = BytePipe(limit=1)
    await pipe.write(b"a")
    writing = asyncio.create_task(pipe.write(b"b"))
    await pipe.abandon()
    await writing
    assert await pipe.read() == b""
