"""The recent changes, bounded in number and bytes: what watches resume from and older lists are rebuilt from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from lateen.cluster.apiserver.store.event import DELETED, Event, GroupResource
from lateen.cluster.apiserver.store.record import Record
from lateen.cluster.objects import Key

_FRAMED = 64
"""Newest events that keep what was encoded of them for watchers; one that lags further encodes anew."""


class History:
    """Events in the order of their revisions. Complete after revision `compacted`."""

    def __init__(self, max_events: int, max_bytes: int, compacted: int = 0) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._bytes = 0
        self._events: deque[Event] = deque()
        self._by_resource: dict[GroupResource, deque[Event]] = {}
        self.compacted = compacted

    def __len__(self) -> int:
        return len(self._events)

    def append(self, event: Event) -> list[int]:
        """Adds the newest event. Returns the revisions of stored versions that nothing needs any more."""
        self._events.append(event)
        self._by_resource.setdefault(event.resource, deque()).append(event)
        self._bytes += event.size
        if len(self._events) > _FRAMED:
            self._events[-_FRAMED - 1].forget_frames()
        obsolete: list[int] = []
        # The newest event always stays: the next start takes the revision to continue from out of it.
        while len(self._events) > max(1, self._max_events) or (self._bytes > self._max_bytes and len(self._events) > 1):
            obsolete += self._evict()
        return obsolete

    def since(self, resource: GroupResource, revision: int) -> Iterator[Event]:
        """The resource's events after `revision`, which must not be below `compacted`, oldest first."""
        found: list[Event] = []
        for event in reversed(self._by_resource.get(resource, ())):
            if event.revision <= revision:
                break
            found.append(event)
        return reversed(found)

    def states_at(self, resource: GroupResource, revision: int) -> dict[Key, Record | None]:
        """The state as of `revision` of every object that changed since (None: it was not there)."""
        found: dict[Key, Record | None] = {}
        for event in self.since(resource, revision):
            found.setdefault(event.key, event.previous)
        return found

    def _evict(self) -> list[int]:
        event = self._events.popleft()
        of_resource = self._by_resource[event.resource]
        of_resource.popleft()
        if not of_resource:
            del self._by_resource[event.resource]
        self._bytes -= event.size
        self.compacted = event.revision
        obsolete = [event.previous.revision] if event.previous is not None else []
        if event.type == DELETED:
            obsolete.append(event.revision)
        return obsolete
