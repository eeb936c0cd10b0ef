"""The clock of the control plane."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from lateen.engine import Engine, Reader, query
from lateen.istiod.clock import Clock
from lateen.model.inputs import HOUR


@query
def hour(db: Reader) -> datetime | None:
    return HOUR.get(db)


async def _told(times: list[datetime]) -> list[datetime | None]:
    """What the engine is told while these times pass."""
    engine, told, over = Engine(), [], asyncio.Event()

    def changed() -> None:
        told.append(engine.get(hour))
        if not times:
            over.set()

    clock = asyncio.create_task(Clock(engine, changed, lambda: times.pop(0)).run())
    await over.wait()
    clock.cancel()
    return told


def test_it_tells_whole_hours_and_sleeps_until_the_next() -> None:
    almost = datetime(2026, 1, 1, 7, 59, 59, 999_999, tzinfo=UTC)
    after = datetime(2026, 1, 1, 8, 0, 0, 1, tzinfo=UTC)
    assert asyncio.run(_told([almost, after])) == [
        datetime(2026, 1, 1, 7, tzinfo=UTC),
        datetime(2026, 1, 1, 8, tzinfo=UTC),
    ]
