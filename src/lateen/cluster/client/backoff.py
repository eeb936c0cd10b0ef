"""Exponential back-off with jitter."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Delays in seconds that double from `first` up to `limit`; each is shortened by up to `jitter` of itself.

    The jitter keeps many clients of a restarted server from returning in step.
    """

    first: float
    limit: float
    jitter: float = 0.5
    attempts: int = 0

    def next(self) -> float:
        """The next delay."""
        delay = min(self.limit, self.first * 2.0 ** min(self.attempts, 62))
        self.attempts += 1
        return delay * (1 - self.jitter * random.random())

    def reset(self) -> None:
        self.attempts = 0
