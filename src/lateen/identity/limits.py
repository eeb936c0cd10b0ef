"""How much may be asked for, so that neither one caller nor all together wear out the control plane."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

import msgspec


class IssueLimits(msgspec.Struct, frozen=True):
    """Of one replica."""

    at_once: int = 256
    """Calls that are dealt with at a time; further ones are refused."""
    pod_burst: int = 10
    """Certificates that one pod gets in quick succession..."""
    pod_per_second: float = 0.2
    """...and then so many per second."""
    identity_burst: int = 500
    """The same for an identity whose callers do not prove which of its workloads they are."""
    identity_per_second: float = 10.0
    remembered: int = 20_000
    """Callers whose rates are counted; the one that has been quiet for longest is forgotten first."""


class RefusalLimits(msgspec.Struct, frozen=True):
    """Of calls without proof."""

    burst: int = 30
    """Times that one address may fail to prove who it is, before it is not even listened to..."""
    per_second: float = 1.0
    """...and so many per second that are forgotten: an API server has better to do than to review nonsense."""
    remembered: int = 20_000
    """Addresses; the one that has been quiet for longest is forgotten first."""


class KeyedRate:
    """A token bucket for each key."""

    def __init__(self, per_second: float, burst: int, remembered: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._remembered = remembered
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        """Tokens left, and when that was; the longest quiet first."""

    def wait(self, key: Hashable, now: float) -> float:
        """0 if it may; else how many seconds it is to wait."""
        return max(0.0, (1 - self._tokens(key, now)) / self._per_second)

    def take(self, key: Hashable, now: float) -> float:
        """As `wait`; if it may, that is counted."""
        tokens = self._tokens(key, now)
        if tokens < 1:
            self._buckets.move_to_end(key)
            return (1 - tokens) / self._per_second
        self._buckets[key] = (tokens - 1, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._remembered:
            self._buckets.popitem(last=False)
        return 0.0

    def _tokens(self, key: Hashable, now: float) -> float:
        tokens, at = self._buckets.get(key, (float(self._burst), now))
        return min(float(self._burst), tokens + (now - at) * self._per_second)
