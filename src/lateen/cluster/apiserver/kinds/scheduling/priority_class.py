"""PriorityClasses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import fill, number, text
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.status import Cause, forbidden_field, not_supported

_HIGHEST = 1_000_000_000
_SYSTEM = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}

_NO_PREEMPTION = "preemptionPolicy: this cluster does not preempt pods; all priorities wait alike for room"


class PriorityClass(BuiltinKind):
    counts_generations = True

    def default(self, obj: Obj) -> None:
        fill(obj, value=0, preemptionPolicy="PreemptLowerPriority")

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        name, value = name_of(obj), number(obj, "value")
        found = []
        if name.startswith("system-"):
            if _SYSTEM.get(name) != value:
                detail = (
                    "priority class names with 'system-' prefix are reserved for system use only. "
                    "error: the system priority class is not known"
                )
                found.append(forbidden_field("metadata.name", detail))
        elif value > _HIGHEST:
            detail = f"maximum allowed value of a user defined priority is {_HIGHEST}"
            found.append(forbidden_field("value", detail))
        policy = obj.get("preemptionPolicy")
        if policy not in ("Never", "PreemptLowerPriority"):
            found.append(not_supported("preemptionPolicy", policy, ["Never", "PreemptLowerPriority"]))
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        found = []
        if number(obj, "value") != number(old, "value"):
            found.append(forbidden_field("value", "may not be changed in an update."))
        if obj.get("preemptionPolicy") != old.get("preemptionPolicy"):
            found.append(Cause("FieldValueInvalid", "field is immutable", "preemptionPolicy"))
        return found

    def warnings(self, obj: Obj) -> Sequence[str]:
        return () if text(obj, "preemptionPolicy") == "Never" else (_NO_PREEMPTION,)

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Value", "integer"),
            Column("Global-Default", "boolean"),
            Column("Age"),
            Column("PreemptionPolicy"),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return [
            name_of(obj),
            number(obj, "value"),
            bool(obj.get("globalDefault")),
            age_of(obj, now),
            text(obj, "preemptionPolicy"),
        ]
