"""What a Job's spec asks for, with its defaults."""

from __future__ import annotations

from lateen.cluster import conditions
from lateen.cluster.objects import Obj


def completions_of(job: Obj) -> int | None:
    """None for a work queue: the first success ends it."""
    value = job["spec"].get("completions")
    return None if value is None else int(value)


def parallelism_of(job: Obj) -> int:
    value = job["spec"].get("parallelism")
    return 1 if value is None else int(value)


def backoff_limit(job: Obj) -> int:
    value = job["spec"].get("backoffLimit")
    return 6 if value is None else int(value)


def is_indexed(job: Obj) -> bool:
    return str(job["spec"].get("completionMode")) == "Indexed"


def is_suspended(job: Obj) -> bool:
    return bool(job["spec"].get("suspend"))


def finished_condition(job: Obj) -> Obj | None:
    """Complete or Failed, when the Job is."""
    for type in ("Complete", "Failed"):
        found = conditions.find((job.get("status") or {}).get("conditions"), type)
        if found is not None and found.get("status") == "True":
            return found
    return None
