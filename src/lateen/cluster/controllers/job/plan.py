"""What a Job does next: whether it is over, which pods it makes and deletes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from lateen.cluster import conditions
from lateen.cluster.controllers import pods
from lateen.cluster.controllers.job.accounting import Tally
from lateen.cluster.controllers.job.failure_policy import judge
from lateen.cluster.controllers.job.index_failures import limit_per_index
from lateen.cluster.controllers.job.indexes import index_of
from lateen.cluster.controllers.job.spec import (
    backoff_limit,
    completions_of,
    is_indexed,
    is_suspended,
    parallelism_of,
)
from lateen.cluster.controllers.job.success_policy import matched_rule
from lateen.cluster.objects import Obj, parse_timestamp

_FIRST_BACKOFF, _LONGEST_BACKOFF = 10.0, 600.0


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a Job is over. `interim` is the condition while pods still end, `type` the final one."""

    type: str
    reason: str
    message: str

    @property
    def interim(self) -> str:
        return "SuccessCriteriaMet" if self.type == "Complete" else "FailureTarget"


@dataclass(slots=True)
class Steps:
    """`create` holds completion indexes (None for each pod of a Job that has none); `after` is in seconds."""

    create: list[int | None] = field(default_factory=list)
    delete: list[Obj] = field(default_factory=list)
    after: float | None = None

    def wait(self, seconds: float) -> None:
        self.after = seconds if self.after is None else min(seconds, self.after)


def ending(job: Obj, owned: Sequence[Obj], books: Tally, now: dt.datetime) -> Ending | None:
    """Why the Job is over, None while it goes on."""
    status = job.get("status") or {}
    for type, interim in (("Failed", "FailureTarget"), ("Complete", "SuccessCriteriaMet")):
        decided = conditions.find(status.get("conditions"), interim)
        if decided is not None and decided.get("status") == "True":
            return Ending(type, decided.get("reason", ""), decided.get("message", ""))
    for pod in owned:
        if pods.phase(pod) == "Failed" and (verdict := judge(job, pod)).action == "FailJob":
            return Ending("Failed", "PodFailurePolicy", verdict.message)
    if books.total_failed > backoff_limit(job) or _restarts_exceed(job, owned):
        return Ending("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    remaining = seconds_to_deadline(job, now)
    if remaining is not None and remaining <= 0 and not is_suspended(job):
        return Ending("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
    if (failed := _failed_indexes(job, books)) is not None:
        return failed
    if (rule := matched_rule(job, books.completed_indexes)) is not None:
        return Ending("Complete", "SuccessPolicy", f"Matched rules at index {rule}")
    wanted = completions_of(job)
    active = any(pods.is_active(p) for p in owned)
    done = books.total_succeeded > 0 and not active if wanted is None else books.total_succeeded >= wanted
    if done:
        return Ending("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
    return None


def _failed_indexes(job: Obj, books: Tally) -> Ending | None:
    """With `backoffLimitPerIndex`: too many indexes have failed, or none that has not is left."""
    failed, most = len(books.failed_indexes), job["spec"].get("maxFailedIndexes")
    if most is not None and failed > int(most):
        message = "Job has exceeded the specified maximal number of failed indexes"
        return Ending("Failed", "MaxFailedIndexesExceeded", message)
    if failed and failed + len(books.completed_indexes) >= (completions_of(job) or 0):
        return Ending("Failed", "FailedIndexes", "Job has failed indexes")
    return None


def _restarts_exceed(job: Obj, owned: Sequence[Obj]) -> bool:
    """With `restartPolicy: OnFailure` the node restarts, and restarts are what is limited."""
    if (job["spec"]["template"].get("spec") or {}).get("restartPolicy") != "OnFailure":
        return False
    count = 0
    for pod in owned:
        if pods.is_active(pod):
            status = pod.get("status") or {}
            for container in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
                count += int(container.get("restartCount") or 0)
    limit = backoff_limit(job)
    return count > 0 if limit == 0 else count >= limit


def seconds_to_deadline(job: Obj, now: dt.datetime) -> float | None:
    seconds, start = job["spec"].get("activeDeadlineSeconds"), (job.get("status") or {}).get("startTime")
    if seconds is None or not start:
        return None
    return float(seconds) - (now - parse_timestamp(start)).total_seconds()


def steps(job: Obj, owned: Sequence[Obj], books: Tally, now: dt.datetime) -> Steps:
    """Pods to make and delete in a Job that goes on."""
    active = [p for p in owned if pods.is_active(p)]
    if is_suspended(job):
        return Steps(delete=list(active))
    wanted = _wanted_active(job, books, len(active))
    result = Steps(after=seconds_to_deadline(job, now))
    if len(active) > wanted:
        result.delete = pods.deletion_order(active, active)[: len(active) - wanted]
        return result
    holding = [*active, *_awaited(job, owned)]
    missing = wanted - len(holding)
    if missing <= 0:
        return result
    apart = limit_per_index(job) is not None
    hold = 0.0 if apart else failure_backoff(owned, now)
    if hold > 0:
        result.wait(hold)
        return result
    if not is_indexed(job):
        result.create = [None] * missing
        return result
    taken = {index_of(p) for p in holding} | books.completed_indexes | books.failed_indexes
    for index in (i for i in range(completions_of(job) or 0) if i not in taken):
        if len(result.create) == missing:
            break
        # With a limit of its own an index waits for its own failures only.
        hold = failure_backoff([p for p in owned if index_of(p) == index], now) if apart else 0.0
        if hold > 0:
            result.wait(hold)
        else:
            result.create.append(index)
    return result


def _awaited(job: Obj, owned: Sequence[Obj]) -> list[Obj]:
    """`podReplacementPolicy: Failed`: a pod that is being stopped is replaced once it has ended."""
    if job["spec"].get("podReplacementPolicy") != "Failed":
        return []
    return [p for p in owned if pods.is_deleting(p) and not pods.is_terminal(p)]


def _wanted_active(job: Obj, books: Tally, active: int) -> int:
    completions = completions_of(job)
    if completions is None:
        # After its first success a work queue only empties.
        return active if books.total_succeeded > 0 else parallelism_of(job)
    return max(0, min(parallelism_of(job), completions - books.total_succeeded - len(books.failed_indexes)))


def finished_at(pod: Obj) -> dt.datetime:
    """When the last container ended; when the pod was made, for one that never ran."""
    times = [
        parse_timestamp(at)
        for c in (pod.get("status") or {}).get("containerStatuses") or ()
        if (at := ((c.get("state") or {}).get("terminated") or {}).get("finishedAt"))
    ]
    return max(times, default=pods.created_at(pod))


def failure_backoff(owned: Sequence[Obj], now: dt.datetime) -> float:
    """Seconds to wait before the next pod: doubled with each failure since the last success."""
    last_success = max((finished_at(p) for p in owned if pods.phase(p) == "Succeeded"), default=None)
    failures = [finished_at(p) for p in owned if pods.phase(p) == "Failed"]
    failures = [at for at in failures if last_success is None or at > last_success]
    if not failures:
        return 0.0
    delay = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2.0 ** min(len(failures) - 1, 10))
    return max(0.0, delay - (now - max(failures)).total_seconds())
