"""Leases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import mapping, text
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.status import Cause, invalid_value


class Lease(BuiltinKind):
    created_by_update = True

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        spec = mapping(obj, "spec")
        found = []
        seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
        if seconds is not None and seconds <= 0:
            found.append(invalid_value("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
        if transitions is not None and transitions < 0:
            found.append(invalid_value("spec.leaseTransitions", transitions, "must be greater than or equal to 0"))
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return self.validate_create(obj, ctx)

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Holder"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return [name_of(obj), text(mapping(obj, "spec"), "holderIdentity"), age_of(obj, now)]
