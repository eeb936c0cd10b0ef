"""StatefulSets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.core.pod_defaults import default_pod_template
from lateen.cluster.apiserver.kinds.core.pod_validation import validate_pod_template
from lateen.cluster.apiserver.kinds.core.unsupported_fields import Unsupported, ignored_warnings
from lateen.cluster.apiserver.kinds.core.volume_defaults import default_claim_spec
from lateen.cluster.apiserver.kinds.fields import fill, mapping, number, objects, section, text
from lateen.cluster.apiserver.kinds.label_selectors import validate_workload_selector
from lateen.cluster.apiserver.kinds.number_validation import validate_int_or_percent, validate_not_negative
from lateen.cluster.apiserver.kinds.workload_columns import container_cells
from lateen.cluster.apiserver.kinds.workload_kind import WorkloadKind
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.status import Cause, forbidden_field, invalid_value, not_supported, required

_MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_CHANGE_REFUSED = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)

_IGNORED = (Unsupported("updateStrategy.rollingUpdate.maxUnavailable", "one pod is updated at a time"),)


class StatefulSet(WorkloadKind):
    def default(self, obj: Obj) -> None:
        spec = section(obj, "spec")
        fill(spec, podManagementPolicy="OrderedReady", replicas=1, revisionHistoryLimit=10, serviceName="")
        strategy = section(spec, "updateStrategy")
        fill(strategy, type="RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            fill(section(strategy, "rollingUpdate"), partition=0)
        retention = section(spec, "persistentVolumeClaimRetentionPolicy")
        fill(retention, whenDeleted="Retain", whenScaled="Retain")
        for claim in objects(spec, "volumeClaimTemplates"):
            fill(claim, apiVersion="v1", kind="PersistentVolumeClaim")
            default_claim_spec(section(claim, "spec"))
            claim["status"] = {"phase": "Pending"}
        default_pod_template(section(spec, "template"))

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        obj["status"] = {"replicas": 0, "availableReplicas": 0}

    def validate(self, obj: Obj) -> list[Cause]:
        spec = mapping(obj, "spec")
        found = []
        policy = text(spec, "podManagementPolicy")
        if policy not in ("OrderedReady", "Parallel"):
            detail = "must be 'OrderedReady' or 'Parallel'"
            found.append(invalid_value("spec.podManagementPolicy", policy, detail))
        found += _validate_strategy(mapping(spec, "updateStrategy"))
        found += validate_not_negative(spec, "spec", "replicas", "minReadySeconds")
        found += validate_not_negative(mapping(spec, "ordinals"), "spec.ordinals", "start")
        for field, value in mapping(spec, "persistentVolumeClaimRetentionPolicy").items():
            if value not in ("Retain", "Delete"):
                path = f"spec.persistentVolumeClaimRetentionPolicy.{field}"
                found.append(not_supported(path, value, ["Delete", "Retain"]))
        found += validate_workload_selector(spec, "statefulset")
        # Claims become volumes of the same name in each pod.
        template = mapping(spec, "template")
        claimed = [
            {"name": text(mapping(claim, "metadata"), "name"), "emptyDir": {}}
            for claim in objects(spec, "volumeClaimTemplates")
        ]
        names = {claim["name"] for claim in claimed}
        pod_spec = mapping(template, "spec")
        own = [volume for volume in objects(pod_spec, "volumes") if text(volume, "name") not in names]
        found += validate_pod_template({**template, "spec": {**pod_spec, "volumes": [*own, *claimed]}}, "spec.template")
        return found

    def warnings(self, obj: Obj) -> Sequence[str]:
        return [*super().warnings(obj), *ignored_warnings(mapping(obj, "spec"), _IGNORED, "spec")]

    def validate_change(self, spec: Obj, old: Obj) -> list[Cause]:
        def fixed(value: Obj) -> Obj:
            return {k: v for k, v in value.items() if k not in _MUTABLE}

        return [] if fixed(spec) == fixed(old) else [forbidden_field("spec", _CHANGE_REFUSED)]

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Ready"),
            Column("Age"),
            Column("Containers", priority=1),
            Column("Images", priority=1),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec, status = mapping(obj, "spec"), mapping(obj, "status")
        return [
            name_of(obj),
            f"{number(status, 'readyReplicas')}/{number(spec, 'replicas')}",
            age_of(obj, now),
            *container_cells(mapping(spec, "template")),
        ]


def _validate_strategy(strategy: Obj) -> list[Cause]:
    path, kind, rolling = "spec.updateStrategy", text(strategy, "type"), strategy.get("rollingUpdate")
    if not kind:
        return [required(path)]
    if kind == "OnDelete":
        if rolling is not None:
            detail = "only allowed for updateStrategy 'RollingUpdate'"
            return [invalid_value(f"{path}.rollingUpdate", rolling, detail)]
        return []
    if kind != "RollingUpdate":
        return [invalid_value(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")]
    rolling = mapping(strategy, "rollingUpdate")
    found = validate_not_negative(rolling, f"{path}.rollingUpdate", "partition")
    if rolling.get("maxUnavailable") is not None:
        at = f"{path}.rollingUpdate.maxUnavailable"
        found += validate_int_or_percent(rolling["maxUnavailable"], at, at_most_all=True)
    return found
