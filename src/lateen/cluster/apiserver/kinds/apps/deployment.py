"""Deployments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.core.pod_defaults import default_pod_template
from lateen.cluster.apiserver.kinds.core.pod_validation import validate_pod_template
from lateen.cluster.apiserver.kinds.fields import fill, mapping, number, section, text
from lateen.cluster.apiserver.kinds.immutability import unchanged
from lateen.cluster.apiserver.kinds.label_selectors import validate_workload_selector
from lateen.cluster.apiserver.kinds.number_validation import validate_int_or_percent, validate_not_negative
from lateen.cluster.apiserver.kinds.workload_columns import TEMPLATE_COLUMNS, template_cells
from lateen.cluster.apiserver.kinds.workload_kind import WorkloadKind
from lateen.cluster.int_or_percent import is_zero
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.status import Cause, forbidden_field, invalid_value, not_supported, required


class Deployment(WorkloadKind):
    def default(self, obj: Obj) -> None:
        spec = section(obj, "spec")
        fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
        strategy = section(spec, "strategy")
        fill(strategy, type="RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            fill(section(strategy, "rollingUpdate"), maxUnavailable="25%", maxSurge="25%")
        default_pod_template(section(spec, "template"))

    def validate(self, obj: Obj) -> list[Cause]:
        spec = mapping(obj, "spec")
        found = validate_not_negative(
            spec, "spec", "replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"
        )
        found += validate_workload_selector(spec, "deployment")
        found += validate_pod_template(mapping(spec, "template"), "spec.template")
        found += _validate_strategy(mapping(spec, "strategy"))
        if number(spec, "progressDeadlineSeconds", 600) <= number(spec, "minReadySeconds"):
            seconds = spec.get("progressDeadlineSeconds")
            found.append(invalid_value("spec.progressDeadlineSeconds", seconds, "must be greater than minReadySeconds"))
        return found

    def validate_change(self, spec: Obj, old: Obj) -> list[Cause]:
        return unchanged(spec, old, "selector", path="spec")

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Ready"),
            Column("Up-to-date"),
            Column("Available"),
            Column("Age"),
            *TEMPLATE_COLUMNS,
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec, status = mapping(obj, "spec"), mapping(obj, "status")
        return [
            name_of(obj),
            f"{number(status, 'readyReplicas')}/{number(spec, 'replicas')}",
            number(status, "updatedReplicas"),
            number(status, "availableReplicas"),
            age_of(obj, now),
            *template_cells(spec),
        ]


def _validate_strategy(strategy: Obj) -> list[Cause]:
    path = "spec.strategy"
    kind, rolling = text(strategy, "type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            detail = "may not be specified when strategy `type` is 'Recreate'"
            return [forbidden_field(f"{path}.rollingUpdate", detail)]
        return []
    if kind != "RollingUpdate":
        return [not_supported(f"{path}.type", kind, ["Recreate", "RollingUpdate"])]
    if not isinstance(rolling, dict):
        return [required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")]
    return validate_rolling_update(rolling, f"{path}.rollingUpdate")


def validate_rolling_update(rolling: Obj, path: str) -> list[Cause]:
    """`maxUnavailable` and `maxSurge`: not both zero."""
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    found = validate_int_or_percent(unavailable, f"{path}.maxUnavailable", at_most_all=True)
    found += validate_int_or_percent(surge, f"{path}.maxSurge")
    if is_zero(unavailable) and is_zero(surge):
        found.append(invalid_value(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    return found
