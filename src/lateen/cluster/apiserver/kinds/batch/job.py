"""Jobs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.age import age_of, human_duration
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.core.pod_defaults import default_pod_template
from lateen.cluster.apiserver.kinds.core.pod_validation import validate_pod_template
from lateen.cluster.apiserver.kinds.fields import fill, mapping, number, objects, section, text
from lateen.cluster.apiserver.kinds.immutability import IMMUTABLE, unchanged
from lateen.cluster.apiserver.kinds.label_selectors import validate_workload_selector
from lateen.cluster.apiserver.kinds.number_validation import validate_not_negative
from lateen.cluster.apiserver.kinds.workload_columns import TEMPLATE_COLUMNS, template_cells
from lateen.cluster.apiserver.kinds.workload_kind import WorkloadKind
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, labels_of, name_of, parse_timestamp, uid_of
from lateen.cluster.status import Cause, invalid_value, not_supported, required

_JOB_NAME = "batch.kubernetes.io/job-name"
_CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
_MAX_INDEXED = 100_000


class Job(WorkloadKind):
    def default(self, obj: Obj) -> None:
        default_job_spec(section(obj, "spec"))
        _default_labels(obj)

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        obj["status"] = {}
        spec = section(obj, "spec")
        if not spec.get("manualSelector"):
            _generate_selector(obj, spec)
        # Kubernetes defaults labels on every read: those that were just generated show as well.
        _default_labels(obj)

    def validate(self, obj: Obj) -> list[Cause]:
        spec = mapping(obj, "spec")
        return [*validate_workload_selector(spec, "job"), *validate_job_spec(spec, "spec")]

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        spec, before = mapping(obj, "spec"), mapping(old, "spec")
        found = [
            *self.validate(obj),
            *unchanged(spec, before, "selector", "completionMode", "podFailurePolicy", path="spec"),
        ]
        indexed_mode = spec.get("completionMode") == "Indexed"
        if spec.get("completions") != before.get("completions") and not (
            indexed_mode and spec.get("completions") == spec.get("parallelism")
        ):
            found.append(invalid_value("spec.completions", spec.get("completions"), IMMUTABLE))
        # A job that has not started yet may be placed anew.
        movable = bool(before.get("suspend")) and not mapping(old, "status").get("startTime")
        if _fixed_template(spec, movable) != _fixed_template(before, movable):
            found.append(invalid_value("spec.template", spec.get("template"), IMMUTABLE))
        return found

    def selectable_fields(self, obj: Obj) -> Mapping[str, str]:
        return {"status.successful": str(number(mapping(obj, "status"), "succeeded"))}

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Status"),
            Column("Completions"),
            Column("Duration"),
            Column("Age"),
            *TEMPLATE_COLUMNS,
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec, status = mapping(obj, "spec"), mapping(obj, "status")
        return [
            name_of(obj),
            _status(obj),
            _completions(spec, status),
            _duration(status, now),
            age_of(obj, now),
            *template_cells(spec),
        ]


def _default_labels(job: Obj) -> None:
    """A job without labels has its template's."""
    labels = labels_of(mapping(mapping(job, "spec"), "template"))
    if labels and not labels_of(job):
        section(job, "metadata")["labels"] = dict(labels)


def default_job_spec(spec: Obj) -> None:
    """A Job's spec, also where it is a CronJob's template."""
    if spec.get("completions") is None and spec.get("parallelism") is None:
        fill(spec, completions=1, parallelism=1)
    fill(spec, parallelism=1, completionMode="NonIndexed", suspend=False)
    fill(spec, backoffLimit=2**31 - 1 if spec.get("backoffLimitPerIndex") is not None else 6)
    policy = "Failed" if spec.get("podFailurePolicy") is not None else "TerminatingOrFailed"
    fill(spec, podReplacementPolicy=policy)
    for rule in objects(mapping(spec, "podFailurePolicy"), "rules"):
        for condition in objects(rule, "onPodConditions"):
            fill(condition, status="True")
    default_pod_template(section(spec, "template"))


def validate_job_spec(spec: Obj, path: str) -> list[Cause]:
    found = validate_not_negative(
        spec, path, "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"
    )
    found += validate_not_negative(spec, path, "backoffLimitPerIndex", "maxFailedIndexes")
    # A CronJob's template leaves the mode to the Job that is made from it.
    mode = text(spec, "completionMode") or "NonIndexed"
    if mode not in ("NonIndexed", "Indexed"):
        found.append(not_supported(f"{path}.completionMode", mode, ["NonIndexed", "Indexed"]))
    if mode == "Indexed":
        if spec.get("completions") is None:
            found.append(required(f"{path}.completions", "when completion mode is Indexed"))
        elif number(spec, "parallelism") > _MAX_INDEXED:
            detail = f"must be less than or equal to {_MAX_INDEXED} when completion mode is Indexed"
            found.append(invalid_value(f"{path}.parallelism", spec["parallelism"], detail))
    elif spec.get("backoffLimitPerIndex") is not None:
        detail = "when backoffLimitPerIndex is specified the completion mode must be Indexed"
        found.append(invalid_value(f"{path}.backoffLimitPerIndex", spec["backoffLimitPerIndex"], detail))
    if isinstance(spec.get("successPolicy"), dict) and mode != "Indexed":
        detail = "requires indexed completion mode"
        found.append(invalid_value(f"{path}.successPolicy", spec["successPolicy"], detail))
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        found.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    replacement = spec.get("podReplacementPolicy")
    if replacement not in (None, "Failed", "TerminatingOrFailed"):
        policies = ["Failed", "TerminatingOrFailed"]
        found.append(not_supported(f"{path}.podReplacementPolicy", replacement, policies))
    template = mapping(spec, "template")
    policy = text(mapping(template, "spec"), "restartPolicy")
    allowed = ("OnFailure", "Never")
    found += validate_pod_template(template, f"{path}.template", allowed)
    if policy == "Always":
        at = f"{path}.template.spec.restartPolicy"
        found = [cause for cause in found if cause.field != at]
        found.append(required(at, 'valid values: "OnFailure", "Never"'))
    if isinstance(spec.get("podFailurePolicy"), dict) and policy != "Never":
        detail = 'only "Never" is supported when podFailurePolicy is specified'
        found.append(invalid_value(f"{path}.template.spec.restartPolicy", policy, detail))
    return found


def _generate_selector(job: Obj, spec: Obj) -> None:
    labels = section(section(section(spec, "template"), "metadata"), "labels")
    name, uid = name_of(job), uid_of(job)
    for key, value in (("controller-uid", uid), ("job-name", name), (_CONTROLLER_UID, uid), (_JOB_NAME, name)):
        if key.endswith("job-name") and names.label_value(value):
            value = value[:63].rstrip("-.")
        labels[key] = value
    section(section(spec, "selector"), "matchLabels")[_CONTROLLER_UID] = uid


def _fixed_template(spec: Obj, movable: bool) -> Obj:
    template = mapping(spec, "template")
    if not movable:
        return template
    pod = mapping(template, "spec")
    kept = {k: v for k, v in pod.items() if k not in ("nodeSelector", "affinity", "tolerations", "schedulingGates")}
    return {"spec": kept}


def _status(job: Obj) -> str:
    conditions = {text(c, "type") for c in objects(mapping(job, "status"), "conditions") if text(c, "status") == "True"}
    for condition, shown in (("Complete", "Complete"), ("Failed", "Failed")):
        if condition in conditions:
            return shown
    if mapping(job, "metadata").get("deletionTimestamp"):
        return "Terminating"
    for condition in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if condition in conditions:
            return condition
    return "Running"


def _completions(spec: Obj, status: Obj) -> str:
    done = number(status, "succeeded")
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    parallelism = number(spec, "parallelism")
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _duration(status: Obj, now: dt.datetime) -> str:
    started = text(status, "startTime")
    if not started:
        return ""
    finished = text(status, "completionTime")
    end = parse_timestamp(finished) if finished else now
    return human_duration((end - parse_timestamp(started)).total_seconds())
