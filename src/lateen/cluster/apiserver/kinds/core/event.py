"""Events, in both of their shapes: `v1`, which is stored, and `events.k8s.io/v1`, a view of the same objects.

Source: k8s.io/kubernetes `pkg/apis/events/v1/conversion.go`, `pkg/printers/internalversion.printEvent`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from lateen.cluster.apiserver.age import human_duration
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import mapping, number, text
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, metadata, name_of, namespace_of, parse_timestamp
from lateen.cluster.status import Cause, invalid_value

_RENAMED = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
_RESTORED = {new: old for old, new in _RENAMED.items()}


class CoreEvent(BuiltinKind):
    created_by_update = True

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        namespace, involved = namespace_of(obj), text(mapping(self._core(obj), "involvedObject"), "namespace")
        if (involved or "default") != namespace:
            return [invalid_value("involvedObject.namespace", involved, "does not match event.namespace")]
        return ()

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return self.validate_create(obj, ctx)

    def _core(self, obj: Obj) -> Obj:
        return obj

    def selectable_fields(self, obj: Obj) -> Mapping[str, str]:
        event = self._core(obj)
        involved = mapping(event, "involvedObject")
        source = text(mapping(event, "source"), "component") or text(event, "reportingComponent")
        regarded = {
            f"involvedObject.{field}": text(involved, field)
            for field in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
        }
        return {
            **regarded,
            "reason": text(event, "reason"),
            "reportingComponent": text(event, "reportingComponent"),
            "source": source,
            "type": text(event, "type"),
        }

    def columns(self) -> Sequence[Column]:
        return (
            Column("Last Seen"),
            Column("Type"),
            Column("Reason"),
            Column("Object"),
            Column("Subobject", priority=1),
            Column("Source", priority=1),
            Column("Message"),
            Column("First Seen", priority=1),
            Column("Count", priority=1),
            Column("Name", format="name", priority=1),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        event = self._core(obj)
        involved, series = mapping(event, "involvedObject"), mapping(event, "series")
        first = (
            text(event, "firstTimestamp") or text(event, "eventTime") or metadata(event).get("creationTimestamp", "")
        )
        last = text(series, "lastObservedTime") or text(event, "lastTimestamp") or first
        kind, name = text(involved, "kind").lower(), text(involved, "name")
        source = mapping(event, "source")
        component = text(source, "component") or text(event, "reportingComponent")
        host = text(source, "host") or ("" if text(source, "component") else text(event, "reportingInstance"))
        return [
            _ago(last, now),
            text(event, "type"),
            text(event, "reason"),
            f"{kind}/{name}" if kind else name,
            text(involved, "fieldPath"),
            ", ".join(filter(None, (component, host))),
            text(event, "message").strip(),
            _ago(first, now),
            number(series, "count") or number(event, "count") or 1,
            name_of(event),
        ]


class Event(CoreEvent):
    """`events.k8s.io/v1`: the same stored objects, some fields under new names."""

    @property
    def storage(self) -> tuple[str, str]:
        return "", "events"

    def from_storage(self, obj: Obj) -> Obj:
        return {**_rename(obj, _RENAMED), "apiVersion": "events.k8s.io/v1"}

    def to_storage(self, obj: Obj) -> Obj:
        return self._core(obj)

    def _core(self, obj: Obj) -> Obj:
        stored = {**_rename(obj, _RESTORED), "apiVersion": "v1"}
        stored.setdefault("involvedObject", {})
        return stored


def _rename(obj: Obj, names: Mapping[str, str]) -> Obj:
    return {names.get(field, field): value for field, value in obj.items()}


def _ago(at: str, now: dt.datetime) -> str:
    return human_duration((now - parse_timestamp(at)).total_seconds()) if at else "<unknown>"
