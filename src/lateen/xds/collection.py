"""The resources of one type in one view, by generation.

A session that is up to date holds a reference to a collection and a number. The difference between that generation and
the present one is what the session has to be told; the collection keeps just enough of the past (the resources that
were replaced since the oldest generation anybody still has) to tell it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from lateen.translate.resource import Resource, ResourceType

Past = dict[str, Resource | None]
"""Names that may differ, each with what it was (None: was not)."""


class Collection:
    """Changed by its feed alone. Every generation that somebody has must be pinned."""

    __slots__ = ("_log", "_pins", "generation", "resources", "serial", "type", "view")

    def __init__(self, serial: int, type_: ResourceType, view: Hashable) -> None:
        self.serial = serial
        """Unique in the process."""
        self.type = type_
        self.view = view
        self.generation = 0
        self.resources: dict[str, Resource] = {}
        """The present ones, of those that are demanded."""
        self._pins: dict[int, int] = {}
        self._log: list[tuple[int, Past]] = []
        """(generation, what its successor in the log, or the present, replaced), oldest first. Only pinned ones."""

    def pin(self) -> int:
        """Somebody has the present generation, which is returned."""
        self._pins[self.generation] = self._pins.get(self.generation, 0) + 1
        return self.generation

    def unpin(self, generation: int) -> None:
        self._pins[generation] -= 1
        if self._pins[generation]:
            return
        del self._pins[generation]
        for position, (since, past) in enumerate(self._log):
            if since == generation:
                del self._log[position]
                if position:
                    _merge(self._log[position - 1][1], past)
                return

    def apply(self, changes: Mapping[str, Resource | None]) -> bool:
        """Makes the next generation; None removes. Returns whether there was anything new in the changes."""
        past: Past = {}
        for name, new in changes.items():
            old = self.resources.get(name)
            if (old.version if old else None) == (new.version if new else None):
                continue
            past[name] = old
            if new is None:
                del self.resources[name]
            else:
                self.resources[name] = new
        if not past:
            return False
        if self.generation in self._pins:
            self._log.append((self.generation, past))
        elif self._log:
            _merge(self._log[-1][1], past)
        self.generation += 1
        return True

    def load(self, resources: Mapping[str, Resource]) -> None:
        """Adds what was not demanded before: news to nobody, since nobody has been told of it or of its absence."""
        self.resources.update(resources)

    def forget(self, name: str) -> None:
        """Drops what nobody demands any more."""
        self.resources.pop(name, None)

    def since(self, generation: int) -> Past:
        """What has changed since a pinned generation, and may have changed back."""
        merged: Past = {}
        for since, past in self._log:
            if since >= generation:
                _merge(merged, past)
        return merged

    def at(self, generation: int) -> dict[str, Resource]:
        """All there was at a pinned generation."""
        then = dict(self.resources)
        for name, old in self.since(generation).items():
            if old is None:
                then.pop(name, None)
            else:
                then[name] = old
        return then

    def moved_from(self, other: Collection, generation: int) -> Past:
        """What differs here from a pinned generation of another collection."""
        then = other.at(generation)
        past: Past = {name: None for name in self.resources if name not in then}
        past.update((name, old) for name, old in then.items() if not _same(old, self.resources.get(name)))
        return past

    @property
    def remembered(self) -> int:
        """How many past resources are kept for those that are behind."""
        return sum(len(past) for _, past in self._log)


def _merge(earlier: Past, later: Past) -> None:
    for name, old in later.items():
        earlier.setdefault(name, old)


def _same(one: Resource, other: Resource | None) -> bool:
    return other is not None and one.version == other.version
