"""A sink that holds what it is told, as the store does: the reference of the sources' tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from lateen.api.objects import Key
from lateen.sources.source import Change, KindName


class RecordingSink:
    def __init__(self) -> None:
        self.objects: dict[tuple[KindName, Key], Mapping[str, Any]] = {}
        self.origins: dict[tuple[KindName, Key], str] = {}
        self.refused: dict[str, str] = {}
        """Names of objects that the source does not take, and why."""
        self.batches: list[tuple[Change, ...]] = []
        self.synced_kinds: set[KindName] = set()
        self.unreadable: set[KindName] = set()
        self.problems: dict[str, str] = {}
        self.told: list[tuple[str, str]] = []
        """Every report that differed from the one before it."""
        self._changed = asyncio.Event()

    async def apply(self, changes: Sequence[Change]) -> None:
        await asyncio.sleep(0)
        if changes:
            self.batches.append(tuple(changes))
        for change in changes:
            identity = change.kind, change.key
            if change.raw is None:
                self.objects.pop(identity, None)
            else:
                self.objects[identity] = change.raw
                self.refused.pop(change.key.name, None)
                if change.refused:
                    self.refused[change.key.name] = change.refused
                self.origins[identity] = change.origin
        self._changed.set()

    async def synced(self, kind: KindName, keys: Collection[Key] | None) -> None:
        self.synced_kinds.add(kind)
        if keys is None:
            self.unreadable.add(kind)
        else:
            self.unreadable.discard(kind)
            for identity in [each for each in self.objects if each[0] == kind and each[1] not in keys]:
                del self.objects[identity]
        self._changed.set()

    def report(self, part: str, problem: str) -> None:
        if self.problems.get(part, "") != problem:
            self.told.append((part, problem))
        if problem:
            self.problems[part] = problem
        else:
            self.problems.pop(part, None)
        self._changed.set()

    def names(self, kind: str) -> set[str]:
        return {key.name for name, key in self.objects if name.kind == kind}

    async def until(self, holds: Callable[[], bool], timeout: float = 60.0) -> None:
        """Waits for a condition on what is held. `timeout` in seconds."""
        async with asyncio.timeout(timeout):
            while not holds():
                self._changed.clear()
                await self._changed.wait()
