"""The loop that starts the Jobs of CronJobs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from lateen.cluster.client.indexed_store import by_namespace
from lateen.cluster.controllers import pods
from lateen.cluster.controllers.controller import Controller, Environment, namespace_terminating
from lateen.cluster.controllers.job.cron import due_time, job_name, last_success, new_job, reference, surplus
from lateen.cluster.controllers.job.spec import finished_condition
from lateen.cluster.controllers.resources import CRON_JOBS, JOBS
from lateen.cluster.cron_schedule import UnknownTimeZoneError, parse
from lateen.cluster.objects import Key, Obj, controller_of, name_of, namespace_of, timestamp, uid_of
from lateen.cluster.status import StatusError


class CronJobController(Controller):
    """Starts Jobs when their time comes."""

    name = "cronjob-controller"

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.crons = self.follow(CRON_JOBS, self.enqueue)
        self.jobs = self.follow(JOBS, self._job_changed, {"namespace": by_namespace})

    def _job_changed(self, job: Obj) -> None:
        controller = controller_of(job)
        if controller is not None and controller.get("kind") == "CronJob":
            self.queue.add(Key(namespace_of(job), str(controller.get("name"))))

    def _owned(self, cron: Obj) -> list[Obj]:
        return [
            j
            for j in self.jobs.indexed("namespace", namespace_of(cron))
            if (controller_of(j) or {}).get("uid") == uid_of(cron)
        ]

    async def sync(self, key: Key) -> float | None:
        cron = self.crons.get(key)
        if cron is None or pods.is_deleting(cron):
            return None
        now, owned = self.env.now(), self._owned(cron)
        for job in surplus(cron, owned):
            await self._delete(cron, job)
        status = dict(cron.get("status") or {})
        self._tell_finished(cron, owned, status)
        running = [j for j in owned if finished_condition(j) is None and not pods.is_deleting(j)]
        wait = await self._start(cron, running, status, now)
        running.sort(key=name_of)
        before = {r.get("uid"): r for r in (cron.get("status") or {}).get("active") or ()}
        active = [before.get(uid_of(j)) or reference(j) for j in running]
        status.pop("active", None)
        if active:
            status["active"] = active
        if (at := last_success(cron, owned)) is not None:
            status["lastSuccessfulTime"] = at
        await self.env.update_status(CRON_JOBS, cron, status)
        return wait

    def _tell_finished(self, cron: Obj, owned: Sequence[Obj], status: Obj) -> None:
        by_uid = {uid_of(j): j for j in owned}
        for entry in status.get("active") or ():
            job = by_uid.get(str(entry.get("uid")))
            if job is None:
                self.event(cron, "Normal", "MissingJob", f"Active job went missing: {entry.get('name')}")
            elif (end := finished_condition(job)) is not None:
                message = f"Saw completed job: {name_of(job)}, condition: {end['type']}"
                self.event(cron, "Normal", "SawCompletedJob", message)

    async def _start(self, cron: Obj, running: list[Obj], status: Obj, now: dt.datetime) -> float | None:
        """Starts what is due: gives the seconds to the next time. Changes `running` and `status`."""
        spec = cron["spec"]
        if spec.get("suspend"):
            return None
        try:
            schedule = parse(str(spec.get("schedule") or ""), str(spec.get("timeZone") or ""))
        except ValueError as error:
            reason = "UnknownTimeZone" if isinstance(error, UnknownTimeZoneError) else "UnparseableSchedule"
            self.event(cron, "Warning", reason, f"invalid schedule: {spec.get('schedule')} : {error}")
            return None
        upcoming = schedule.next_after(now)
        wait = max(0.0, (upcoming - now).total_seconds()) + 0.05 if upcoming is not None else None
        due, many = due_time(cron, schedule, now)
        if many:
            self.event(
                cron,
                "Warning",
                "TooManyMissedTimes",
                "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
            )
        if due is None:
            return wait
        if self.jobs.get(Key(namespace_of(cron), job_name(cron, due))) is not None:
            status["lastScheduleTime"] = timestamp(due)
            return wait
        policy = spec.get("concurrencyPolicy", "Allow")
        if policy == "Forbid" and running:
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self.event(cron, "Normal", "JobAlreadyActive", message)
            return wait
        if policy == "Replace":
            for job in running:
                await self._delete(cron, job)
            running.clear()
        try:
            job = await self.env.create(JOBS, new_job(cron, due))
        except StatusError as error:
            if namespace_terminating(error):
                return None
            if error.reason != "AlreadyExists":
                self.event(cron, "Warning", "FailedCreate", f"Error creating job: {error.message}")
                raise
        else:
            running.append(job)
            self.event(cron, "Normal", "SuccessfulCreate", f"Created job {name_of(job)}")
        status["lastScheduleTime"] = timestamp(due)
        return wait

    async def _delete(self, cron: Obj, job: Obj) -> None:
        if pods.is_deleting(job):
            return
        if await self.env.delete(JOBS, job, propagation="Background"):
            self.event(cron, "Normal", "SuccessfulDelete", f"Deleted job {name_of(job)}")
