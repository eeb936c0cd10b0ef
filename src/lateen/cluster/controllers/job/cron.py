"""What a CronJob does next. Source: k8s.io/kubernetes `pkg/controller/cronjob`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from lateen.cluster.controllers import pods
from lateen.cluster.controllers.job.spec import finished_condition
from lateen.cluster.cron_schedule import CronSchedule
from lateen.cluster.objects import (
    Obj,
    deep_copy,
    metadata,
    name_of,
    namespace_of,
    parse_timestamp,
    timestamp,
    uid_of,
)

SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_MANY_MISSED = 100


def due_time(cron: Obj, schedule: CronSchedule, now: dt.datetime) -> tuple[dt.datetime | None, bool]:
    """(the latest moment that passed since the last run, whether suspiciously many passed).

    Moments longer ago than `startingDeadlineSeconds` do not count.
    """
    last = (cron.get("status") or {}).get("lastScheduleTime")
    earliest = parse_timestamp(last) if last else pods.created_at(cron)
    deadline = cron["spec"].get("startingDeadlineSeconds")
    if deadline is not None:
        earliest = max(earliest, now - dt.timedelta(seconds=float(deadline)))
    due, missed = None, 0
    moment = schedule.next_after(earliest)
    while moment is not None and moment <= now:
        due, missed = moment, missed + 1
        if missed > _MANY_MISSED:
            return _latest(schedule, earliest, now) or due, True
        moment = schedule.next_after(moment)
    return due, False


def _latest(schedule: CronSchedule, earliest: dt.datetime, now: dt.datetime) -> dt.datetime | None:
    """The last moment up to `now`, searched backwards: the gap may be years of minutes."""
    window = dt.timedelta(hours=1)
    while True:
        start = max(earliest, now - window)
        latest, moment = None, schedule.next_after(start)
        while moment is not None and moment <= now:
            latest, moment = moment, schedule.next_after(moment)
        if latest is not None or start == earliest:
            return latest
        window *= 4


def job_name(cron: Obj, at: dt.datetime) -> str:
    """One moment has one name, so that it cannot be run twice."""
    return f"{name_of(cron)}-{int(at.timestamp()) // 60}"


def new_job(cron: Obj, at: dt.datetime) -> Obj:
    template = cron["spec"].get("jobTemplate") or {}
    meta = template.get("metadata") or {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(cron, at),
            "namespace": namespace_of(cron),
            "labels": dict(meta.get("labels") or {}),
            "annotations": {**(meta.get("annotations") or {}), SCHEDULED: timestamp(at)},
            "ownerReferences": [pods.controller_reference(cron)],
        },
        "spec": deep_copy(template.get("spec") or {}),
    }


def reference(job: Obj) -> Obj:
    """An entry of `status.active`."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": name_of(job),
        "namespace": namespace_of(job),
        "uid": uid_of(job),
        "resourceVersion": metadata(job).get("resourceVersion", ""),
    }


def surplus(cron: Obj, jobs: Iterable[Obj]) -> list[Obj]:
    """The finished Jobs beyond the history limits, oldest first."""
    found: list[Obj] = []
    listed = list(jobs)
    for type, field, default in (
        ("Complete", "successfulJobsHistoryLimit", 3),
        ("Failed", "failedJobsHistoryLimit", 1),
    ):
        limit = cron["spec"].get(field)
        limit = default if limit is None else int(limit)
        ended = [j for j in listed if (finished_condition(j) or {}).get("type") == type]
        ended.sort(key=lambda j: ((j.get("status") or {}).get("startTime") or "", name_of(j)))
        found.extend(ended[: max(0, len(ended) - limit)])
    return found


def last_success(cron: Obj, jobs: Sequence[Obj]) -> str | None:
    """When the last successful Job ended, remembered beyond the Job's own life."""
    times = [str((j.get("status") or {}).get("completionTime") or "") for j in jobs]
    times.append(str((cron.get("status") or {}).get("lastSuccessfulTime") or ""))
    return max(times) or None
