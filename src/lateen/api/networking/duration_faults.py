"""How short and how fine the durations of traffic settings may be."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.schema.duration import Duration
from lateen.api.schema.fault import Fault, error

_MILLISECOND = 10**6


def duration_faults(path: str, duration: Duration | None, *, may_be_zero: bool = False) -> Iterator[Fault]:
    """Durations are at least a millisecond, in whole milliseconds."""
    if duration is None or (may_be_zero and not duration.nanoseconds):
        return
    if duration.nanoseconds < _MILLISECOND:
        yield error(path, f"must be at least 1ms{' or 0s' if may_be_zero else ''}, not {duration}")
    elif duration.nanoseconds % _MILLISECOND:
        yield error(path, f"must be in whole milliseconds, not {duration}")
