"""Ending tasks that one has started."""

from __future__ import annotations

import asyncio
from typing import Any


async def end_tasks(*tasks: asyncio.Future[Any]) -> None:
    """Cancels the tasks and waits for their end. A cancellation of the caller meanwhile is not swallowed."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            # Who wanted to know has asked before: what came of it afterwards is nobody's concern.
            task.exception()
