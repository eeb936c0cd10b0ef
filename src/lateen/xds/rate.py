"""Token buckets: so much per second, some of it at once."""

from __future__ import annotations

import math
from collections.abc import Hashable


class Rate:
    """`take` counts a request, of a cost that is ordinarily 1, and tells how many seconds to wait before dealing with
    the next."""

    def __init__(self, per_second: float, burst: int, now: float, longest: float = math.inf) -> None:
        """Nobody is to wait longer than `longest` seconds, whatever was asked before."""
        self._per_second = per_second
        self._least = -longest * per_second
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float, cost: float = 1.0) -> float:
        self._tokens = max(self._by(now) - cost, self._least)
        self._at = now
        return max(0.0, -self._tokens / self._per_second)

    def is_full(self, now: float) -> bool:
        """Whether nothing was taken for so long that it is as good as new."""
        return self._by(now) >= self._burst

    def _by(self, now: float) -> float:
        return min(self._burst, self._tokens + (now - self._at) * self._per_second)


class Rates:
    """A bucket for each of many; those that are full are forgotten, so that there are only as many as are busy."""

    def __init__(self, per_second: float, burst: int, longest: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._longest = longest
        self._rates: dict[Hashable, Rate] = {}
        self._purge_at = 1_000

    def take(self, key: Hashable, now: float) -> float:
        """Seconds to wait before dealing with this one."""
        found = self._rates.get(key)
        if found is None:
            if len(self._rates) >= self._purge_at:
                self._rates = {held: rate for held, rate in self._rates.items() if not rate.is_full(now)}
                self._purge_at = max(1_000, 2 * len(self._rates))
            found = self._rates[key] = Rate(self._per_second, self._burst, now, self._longest)
        return found.take(now)

    def __len__(self) -> int:
        return len(self._rates)
