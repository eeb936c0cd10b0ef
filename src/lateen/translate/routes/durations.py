"""Durations in protobuf."""

from __future__ import annotations

from typing import Any

from lateen.api.schema.duration import Duration

_SECOND = 1_000_000_000


def set_duration(out: Any, duration: Duration | None) -> None:
    """Fills a google.protobuf.Duration field (present from then on, even when zero); None leaves it absent."""
    if duration is None:
        return
    out.SetInParent()
    out.seconds, out.nanos = divmod(duration.nanoseconds, _SECOND)
