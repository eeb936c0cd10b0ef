"""`backoffLimitPerIndex`: how often an index has failed, and which have failed for good.

Source: k8s.io/kubernetes `pkg/controller/job/backoff_utils.go`, `indexed_job_utils.go`. A pod says in an annotation how
often its index had failed before it, so that the count outlives the pods before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lateen.cluster.controllers import pods
from lateen.cluster.controllers.job.failure_policy import judge
from lateen.cluster.controllers.job.indexes import index_of
from lateen.cluster.objects import Obj, annotations_of, uid_of

FAILURES = "batch.kubernetes.io/job-index-failure-count"


def limit_per_index(job: Obj) -> int | None:
    value = job["spec"].get("backoffLimitPerIndex")
    return None if value is None else int(value)


def failures_by_index(owned: Sequence[Obj], ignored: Mapping[str, bool]) -> dict[int, int]:
    """How often each index has failed, as far as its pods tell; failures that do not count are left out."""
    found: dict[int, int] = {}
    for pod in owned:
        index = index_of(pod)
        if index is not None:
            own = pods.phase(pod) == "Failed" and not ignored.get(uid_of(pod))
            found[index] = max(found.get(index, 0), _before(pod) + own)
    return found


def newly_failed(job: Obj, owned: Sequence[Obj], ignored: Mapping[str, bool]) -> set[int]:
    """The indexes that a pod has now failed for good: too often, or by a rule of the failure policy."""
    limit = limit_per_index(job)
    if limit is None:
        return set()
    return {
        index
        for pod in owned
        if pods.phase(pod) == "Failed" and (index := index_of(pod)) is not None
        if judge(job, pod).action == "FailIndex" or (not ignored.get(uid_of(pod)) and _before(pod) + 1 > limit)
    }


def _before(pod: Obj) -> int:
    text = annotations_of(pod).get(FAILURES, "")
    return int(text) if text.isdigit() and len(text) < 10 else 0
