"""`metadata.managedFields`: who owns which fields, by (manager, operation, apiVersion, subresource).

Source: `k8s.io/apimachinery/pkg/util/managedfields`, whose limits and merging rules these are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from lateen.cluster.apiserver.patch.field_set import EMPTY, FieldSet
from lateen.cluster.apiserver.patch.json_patch import json_equal
from lateen.cluster.objects import Obj, metadata

APPLY = "Apply"
UPDATE = "Update"
MAX_UPDATE_MANAGERS = 10
"""Updates by more managers than this are recorded together, the oldest first, as `ancient-changes`."""
ANCIENT = "ancient-changes"

UNTRACKED = FieldSet.of(
    ("f:apiVersion",),
    ("f:kind",),
    ("f:metadata",),
    *(
        ("f:metadata", f"f:{name}")
        for name in (
            "clusterName",
            "creationTimestamp",
            "generation",
            "managedFields",
            "name",
            "namespace",
            "resourceVersion",
            "selfLink",
            "uid",
        )
    ),
)
"""Fields nobody owns."""


class ManagerId(NamedTuple):
    """What tells entries apart. An applier's apiVersion does not: it has one entry, whatever version it applies."""

    manager: str
    operation: str
    api_version: str
    subresource: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One manager's fields. `time` is when it last changed them, RFC 3339, or empty."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    time: str
    fields: FieldSet

    @property
    def id(self) -> ManagerId:
        return ManagerId(
            self.manager, self.operation, "" if self.operation == APPLY else self.api_version, self.subresource
        )

    @property
    def display(self) -> str:
        """As conflict messages name it."""
        shown = f'"{self.manager}"'
        if self.subresource:
            shown += f' with subresource "{self.subresource}"'
        if self.operation == UPDATE:
            shown += f" using {self.api_version}"
        return shown

    def owning(self, fields: FieldSet) -> Entry:
        """The same entry with other fields."""
        return Entry(self.manager, self.operation, self.api_version, self.subresource, self.time, fields)

    def to_json(self) -> Obj:
        encoded: Obj = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.fields.encode(),
            "subresource": self.subresource,
        }
        return {k: v for k, v in encoded.items() if v != ""}


class Managers:
    """All entries of one object. A value: operations return new ones."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: Mapping[ManagerId, Entry] = {e.id: e for e in entries if e.fields}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __bool__(self) -> bool:
        return bool(self._entries)

    def get(self, manager: ManagerId) -> Entry | None:
        return self._entries.get(manager)

    def with_entry(self, entry: Entry) -> Managers:
        """Adds or replaces an entry; one without fields goes."""
        return Managers({**self._entries, entry.id: entry}.values())

    def without(self, fields: FieldSet, *, recursive: bool, keeping: ManagerId | None = None) -> Managers:
        """Takes fields (with all below, if recursive) from every manager but `keeping`."""
        if not fields:
            return self
        return Managers(
            e
            if e.id == keeping
            else e.owning(e.fields.recursive_difference(fields) if recursive else e.fields.difference(fields))
            for e in self
        )

    def owned(self) -> FieldSet:
        """The fields somebody owns."""
        fields = EMPTY
        for entry in self:
            fields = fields.union(entry.fields)
        return fields

    def capped(self) -> Managers:
        """Puts the oldest Update entries together where there are more than MAX_UPDATE_MANAGERS."""
        updates = sorted((e for e in self if e.operation == UPDATE), key=lambda e: (e.time, e.manager))
        entries = dict(self._entries)
        surplus = len(updates) - MAX_UPDATE_MANAGERS
        for entry in updates:
            if surplus <= 0:
                break
            target = Entry(ANCIENT, UPDATE, entry.api_version, "", entry.time, entry.fields)
            if entry.id == target.id:
                continue
            known = entries.get(target.id)
            if known is not None:
                # Joining an existing bucket saves a manager; opening one does not.
                surplus -= 1
                target = Entry(ANCIENT, UPDATE, entry.api_version, "", entry.time, known.fields.union(entry.fields))
            del entries[entry.id]
            entries[target.id] = target
        return Managers(entries.values())

    def encode(self) -> list[Obj]:
        ordered = sorted(self, key=lambda e: (e.operation, e.time, e.manager, e.api_version, e.subresource))
        return [e.to_json() for e in ordered]


def decode(entries: Any) -> Managers:
    """Reads `metadata.managedFields`. Raises ValueError where an entry is none."""
    decoded: dict[ManagerId, Entry] = {}
    for raw in entries or ():
        if not isinstance(raw, dict) or raw.get("operation") not in (APPLY, UPDATE):
            raise ValueError("managedFields: operation must be Apply or Update")
        if raw.get("fieldsType", "FieldsV1") != "FieldsV1":
            raise ValueError("managedFields: fieldsType must be FieldsV1")
        entry = Entry(
            str(raw.get("manager") or ""),
            raw["operation"],
            str(raw.get("apiVersion") or ""),
            str(raw.get("subresource") or ""),
            str(raw.get("time") or ""),
            FieldSet.decode(raw.get("fieldsV1") or {}),
        )
        known = decoded.get(entry.id)
        decoded[entry.id] = entry if known is None else entry.owning(known.fields.union(entry.fields))
    return Managers(decoded.values())


def of_live(live: Obj | None) -> Managers:
    """A stored object's managers; none where it has none that can be read."""
    try:
        return decode(metadata(live).get("managedFields") if live else None)
    except ValueError:
        return Managers()


def of_update(live: Obj | None, new: Obj, subresource: str) -> Managers:
    """The managers an update starts from: those the new object carries, so that users may edit them.

    `[{}]` resets them. An object that carries none, or broken ones, keeps the live object's; so do subresources.
    """
    if subresource:
        return of_live(live)
    given = metadata(new).get("managedFields")
    if given == [{}]:
        return Managers()
    try:
        managers = decode(given)
    except (ValueError, TypeError, AttributeError):
        return of_live(live)
    return managers or of_live(live)


def same_but_for_times(a: list[Obj], b: list[Obj]) -> bool:
    def timeless(entries: list[Obj]) -> list[Obj]:
        plain = [{k: v for k, v in e.items() if k != "time"} for e in entries]
        return sorted(
            plain, key=lambda e: [str(e.get(k, "")) for k in ("operation", "manager", "apiVersion", "subresource")]
        )

    return json_equal(timeless(a), timeless(b))
