"""Delays between the restarts of a container, and between attempts to find an image.

Source: client-go's `flowcontrol.Backoff` as the kubelet uses it: 10 s doubling to 5 min, forgotten after 10 min.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST = 10.0
LIMIT = 300.0


@dataclass(slots=True)
class CrashBackoff:
    """Times are seconds of one clock."""

    delay: float = 0.0
    updated: float = 0.0

    def remaining(self, since: float, now: float) -> float:
        """Seconds to wait still when the last attempt ended at `since`; 0 when it may go on."""
        if self.delay == 0.0 or since - self.updated > 2 * LIMIT:
            return 0.0
        return max(0.0, since + self.delay - now)

    def next(self, now: float) -> None:
        """An attempt starts now: the following one waits longer, unless long nothing happened."""
        if self.delay == 0.0 or now - self.updated > 2 * LIMIT:
            self.delay = FIRST
        else:
            self.delay = min(LIMIT, 2 * self.delay)
        self.updated = now
