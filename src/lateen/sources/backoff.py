"""Exponential back-off with jitter."""

from __future__ import annotations

import random

import msgspec


class BackoffLimits(msgspec.Struct, frozen=True):
    """Delays in seconds that double from `first` to `limit`."""

    first: float = 0.1
    limit: float = 10.0


class Backoff:
    """The delays of one series of failures. Each is shortened by up to a half at random, so that the many clients of a
    server that restarted do not come back in step."""

    def __init__(self, limits: BackoffLimits) -> None:
        self._limits = limits
        self._next = limits.first

    def next(self) -> float:
        """The delay before the next attempt, in seconds."""
        delay = self._next
        self._next = min(self._limits.limit, self._next * 2)
        return delay * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """An attempt succeeded."""
        self._next = self._limits.first
