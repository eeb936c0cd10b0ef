from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from lateen.webhooks.room import Room


async def is_let_in(room: Room, address: str, size: int) -> bool:
    """Whether there is room at once."""
    try:
        async with asyncio.timeout(0), room.taken(address, size):
            return True
    except TimeoutError:
        return False


async def test_one_address_does_not_take_all() -> None:
    room = Room(100, 40)
    async with room.taken("a", 30):
        assert not await is_let_in(room, "a", 20)
        assert await is_let_in(room, "a", 10)
        assert await is_let_in(room, "b", 40)


async def test_all_together_have_no_more_than_there_is() -> None:
    room = Room(100, 40)
    async with AsyncExitStack() as stack:
        for address in "abc":
            await stack.enter_async_context(room.taken(address, 30))
        assert not await is_let_in(room, "d", 20)
        assert await is_let_in(room, "d", 10)
    assert await is_let_in(room, "d", 40)


async def test_whoever_waits_is_let_in_when_there_is_room() -> None:
    room = Room(100, 100)
    inside = asyncio.Event()

    async def come() -> None:
        async with room.taken("b", 60):
            inside.set()

    async with room.taken("a", 60):
        task = asyncio.create_task(come())
        await asyncio.sleep(0)
        assert not inside.is_set()
    await asyncio.wait_for(task, 60)
    assert inside.is_set()


async def test_whoever_gives_up_takes_nothing_with_it() -> None:
    room = Room(100, 100)
    async with room.taken("a", 100):
        waiting = asyncio.create_task(is_let_in(room, "b", 100))
        assert not await waiting
    assert await is_let_in(room, "c", 100)


async def test_whoever_gives_up_when_it_is_let_in_leaves_again() -> None:
    room = Room(100, 100)

    async def come() -> None:
        async with room.taken("b", 100):
            await asyncio.Event().wait()

    async with room.taken("a", 100):
        task = asyncio.create_task(come())
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await is_let_in(room, "c", 100)


async def test_whoever_gives_up_just_before_is_not_let_in() -> None:
    room = Room(100, 100)

    async def come() -> None:
        async with room.taken("b", 100):
            raise AssertionError("let in")

    async with room.taken("a", 100):
        tasks = [asyncio.create_task(come()) for _ in range(2)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
    assert [type(result) for result in await asyncio.gather(*tasks, return_exceptions=True)] == [
        asyncio.CancelledError
    ] * 2
    assert await is_let_in(room, "c", 100)
