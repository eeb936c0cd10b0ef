"""When to push: at once when all is quiet, together when much is changing."""

from __future__ import annotations

import msgspec


class Pace(msgspec.Struct, frozen=True):
    """All in seconds."""

    quiet: float = 0.02
    """A change this long after the last push goes out at once; in a storm a push waits for a pause as long as this."""
    longest: float = 0.5
    """No change waits longer than this for a pause."""


class Debounce:
    """Pure: told of changes and pushes with their times, tells when the next push is due.

    Pushing never takes more than half of the time: after a push there is a pause as long as the push took.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._first: float | None = None
        self._last = 0.0
        self._ended = float("-inf")
        self._took = 0.0

    def changed(self, now: float) -> None:
        if self._first is None:
            self._first = now
        self._last = now

    def due(self) -> float | None:
        """When to push; None: nothing has changed. Changes that come until then are to be told of by `changed`."""
        if self._first is None:
            return None
        if self._first - self._ended >= self._pace.quiet:
            at = self._first
        else:
            at = min(self._last + self._pace.quiet, self._first + self._pace.longest)
        return max(at, self._ended + self._took)

    def begun(self) -> None:
        """A push takes up all changes so far."""
        self._first = None

    def ended(self, now: float, took: float) -> None:
        self._ended, self._took = now, took
