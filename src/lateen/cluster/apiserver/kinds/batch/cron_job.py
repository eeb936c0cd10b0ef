"""CronJobs."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of, human_duration
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.batch.job import validate_job_spec
from lateen.cluster.apiserver.kinds.core.pod_defaults import default_pod_template
from lateen.cluster.apiserver.kinds.core.pod_warnings import pod_warnings
from lateen.cluster.apiserver.kinds.fields import fill, mapping, objects, section, text
from lateen.cluster.apiserver.kinds.number_validation import validate_not_negative
from lateen.cluster.apiserver.kinds.workload_columns import TEMPLATE_COLUMNS, container_cells
from lateen.cluster.apiserver.kinds.workload_kind import WorkloadKind
from lateen.cluster.apiserver.request import Context
from lateen.cluster.cron_schedule import parse
from lateen.cluster.objects import Obj, name_of, parse_timestamp
from lateen.cluster.status import Cause, invalid_value, not_supported, required

_NAME_LIMIT = 52
_POLICIES = ("Allow", "Forbid", "Replace")


class CronJob(WorkloadKind):
    def validate_name(self, name: str) -> list[str]:
        found = super().validate_name(name)
        # A job's name appends `-` and eleven digits at most, and must fit a label.
        return [*found, *([f"must be no more than {_NAME_LIMIT} characters"] if len(name) > _NAME_LIMIT else [])]

    def default(self, obj: Obj) -> None:
        spec = section(obj, "spec")
        fill(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
        # The template has its pods' defaults only; the Job that is made from it gets the others.
        default_pod_template(section(section(section(spec, "jobTemplate"), "spec"), "template"))

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        obj["status"] = {}

    def validate(self, obj: Obj) -> list[Cause]:
        spec = mapping(obj, "spec")
        found = _validate_schedule(text(spec, "schedule"))
        found += _validate_zone(spec)
        if spec.get("concurrencyPolicy") not in _POLICIES:
            found.append(not_supported("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), _POLICIES))
        found += validate_not_negative(
            spec, "spec", "startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"
        )
        return found + validate_job_spec(mapping(mapping(spec, "jobTemplate"), "spec"), "spec.jobTemplate.spec")

    def warnings(self, obj: Obj) -> Sequence[str]:
        job = mapping(mapping(mapping(obj, "spec"), "jobTemplate"), "spec")
        return pod_warnings(mapping(mapping(job, "template"), "spec"), "spec.jobTemplate.spec.template.spec")

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Schedule"),
            Column("Timezone"),
            Column("Suspend", "boolean"),
            Column("Active", "integer"),
            Column("Last Schedule"),
            Column("Age"),
            *TEMPLATE_COLUMNS,
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec, status = mapping(obj, "spec"), mapping(obj, "status")
        last = text(status, "lastScheduleTime")
        job = mapping(mapping(spec, "jobTemplate"), "spec")
        return [
            name_of(obj),
            text(spec, "schedule"),
            text(spec, "timeZone") or "<none>",
            "True" if spec.get("suspend") else "False",
            len(objects(status, "active")),
            human_duration((now - parse_timestamp(last)).total_seconds()) if last else "<none>",
            age_of(obj, now),
            *container_cells(mapping(job, "template")),
            "<none>",
        ]


def _validate_schedule(schedule: str) -> list[Cause]:
    if not schedule:
        return [required("spec.schedule")]
    if "TZ=" in schedule:
        detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        return [invalid_value("spec.schedule", schedule, detail)]
    try:
        parse(schedule)
    except ValueError as error:
        return [invalid_value("spec.schedule", schedule, str(error))]
    return []


def _validate_zone(spec: Obj) -> list[Cause]:
    zone = spec.get("timeZone")
    if zone is None:
        return []
    if not zone:
        return [invalid_value("spec.timeZone", zone, "timeZone must be nil or non-empty string")]
    if str(zone).lower() == "local":
        detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [invalid_value("spec.timeZone", zone, detail)]
    try:
        zoneinfo.ZoneInfo(str(zone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return [invalid_value("spec.timeZone", zone, f"unknown time zone {zone}")]
    return []
