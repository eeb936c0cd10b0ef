"""Keeps the parts of a process that may fail from taking the others down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)

_FIRST_SECONDS, _LIMIT_SECONDS = 1.0, 30.0


async def keep_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Runs `work` until cancelled: when it fails or ends it begins anew after a pause that grows."""
    pause = _FIRST_SECONDS
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await work()
            _log.error("%s ended; it begins anew in %.0f s", name, pause)
        except Exception:
            _log.exception("%s failed; it begins anew in %.0f s", name, pause)
        if asyncio.get_running_loop().time() - began > _LIMIT_SECONDS:
            pause = _FIRST_SECONDS
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LIMIT_SECONDS)
