"""ReplicaSets, and ReplicationControllers, which differ in their selector alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.core.pod_defaults import default_pod_template
from lateen.cluster.apiserver.kinds.core.pod_validation import validate_pod_template
from lateen.cluster.apiserver.kinds.fields import fill, mapping, number, section
from lateen.cluster.apiserver.kinds.immutability import unchanged
from lateen.cluster.apiserver.kinds.label_selectors import format_labels, validate_workload_selector
from lateen.cluster.apiserver.kinds.number_validation import validate_not_negative
from lateen.cluster.apiserver.kinds.workload_columns import TEMPLATE_COLUMNS, container_cells, template_cells
from lateen.cluster.apiserver.kinds.workload_kind import WorkloadKind
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, labels_of, metadata, name_of
from lateen.cluster.selectors import from_map
from lateen.cluster.status import Cause, invalid_value, required

_COLUMNS = (
    Column("Name", format="name"),
    Column("Desired", "integer"),
    Column("Current", "integer"),
    Column("Ready", "integer"),
    Column("Age"),
    *TEMPLATE_COLUMNS,
)


def _counts(obj: Obj, now: dt.datetime) -> list[Any]:
    spec, status = mapping(obj, "spec"), mapping(obj, "status")
    return [
        name_of(obj),
        number(spec, "replicas"),
        number(status, "replicas"),
        number(status, "readyReplicas"),
        age_of(obj, now),
    ]


class ReplicaSet(WorkloadKind):
    def default(self, obj: Obj) -> None:
        spec = section(obj, "spec")
        fill(spec, replicas=1)
        default_pod_template(section(spec, "template"))

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        obj["status"] = {"replicas": 0}

    def validate(self, obj: Obj) -> list[Cause]:
        spec = mapping(obj, "spec")
        found = validate_not_negative(spec, "spec", "replicas", "minReadySeconds")
        found += validate_workload_selector(spec, "deployment")
        return found + validate_pod_template(mapping(spec, "template"), "spec.template")

    def validate_change(self, spec: Obj, old: Obj) -> list[Cause]:
        return unchanged(spec, old, "selector", path="spec")

    def selectable_fields(self, obj: Obj) -> Mapping[str, str]:
        return {"status.replicas": str(number(mapping(obj, "status"), "replicas"))}

    def columns(self) -> Sequence[Column]:
        return _COLUMNS

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return [*_counts(obj, now), *template_cells(mapping(obj, "spec"))]


class ReplicationController(WorkloadKind):
    def default(self, obj: Obj) -> None:
        spec = section(obj, "spec")
        fill(spec, replicas=1)
        default_pod_template(section(spec, "template"))
        labels = labels_of(mapping(spec, "template"))
        if labels:
            fill(spec, selector=dict(labels))
            if not labels_of(obj):
                metadata(obj)["labels"] = dict(labels)

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        obj["status"] = {"replicas": 0}

    def validate(self, obj: Obj) -> list[Cause]:
        spec = mapping(obj, "spec")
        selector, labels = mapping(spec, "selector"), labels_of(mapping(spec, "template"))
        found = validate_not_negative(spec, "spec", "replicas", "minReadySeconds")
        if not selector:
            found.append(required("spec.selector"))
        elif not from_map(selector).matches(labels):
            detail = "`selector` does not match template `labels`"
            found.append(invalid_value("spec.template.metadata.labels", labels, detail))
        return found + validate_pod_template(mapping(spec, "template"), "spec.template")

    def selectable_fields(self, obj: Obj) -> Mapping[str, str]:
        return {"status.replicas": str(number(mapping(obj, "status"), "replicas"))}

    def columns(self) -> Sequence[Column]:
        return _COLUMNS

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec = mapping(obj, "spec")
        selector = format_labels(mapping(spec, "selector"))
        return [*_counts(obj, now), *container_cells(mapping(spec, "template")), selector]
