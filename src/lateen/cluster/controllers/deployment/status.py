"""A Deployment's status: counts, and the conditions that `kubectl rollout status` and `kubectl wait` read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from lateen.cluster import conditions
from lateen.cluster.controllers.deployment.limits import count, max_unavailable, replicas_of, status_count
from lateen.cluster.objects import Obj, metadata, name_of, parse_timestamp, timestamp

NO_DEADLINE = 2**31 - 1
_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


def counted(deployment: Obj, new: Obj | None, every: Sequence[Obj], now: dt.datetime) -> Obj:
    """The status without its rollout conditions."""
    before = deployment.get("status") or {}
    available = status_count(every, "availableReplicas")
    result: Obj = {
        "observedGeneration": metadata(deployment).get("generation", 0),
        "replicas": status_count(every, "replicas"),
        "updatedReplicas": status_count([new], "replicas") if new is not None else 0,
        "readyReplicas": status_count(every, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, count(every) - available),
    }
    result = {k: v for k, v in result.items() if v}
    if before.get("collisionCount"):
        result["collisionCount"] = before["collisionCount"]
    enough = available >= replicas_of(deployment) - max_unavailable(deployment)
    result["conditions"] = set_condition(
        before.get("conditions"),
        "Available",
        "True" if enough else "False",
        "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        f"Deployment {'has' if enough else 'does not have'} minimum availability.",
        now,
    )
    return result


def set_condition(
    present: Sequence[Obj] | None, type: str, status: str, reason: str, message: str, now: dt.datetime
) -> list[Obj]:
    """Sets a condition unless it has that status and reason already (a Deployment's conditions keep their times)."""
    before = conditions.find(present, type)
    if before is not None and before.get("status") == status and before.get("reason") == reason:
        return list(present or ())
    at = timestamp(now)
    return conditions.with_condition(present, type, status, reason, message, at, lastUpdateTime=at)


def is_complete(deployment: Obj, status: Obj) -> bool:
    """Whether all wanted pods are of the present template, available, and no other pods are left."""
    wanted = replicas_of(deployment)
    return bool(
        status.get("updatedReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
        and status.get("observedGeneration", 0) >= metadata(deployment).get("generation", 0)
    )


def _progresses(before: Obj, after: Obj) -> bool:
    b = {name: int(before.get(name) or 0) for name in _COUNTS}
    a = {name: int(after.get(name) or 0) for name in _COUNTS}
    return (
        a["updatedReplicas"] > b["updatedReplicas"]
        or a["replicas"] - a["updatedReplicas"] < b["replicas"] - b["updatedReplicas"]
        or a["readyReplicas"] > b["readyReplicas"]
        or a["availableReplicas"] > b["availableReplicas"]
    )


def deadline_of(deployment: Obj) -> int | None:
    """`progressDeadlineSeconds`, None when the rollout may take for ever."""
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return None if seconds is None or int(seconds) == NO_DEADLINE else int(seconds)


def seconds_to_deadline(deployment: Obj, status: Obj, now: dt.datetime) -> float | None:
    """Until the rollout times out; None when it cannot (no deadline, or it is over)."""
    seconds, progress = deadline_of(deployment), conditions.find(status.get("conditions"), "Progressing")
    if seconds is None or progress is None or is_complete(deployment, status):
        return None
    if progress.get("reason") in ("NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused"):
        return None
    since = parse_timestamp(progress["lastUpdateTime"])
    return seconds - (now - since).total_seconds()


def rollout_status(deployment: Obj, new: Obj | None, every: Sequence[Obj], now: dt.datetime) -> Obj:
    """The status of a running rollout."""
    status = counted(deployment, new, every, now)
    found: list[Obj] = status["conditions"]
    subject = f'ReplicaSet "{name_of(new)}"' if new is not None else f'Deployment "{name_of(deployment)}"'
    progress = conditions.find(found, "Progressing")
    over = progress is not None and progress.get("reason") == "NewReplicaSetAvailable"
    over = over and status.get("replicas", 0) == status.get("updatedReplicas", 0)
    if deadline_of(deployment) is None:
        found = conditions.without(found, "Progressing")
    elif not over:
        remaining = seconds_to_deadline(deployment, status, now)
        if is_complete(deployment, status):
            message = f"{subject} has successfully progressed."
            found = set_condition(found, "Progressing", "True", "NewReplicaSetAvailable", message, now)
        elif _progresses(deployment.get("status") or {}, status):
            message, at = f"{subject} is progressing.", timestamp(now)
            # Always written: its update time is what the deadline counts from.
            found = conditions.with_condition(
                found, "Progressing", "True", "ReplicaSetUpdated", message, at, lastUpdateTime=at
            )
        elif remaining is not None and remaining <= 0:
            message = f"{subject} has timed out progressing."
            found = set_condition(found, "Progressing", "False", "ProgressDeadlineExceeded", message, now)
    failure = next((c for rs in every if (c := _replica_failure(rs)) is not None), None)
    if failure is not None:
        reason, message = failure.get("reason", ""), failure.get("message", "")
        found = set_condition(found, "ReplicaFailure", failure["status"], reason, message, now)
    else:
        found = conditions.without(found, "ReplicaFailure")
    return {**status, "conditions": found}


def _replica_failure(replica_set: Obj) -> Obj | None:
    return conditions.find((replica_set.get("status") or {}).get("conditions"), "ReplicaFailure")


def pause_conditions(deployment: Obj, now: dt.datetime) -> list[Obj] | None:
    """The conditions after pausing or resuming; None when they say so already."""
    present = (deployment.get("status") or {}).get("conditions")
    progress = conditions.find(present, "Progressing")
    if deadline_of(deployment) is None:
        return None
    reason = progress.get("reason") if progress is not None else None
    if reason == "ProgressDeadlineExceeded":
        return None
    paused = bool(deployment["spec"].get("paused"))
    if paused and reason != "DeploymentPaused":
        return set_condition(present, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", now)
    if not paused and reason == "DeploymentPaused":
        return set_condition(present, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", now)
    return None
