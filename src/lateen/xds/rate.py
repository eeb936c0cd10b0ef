"""A token bucket: so many requests per second, some of them at once."""

from __future__ import annotations


class Rate:
    """`take` counts a request and tells how many seconds to wait before dealing with the next."""

    def __init__(self, per_second: float, burst: int, now: float) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float) -> float:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second) - 1
        self._at = now
        return max(0.0, -self._tokens / self._per_second)
