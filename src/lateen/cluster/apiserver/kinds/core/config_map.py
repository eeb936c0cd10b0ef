"""ConfigMaps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import mapping
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.status import Cause, forbidden_field, invalid_value, too_long

MAX_BYTES = 1024 * 1024


class ConfigMap(BuiltinKind):
    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        found = []
        data, binary = mapping(obj, "data"), mapping(obj, "binaryData")
        for field, values in (("data", data), ("binaryData", binary)):
            for key in values:
                found += [invalid_value(f"{field}[{key}]", key, e) for e in names.config_key(key)]
        for key in data.keys() & binary.keys():
            found.append(invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData"))
        size = sum(len(str(value).encode()) for value in (*data.values(), *binary.values()))
        if size > MAX_BYTES:
            found.append(too_long("", MAX_BYTES))
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return [*self.validate_create(obj, ctx), *validate_frozen(obj, old, "data", "binaryData")]

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Data"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        count = len(mapping(obj, "data")) + len(mapping(obj, "binaryData"))
        return [name_of(obj), count, age_of(obj, now)]


def validate_frozen(obj: Obj, old: Obj, *fields: str) -> list[Cause]:
    """What `immutable: true` forbids: to be unset, and to change `fields`."""
    if not old.get("immutable"):
        return []
    found = []
    if not obj.get("immutable"):
        found.append(forbidden_field("immutable", "field is immutable when `immutable` is set"))
    for field in fields:
        if (obj.get(field) or {}) != (old.get(field) or {}):
            found.append(forbidden_field(field, "field is immutable when `immutable` is set"))
    return found
