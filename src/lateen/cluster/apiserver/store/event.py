"""One change of one object, as the store's history keeps it and watches deliver it."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from lateen.cluster.apiserver.store.record import DecodedCache, Record
from lateen.cluster.objects import Key, Obj

GroupResource = tuple[str, str]
"""(group, plural): names a stored collection."""

ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"


class Event:
    """A committed change. `record` is the state after it (the final state, for a deletion), `previous` before it."""

    __slots__ = ("_decoded", "_frames", "previous", "record", "resource", "type")

    def __init__(
        self, type_: str, resource: GroupResource, record: Record, previous: Record | None, decoded: DecodedCache
    ) -> None:
        self.type = type_
        self.resource = resource
        self.record = record
        self.previous = previous
        self._decoded = decoded
        self._frames: dict[Hashable, bytes] | None = None

    @property
    def key(self) -> Key:
        return self.record.key

    @property
    def revision(self) -> int:
        return self.record.revision

    @property
    def obj(self) -> Obj:
        """The object after the change, in the storage version. Shared: never change it."""
        return self._decoded.get(self.record)

    @property
    def previous_obj(self) -> Obj | None:
        return None if self.previous is None else self._decoded.get(self.previous)

    @property
    def size(self) -> int:
        """Bytes this event keeps in memory, about."""
        return len(self.record.raw)

    def frame(self, representation: Hashable, encode: Callable[[], bytes]) -> bytes:
        """The event as sent to watchers that asked for `representation`: encoded once, shared by all of them."""
        if self._frames is None:
            self._frames = {}
        found = self._frames.get(representation)
        if found is None:
            found = self._frames[representation] = encode()
        return found

    def forget_frames(self) -> None:
        """Frees the encoded frames; they are made anew when a watch still needs them."""
        self._frames = None
