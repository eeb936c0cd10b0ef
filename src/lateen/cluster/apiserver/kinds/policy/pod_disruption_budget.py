"""PodDisruptionBudgets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import mapping, number
from lateen.cluster.apiserver.kinds.label_selectors import validate_label_selector
from lateen.cluster.apiserver.kinds.number_validation import validate_int_or_percent
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.status import Cause, invalid_value, not_supported

_EVICTION_POLICIES = ("AlwaysAllow", "IfHealthyBudget")


class PodDisruptionBudget(BuiltinKind):
    counts_generations = True

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        spec = mapping(obj, "spec")
        found: list[Cause] = []
        low, high = spec.get("minAvailable"), spec.get("maxUnavailable")
        if low is not None and high is not None:
            shown = {k: v for k, v in spec.items() if k in ("minAvailable", "maxUnavailable")}
            found.append(invalid_value("spec", shown, "minAvailable and maxUnavailable cannot be both set"))
        for field, value in (("minAvailable", low), ("maxUnavailable", high)):
            if value is not None:
                found += validate_int_or_percent(value, f"spec.{field}", at_most_all=True)
        found += validate_label_selector(mapping(spec, "selector"), "spec.selector")
        policy = spec.get("unhealthyPodEvictionPolicy")
        if policy is not None and policy not in _EVICTION_POLICIES:
            found.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, _EVICTION_POLICIES))
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return self.validate_create(obj, ctx)

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Min Available"),
            Column("Max Unavailable"),
            Column("Allowed Disruptions", "integer"),
            Column("Age"),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec = mapping(obj, "spec")
        low, high = spec.get("minAvailable"), spec.get("maxUnavailable")
        return [
            name_of(obj),
            "N/A" if low is None else str(low),
            "N/A" if high is None else str(high),
            number(mapping(obj, "status"), "disruptionsAllowed"),
            age_of(obj, now),
        ]
