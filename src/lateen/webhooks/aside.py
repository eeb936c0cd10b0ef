"""Long work beside the event loop, one piece after another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

R = TypeVar("R")


class Aside:
    """Of one thread. Work that nobody waits for any more is carried to its end, if it has begun, before the next
    begins: callers who give up and come again do not make it more than one at a time."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aside")

    async def run(self, work: Callable[[], R]) -> R:
        """What it gives, or raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
