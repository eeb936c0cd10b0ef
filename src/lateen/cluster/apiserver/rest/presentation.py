"""Encoding objects, lists and watch events in the representation that a client asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.negotiation import WHOLE, Representation
from lateen.cluster.apiserver.store.event import Event
from lateen.cluster.apiserver.store.record import Record
from lateen.cluster.apiserver.store.store import Snapshot
from lateen.cluster.apiserver.table import column_definitions, partial_metadata, row, table
from lateen.cluster.objects import Obj, metadata

_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Presentation:
    """One kind in one representation."""

    kind: Kind
    shown: Representation
    now: Callable[[], dt.datetime]

    def obj(self, obj: Obj) -> Obj:
        """One object (in the kind's version) as it is shown."""
        if self.shown.shape == "Table":
            version = metadata(obj).get("resourceVersion", "")
            return table(self.kind, [obj], {"resourceVersion": version}, self.shown, self.now())
        if self.shown.shape:
            return partial_metadata(obj, self.shown)
        return obj

    def list(self, snapshot: Snapshot, records: Sequence[Record], list_metadata: Obj) -> bytes:
        """A list of records."""
        encoded = [self._item(snapshot, record) for record in records]
        head: Obj
        if self.shown.shape == "Table":
            head = {
                "kind": "Table",
                "apiVersion": self.shown.api_version,
                "metadata": list_metadata,
                "columnDefinitions": column_definitions(self.kind),
            }
            return _joined(head, "rows", encoded)
        if self.shown.shape:
            head = {"kind": "PartialObjectMetadataList", "apiVersion": self.shown.api_version}
        else:
            head = {"kind": self.kind.resource.list_kind, "apiVersion": self.kind.resource.gvk.api_version}
        return _joined({**head, "metadata": list_metadata}, "items", encoded)

    def event(self, event: Event, type_: str) -> bytes:
        """A watch event with its newline. `type_` is what the watcher sees, by its selectors."""
        representation = (self.kind.resource.gvr, self.shown, type_)
        return event.frame(representation, lambda: self._event(event, type_))

    def _event(self, event: Event, type_: str) -> bytes:
        record = event.record
        if type_ == "DELETED" and event.type != "DELETED" and event.previous is not None:
            # It left the selection: the watcher gets what it knew, at the revision of the change.
            previous = event.previous_obj or {}
            meta = {**metadata(previous), "resourceVersion": str(event.revision)}
            obj = self.kind.from_storage({**previous, "metadata": meta})
        elif self.shown == WHOLE and self._is_as_stored(record):
            return b'{"type":"%b","object":%b}\n' % (type_.encode(), record.raw)
        else:
            obj = self.kind.from_storage(event.obj)
        return frame(type_, self.obj(obj))

    def added(self, snapshot: Snapshot, record: Record) -> bytes:
        """The event that tells a new watcher of an object that was there before."""
        if self.shown == WHOLE and self._is_as_stored(record):
            return b'{"type":"ADDED","object":%b}\n' % record.raw
        return frame("ADDED", self.obj(self.kind.from_storage(snapshot.obj(record))))

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> bytes:
        """The event that tells a watcher how far it is."""
        meta: Obj = {"resourceVersion": str(revision)}
        if initial_events_end:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        if self.shown.shape == "Table":
            return frame("BOOKMARK", table(self.kind, [], meta, self.shown, self.now()))
        if self.shown.shape:
            return frame("BOOKMARK", partial_metadata({"metadata": meta}, self.shown))
        gvk = self.kind.resource.gvk
        return frame("BOOKMARK", {"kind": gvk.kind, "apiVersion": gvk.api_version, "metadata": meta})

    def _is_as_stored(self, record: Record) -> bool:
        """Whether the stored bytes are what this version shows."""
        kind = self.kind
        if not kind.shows_as_stored(record.revision):
            return False
        # The store writes apiVersion first.
        return record.raw.startswith(b'{"apiVersion":"%b",' % kind.resource.gvk.api_version.encode())

    def _item(self, snapshot: Snapshot, record: Record) -> bytes:
        if self.shown == WHOLE and self._is_as_stored(record):
            return record.raw
        obj = self.kind.from_storage(snapshot.obj(record))
        if self.shown.shape == "Table":
            return _encode(row(self.kind, obj, self.shown, self.now()))
        return _encode(self.obj(obj))


def frame(type_: str, obj: Obj) -> bytes:
    """One line of a watch."""
    return _encode({"type": type_, "object": obj}) + b"\n"


def _joined(head: Obj, field: str, items: Sequence[bytes]) -> bytes:
    return _encode(head)[:-1] + b',"%b":[' % field.encode() + b",".join(items) + b"]}"
