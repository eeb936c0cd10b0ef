"""The loop that runs Jobs, and deletes them `ttlSecondsAfterFinished`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from lateen.cluster import conditions
from lateen.cluster.client.indexed_store import by_namespace
from lateen.cluster.controllers import pods
from lateen.cluster.controllers.controller import Controller, Environment, namespace_terminating
from lateen.cluster.controllers.job.accounting import TRACKING, Tally, counts, has_finalizer, tally
from lateen.cluster.controllers.job.failure_policy import judge
from lateen.cluster.controllers.job.index_failures import failures_by_index
from lateen.cluster.controllers.job.plan import Ending, Steps, ending, steps
from lateen.cluster.controllers.job.pod import job_pod
from lateen.cluster.controllers.job.spec import finished_condition, is_suspended
from lateen.cluster.controllers.ownership import claim, claims
from lateen.cluster.controllers.resources import JOBS, PODS
from lateen.cluster.controllers.slow_start import slow_start
from lateen.cluster.objects import (
    Key,
    Obj,
    controller_of,
    key_of,
    metadata,
    name_of,
    namespace_of,
    parse_timestamp,
    timestamp,
    uid_of,
)
from lateen.cluster.selectors import from_label_selector
from lateen.cluster.status import StatusError


class JobController(Controller):
    """Runs every Job to its end."""

    name = "job-controller"

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.jobs = self.follow(JOBS, self.enqueue)
        self.pods = self.follow(PODS, self._pod_changed, {"namespace": by_namespace})

    def _pod_changed(self, pod: Obj) -> None:
        controller = controller_of(pod)
        if controller is not None and controller.get("kind") == "Job":
            self.queue.add(Key(namespace_of(pod), str(controller.get("name"))))

    async def sync(self, key: Key) -> float | None:
        job, candidates = self.jobs.get(key), self.pods.indexed("namespace", key.namespace)
        uid = uid_of(job) if job is not None else ""
        # Nobody counts the pods of a Job that is gone.
        await self._release(p for p in candidates if _job_name(p) == key.name and _job_uid(p) != uid)
        if (
            job is None
            or job["spec"].get("managedBy", "kubernetes.io/job-controller") != "kubernetes.io/job-controller"
        ):
            return None
        if finished_condition(job) is not None or pods.is_deleting(job):
            await self._release(p for p in candidates if _job_uid(p) == uid)
            return await self._expire(job)
        selector = from_label_selector(job["spec"].get("selector"))
        if selector.empty or selector.nothing:
            return None
        owned = await claim(self.env, PODS, job, claims(job, selector, candidates))
        if not (job.get("status") or {}).get("startTime") and not is_suspended(job):
            status = {**(job.get("status") or {}), "startTime": timestamp(self.env.now())}
            job = await self.env.update_status(JOBS, job, status)
        return await self._advance(job, owned)

    async def _advance(self, job: Obj, owned: Sequence[Obj]) -> float | None:
        now = self.env.now()
        ignored = {uid_of(p): judge(job, p).action == "Ignore" for p in owned if pods.phase(p) == "Failed"}
        books = tally(job, owned, ignored)
        end = ending(job, owned, books, now)
        if end is not None:
            todo = Steps(delete=[p for p in owned if pods.is_active(p)])
            books = tally(job, owned, ignored, over=True)
        else:
            todo = steps(job, owned, books, now)
        failure = await self._carry_out(job, todo, failures_by_index(owned, ignored))
        if failure is not None and namespace_terminating(failure):
            return None
        owned = [p for p in self.pods.indexed("namespace", namespace_of(job)) if _job_uid(p) == uid_of(job)]
        status = self._status(job, owned, books, end)
        finished = not any(not pods.is_terminal(p) for p in owned) and not books.noted() and not books.release
        over = end is not None and finished
        if end is not None and over:
            status = _finish(status, end, timestamp(now))
        before = finished_condition(job)
        written = await self.env.update_status(JOBS, job, status)
        if end is not None and over and before is None:
            self._tell_end(written, end)
        # Only what is stored may be let go.
        await self._release(books.release)
        if failure is not None:
            raise failure
        return await self._expire(written) if over else todo.after

    def _status(self, job: Obj, owned: Sequence[Obj], books: Tally, end: Ending | None) -> Obj:
        before, now = job.get("status") or {}, timestamp(self.env.now())
        active = [p for p in owned if pods.is_active(p)]
        found = list(before.get("conditions") or ())
        if end is not None:
            found = (
                conditions.with_condition(found, end.interim, "True", end.reason, end.message, now, lastProbeTime=now)
                if conditions.find(found, end.interim) is None
                else found
            )
        suspended = conditions.find(found, "Suspended")
        status: Obj = {k: before[k] for k in ("startTime", "completionTime") if before.get(k)}
        if end is None and is_suspended(job) and (suspended is None or suspended.get("status") != "True"):
            found = conditions.with_condition(
                found, "Suspended", "True", "JobSuspended", "Job suspended", now, lastProbeTime=now
            )
            self.event(job, "Normal", "Suspended", "Job suspended")
            status.pop("startTime", None)
        elif end is None and not is_suspended(job) and suspended is not None and suspended.get("status") == "True":
            found = conditions.with_condition(
                found, "Suspended", "False", "JobResumed", "Job resumed", now, lastProbeTime=now
            )
            self.event(job, "Normal", "Resumed", "Job resumed")
            status["startTime"] = now
        if found:
            status["conditions"] = found
        if active:
            status["active"] = len(active)
        status["ready"] = sum(pods.is_ready(p) for p in active)
        status["terminating"] = sum(pods.is_deleting(p) and not pods.is_terminal(p) for p in owned)
        return status | counts(job, books)

    def _tell_end(self, job: Obj, end: Ending) -> None:
        if end.type == "Complete":
            self.event(job, "Normal", "Completed", "Job completed")
        else:
            self.event(job, "Warning", end.reason, end.message)

    async def _carry_out(self, job: Obj, todo: Steps, failures: Mapping[int, int]) -> StatusError | None:
        async def create(index: int | None) -> None:
            try:
                pod = await self.env.create(PODS, job_pod(job, index, failures.get(-1 if index is None else index, 0)))
            except StatusError as error:
                if not namespace_terminating(error):
                    self.event(job, "Warning", "FailedCreate", f"Error creating: {error.message}")
                raise
            self.event(job, "Normal", "SuccessfulCreate", f"Created pod: {name_of(pod)}")

        async def delete(pod: Obj) -> None:
            await self.env.delete(PODS, pod)
            self.event(job, "Normal", "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")

        return await slow_start(todo.delete, delete, first=16) or await slow_start(todo.create, create)

    async def _release(self, released: Iterable[Obj]) -> None:
        """Takes our finalizer off."""
        await asyncio.gather(*(self._release_one(pod) for pod in released if has_finalizer(pod)))

    async def _release_one(self, pod: Obj) -> None:
        rest = [f for f in metadata(pod).get("finalizers") or () if f != TRACKING]
        meta = {"uid": uid_of(pod), "resourceVersion": metadata(pod).get("resourceVersion"), "finalizers": rest or None}
        try:
            await self.env.patch(PODS, key_of(pod), {"metadata": meta})
        except StatusError as error:
            if error.code != 404:
                raise

    async def _expire(self, job: Obj) -> float | None:
        """Deletes a finished Job when its time is over; else gives the seconds until then."""
        seconds, end = job["spec"].get("ttlSecondsAfterFinished"), finished_condition(job)
        if seconds is None or end is None or pods.is_deleting(job):
            return None
        left = float(seconds) - (self.env.now() - parse_timestamp(end["lastTransitionTime"])).total_seconds()
        if left > 0:
            return left
        await self.env.delete(JOBS, job, propagation="Foreground")
        return None


def _job_uid(pod: Obj) -> str:
    controller = controller_of(pod)
    return str(controller.get("uid")) if controller is not None and controller.get("kind") == "Job" else "-"


def _job_name(pod: Obj) -> str:
    controller = controller_of(pod)
    return str(controller.get("name")) if controller is not None and controller.get("kind") == "Job" else ""


def _finish(status: Obj, end: Ending, now: str) -> Obj:
    found = conditions.with_condition(
        status.get("conditions"), end.type, "True", end.reason, end.message, now, lastProbeTime=now
    )
    result = {**status, "conditions": found}
    if end.type == "Complete":
        result["completionTime"] = now
    return result
