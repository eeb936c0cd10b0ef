"""Pools that Services draw from: addresses and node ports, each held by at most one Service.

The store says who holds what; a pool adds only what writes in flight have taken. A holding is *settled* once the
stored Service has been seen to have it: from then on the store alone decides, so a Service that dropped a value
frees it without further ado.

Source of the bands: k8s.io/kubernetes `pkg/registry/core/service/{ipallocator,portallocator}`: values that nobody
asked for come from the upper band of a range, which keeps the lower one for those who choose.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from lateen.cluster.objects import Key


class Taken(Exception):
    """Another Service holds the value."""


class Full(Exception):
    """Nothing is left in the pool."""


@dataclass(slots=True)
class _Holding:
    key: Key
    settled: bool


class Pool:
    """The numbers `first`..`last`, of which the lowest `reserved` are handed out unasked only when nothing else is
    left. `holds(key, value)` says whether the stored Service `key` has `value`."""

    def __init__(self, first: int, last: int, reserved: int, holds: Callable[[Key, int], bool]) -> None:
        self.first = first
        self.last = last
        self._reserved = reserved
        self._holds = holds
        self._holdings: dict[int, _Holding] = {}

    def __contains__(self, value: int) -> bool:
        return self.first <= value <= self.last

    def settle(self, key: Key, value: int) -> None:
        """Notes that the stored Service `key` has `value`."""
        holding = self._holdings.get(value)
        if holding is None or holding.key == key:
            self._holdings[value] = _Holding(key, True)

    def owner(self, value: int) -> Key | None:
        holding = self._holdings.get(value)
        if holding is None:
            return None
        if self._holds(holding.key, value):
            holding.settled = True
            return holding.key
        if holding.settled:
            del self._holdings[value]
            return None
        return holding.key

    def take(self, key: Key, value: int) -> None:
        """Raises Taken when another Service has it."""
        owner = self.owner(value)
        if owner is not None and owner != key:
            raise Taken
        if owner is None:
            self._holdings[value] = _Holding(key, False)

    def pick(self) -> int:
        """A free value, not taken yet. Raises Full."""
        middle = min(self.first + self._reserved, self.last)
        for start, end in ((middle, self.last), (self.first, middle - 1)):
            size = end - start + 1
            offset = secrets.randbelow(size) if size > 0 else 0
            for step in range(size):
                value = start + (offset + step) % size
                if self.owner(value) is None:
                    return value
        raise Full

    def give_back(self, key: Key, value: int) -> None:
        holding = self._holdings.get(value)
        if holding is not None and holding.key == key:
            del self._holdings[value]
