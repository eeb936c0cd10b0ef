"""LimitRanges and ResourceQuotas."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.core.resource_validation import validate_resource_list
from lateen.cluster.apiserver.kinds.fields import canonical_quantities, indexed, mapping, objects, text
from lateen.cluster.apiserver.kinds.immutability import unchanged
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, metadata, name_of
from lateen.cluster.status import Cause, invalid_value, required

_BOUNDS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")


class LimitRange(BuiltinKind):
    def default(self, obj: Obj) -> None:
        for limit in objects(mapping(obj, "spec"), "limits"):
            canonical_quantities(limit, *_BOUNDS)
            if limit.get("type") == "Container":
                _fill_container_limits(limit)

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        found = []
        for at, limit in indexed(mapping(obj, "spec"), "limits", "spec"):
            if not text(limit, "type"):
                found.append(required(f"{at}.type"))
            read = {}
            for bound in _BOUNDS:
                read[bound], faults = validate_resource_list(mapping(limit, bound), f"{at}.{bound}")
                found += faults
            for low, high in (("min", "max"), ("min", "default"), ("defaultRequest", "default"), ("default", "max")):
                for resource in read[low].keys() & read[high].keys():
                    less, more = read[low][resource], read[high][resource]
                    if less > more:
                        detail = f"{low} value {less} is greater than {high} value {more}"
                        found.append(invalid_value(f"{at}.{low}[{resource}]", str(less), detail))
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return self.validate_create(obj, ctx)

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Created At"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return [name_of(obj), metadata(obj).get("creationTimestamp", "")]


def _fill_container_limits(limit: Obj) -> None:
    """Defaults follow maxima, requests follow defaults, else minima."""
    default = {**mapping(limit, "max"), **mapping(limit, "default")}
    if default:
        limit["default"] = default
    request = {**mapping(limit, "min"), **default, **mapping(limit, "defaultRequest")}
    if request:
        limit["defaultRequest"] = request


class ResourceQuota(BuiltinKind):
    def default(self, obj: Obj) -> None:
        canonical_quantities(mapping(obj, "spec"), "hard")

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        return validate_resource_list(mapping(mapping(obj, "spec"), "hard"), "spec.hard")[1]

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        spec, before = mapping(obj, "spec"), mapping(old, "spec")
        return [*self.validate_create(obj, ctx), *unchanged(spec, before, "scopes", path="spec")]

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Request"), Column("Limit"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        status = mapping(obj, "status")
        hard, used = mapping(status, "hard"), mapping(status, "used")
        cells: dict[bool, list[str]] = {True: [], False: []}
        for resource in sorted(hard):
            cells[resource.startswith("limits.")].append(f"{resource}: {used.get(resource, '0')}/{hard[resource]}")
        return [name_of(obj), ", ".join(cells[False]), ", ".join(cells[True]), age_of(obj, now)]
