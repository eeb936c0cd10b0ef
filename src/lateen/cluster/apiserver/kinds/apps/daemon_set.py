"""DaemonSets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.apps.deployment import validate_rolling_update
from lateen.cluster.apiserver.kinds.core.pod_defaults import default_pod_template
from lateen.cluster.apiserver.kinds.core.pod_validation import validate_pod_template
from lateen.cluster.apiserver.kinds.fields import fill, mapping, number, section, text
from lateen.cluster.apiserver.kinds.immutability import unchanged
from lateen.cluster.apiserver.kinds.label_selectors import format_labels, validate_workload_selector
from lateen.cluster.apiserver.kinds.number_validation import validate_not_negative
from lateen.cluster.apiserver.kinds.workload_columns import TEMPLATE_COLUMNS, template_cells
from lateen.cluster.apiserver.kinds.workload_kind import WorkloadKind
from lateen.cluster.apiserver.request import Context
from lateen.cluster.int_or_percent import is_zero
from lateen.cluster.objects import Obj, metadata, name_of
from lateen.cluster.status import Cause, invalid_value, not_supported, required

_GENERATION = "deprecated.daemonset.template.generation"


class DaemonSet(WorkloadKind):
    def default(self, obj: Obj) -> None:
        spec = section(obj, "spec")
        fill(spec, revisionHistoryLimit=10)
        strategy = section(spec, "updateStrategy")
        fill(strategy, type="RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            fill(section(strategy, "rollingUpdate"), maxUnavailable=1, maxSurge=0)
        default_pod_template(section(spec, "template"))

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        obj["status"] = {
            "currentNumberScheduled": 0,
            "numberMisscheduled": 0,
            "desiredNumberScheduled": 0,
            "numberReady": 0,
        }
        fill(section(metadata(obj), "annotations"), **{_GENERATION: "1"})

    def prepare_update(self, obj: Obj, old: Obj, ctx: Context) -> None:
        super().prepare_update(obj, old, ctx)
        generation = int(mapping(metadata(old), "annotations").get(_GENERATION) or 0)
        if mapping(obj, "spec").get("template") != mapping(old, "spec").get("template"):
            generation += 1
        section(metadata(obj), "annotations")[_GENERATION] = str(generation)

    def validate(self, obj: Obj) -> list[Cause]:
        spec = mapping(obj, "spec")
        found = validate_workload_selector(spec, "daemonset")
        found += validate_pod_template(mapping(spec, "template"), "spec.template")
        found += validate_not_negative(spec, "spec", "minReadySeconds", "revisionHistoryLimit")
        return found + _validate_strategy(mapping(spec, "updateStrategy"))

    def validate_change(self, spec: Obj, old: Obj) -> list[Cause]:
        return unchanged(spec, old, "selector", path="spec")

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Desired", "integer"),
            Column("Current", "integer"),
            Column("Ready", "integer"),
            Column("Up-to-date", "integer"),
            Column("Available", "integer"),
            Column("Node Selector"),
            Column("Age"),
            *TEMPLATE_COLUMNS,
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec, status = mapping(obj, "spec"), mapping(obj, "status")
        return [
            name_of(obj),
            number(status, "desiredNumberScheduled"),
            number(status, "currentNumberScheduled"),
            number(status, "numberReady"),
            number(status, "updatedNumberScheduled"),
            number(status, "numberAvailable"),
            format_labels(mapping(mapping(mapping(spec, "template"), "spec"), "nodeSelector")),
            age_of(obj, now),
            *template_cells(spec),
        ]


def _validate_strategy(strategy: Obj) -> list[Cause]:
    path, kind = "spec.updateStrategy", text(strategy, "type")
    if kind == "OnDelete":
        return []
    if kind != "RollingUpdate":
        return [not_supported(f"{path}.type", kind, ["OnDelete", "RollingUpdate"])]
    rolling = mapping(strategy, "rollingUpdate")
    if not rolling:
        return [required(f"{path}.rollingUpdate")]
    found = validate_rolling_update(rolling, f"{path}.rollingUpdate")
    if not is_zero(rolling.get("maxUnavailable")) and not is_zero(rolling.get("maxSurge")):
        detail = "may not be set when maxUnavailable is non-zero"
        found.append(invalid_value(f"{path}.rollingUpdate.maxSurge", rolling.get("maxSurge"), detail))
    return found
