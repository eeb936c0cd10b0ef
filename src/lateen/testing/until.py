"""Waiting for what nothing tells of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], object]) -> None:
    """Looks again until it holds. Raises TimeoutError after a minute, which is long for any machine."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.001)
