"""What a proxy asks for of one type: interned, so that a thousand proxies that ask for the same hold one object."""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakValueDictionary


class Subscription:
    """Equal subscriptions of one process are the same object: compare by identity. Made by `Subscriptions.of`."""

    __slots__ = ("__weakref__", "names", "wildcard")

    def __init__(self, wildcard: bool, names: frozenset[str]) -> None:
        self.wildcard = wildcard
        """Everything there is, besides `names`."""
        self.names = names
        """Asked for by name."""

    def matches(self, name: str) -> bool:
        return self.wildcard or name in self.names

    def __repr__(self) -> str:
        return f"<subscription {'* ' if self.wildcard else ''}{' '.join(sorted(self.names))}>"


class Subscriptions:
    """Holds every subscription that somebody else holds."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[tuple[bool, frozenset[str]], Subscription] = WeakValueDictionary()

    def of(self, wildcard: bool, names: Iterable[str]) -> Subscription:
        key = (wildcard, frozenset(names))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Subscription(*key)
        return found

    def __len__(self) -> int:
        return len(self._known)
