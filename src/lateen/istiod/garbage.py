"""How the process looks for garbage in cycles: seldom, and not among what it holds for good.

Nearly all that a control plane drops is freed at once, by its reference counts. The collector of cycles finds little,
yet walks all containers that there are, again and again while a mesh is read (which makes a million of them), and stops
everything meanwhile: by its own thresholds that is a quarter of the time of a start.

So a young generation is 20,000 objects instead of 700: the same work, but for the objects that are walked once more
each time the next older generation is due. When the sources have told everything, what has been read is set aside
(`gc.freeze`): objects of the mesh stay until they are replaced, and are freed by their counts then. Left to be walked
are results and connections. Cycles do occur there (exceptions with their frames, tasks of ended streams), and would
stay once they are old, because the oldest generation is hardly ever due by its threshold: so everything not set aside
is walked once an hour, which takes about 50 ms for a mesh of 1,000 services.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Final

THRESHOLDS: Final = (20_000, 20, 10)
"""Objects made, and not freed, before the youngest are walked; such walks before the next generation is; and so on."""
HOUR: Final = 3600.0
"""Seconds from one walk of everything to the next."""


def set_aside() -> None:
    """What there is now is not walked any more."""
    gc.collect()
    gc.freeze()


class Garbage:
    """`run` until cancelled; the process is then as before."""

    def __init__(self, synced: Callable[[], Awaitable[None]], *, every: float = HOUR) -> None:
        """`synced` returns when everything has been read once; `every` is in seconds."""
        self._synced = synced
        self._every = every

    async def run(self) -> None:
        before = gc.get_threshold()
        gc.set_threshold(*THRESHOLDS)
        try:
            await self._synced()
            set_aside()
            while True:
                await asyncio.sleep(self._every)
                gc.collect()
        finally:
            gc.unfreeze()
            gc.set_threshold(*before)
