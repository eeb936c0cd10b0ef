"""Tells the engine the time, for findings such as that a certificate has expired."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from lateen.engine import Engine
from lateen.model.inputs import HOUR

_HOUR = timedelta(hours=1)


class Clock:
    """Tells whole hours: what depends on the time is looked at as often, and no oftener."""

    def __init__(
        self, engine: Engine, changed: Callable[[], None], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine = engine
        self._changed = changed
        self._now = now

    async def run(self) -> None:
        """Until cancelled. Calls `changed` after each hour that it tells."""
        while True:
            now = self._now()
            hour = now.replace(minute=0, second=0, microsecond=0)
            with self._engine.change() as tx:
                tx.put(HOUR, hour)
            self._changed()
            await asyncio.sleep((hour + _HOUR - now).total_seconds())
