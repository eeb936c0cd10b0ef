"""Counting every finished pod once, whatever dies in between.

A pod of a Job has a finalizer, so that it cannot vanish before it is counted. Its end is first noted in
`status.uncountedTerminatedPods`, then the finalizer goes, and when that is seen, the counter goes up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lateen.cluster.controllers import pods
from lateen.cluster.controllers.job.index_failures import limit_per_index, newly_failed
from lateen.cluster.controllers.job.indexes import compress, expand, index_of
from lateen.cluster.controllers.job.spec import completions_of, is_indexed
from lateen.cluster.objects import Obj, metadata, uid_of

TRACKING = "batch.kubernetes.io/job-tracking"


@dataclass(slots=True)
class Tally:
    """What is counted and what is noted but not counted yet (UIDs)."""

    succeeded: int
    failed: int
    noted_succeeded: list[str] = field(default_factory=list)
    noted_failed: list[str] = field(default_factory=list)
    completed_indexes: set[int] = field(default_factory=set)
    failed_indexes: set[int] = field(default_factory=set)
    release: list[Obj] = field(default_factory=list)
    """Pods whose finalizer goes once the note is stored."""

    @property
    def total_succeeded(self) -> int:
        return self.succeeded + len(self.noted_succeeded)

    @property
    def total_failed(self) -> int:
        return self.failed + len(self.noted_failed)

    def noted(self) -> Obj:
        """`uncountedTerminatedPods`."""
        found = {"succeeded": self.noted_succeeded, "failed": self.noted_failed}
        return {k: v for k, v in found.items() if v}


def has_finalizer(pod: Obj) -> bool:
    return TRACKING in (metadata(pod).get("finalizers") or ())


def tally(job: Obj, owned: Sequence[Obj], ignored: Mapping[str, bool], *, over: bool = False) -> Tally:
    """The next state of the books. `ignored` are UIDs whose failure does not count; `over`: no success counts now."""
    status = job.get("status") or {}
    by_uid = {uid_of(p): p for p in owned}
    result = Tally(int(status.get("succeeded") or 0), int(status.get("failed") or 0))
    if is_indexed(job):
        result.completed_indexes = expand(status.get("completedIndexes") or "", completions_of(job) or 0)
        result.succeeded = len(result.completed_indexes)
        result.failed_indexes = expand(status.get("failedIndexes") or "", completions_of(job) or 0)
        result.failed_indexes |= newly_failed(job, owned, ignored)
    before = status.get("uncountedTerminatedPods") or {}
    for uid in before.get("succeeded") or ():
        if _is_released(by_uid.get(uid)):
            result.succeeded += 1
        else:
            result.noted_succeeded.append(uid)
    for uid in before.get("failed") or ():
        if _is_released(by_uid.get(uid)):
            result.failed += 1
        else:
            result.noted_failed.append(uid)
    noted = {*result.noted_succeeded, *result.noted_failed}
    for pod in owned:
        uid = uid_of(pod)
        if not has_finalizer(pod):
            continue
        if uid in noted:
            result.release.append(pod)
        elif pods.phase(pod) == "Succeeded":
            result.release.append(pod)
            if not is_indexed(job):
                result.noted_succeeded.append(uid)
            elif (index := index_of(pod)) is not None and index < (completions_of(job) or 0):
                # The set of indexes is its own protection against counting twice.
                result.completed_indexes.add(index)
                result.succeeded = len(result.completed_indexes)
        elif pods.phase(pod) == "Failed" or (over and pods.is_deleting(pod)):
            result.release.append(pod)
            if not ignored.get(uid):
                result.noted_failed.append(uid)
    result.failed_indexes -= result.completed_indexes
    return result


def _is_released(pod: Obj | None) -> bool:
    return pod is None or not has_finalizer(pod)


def counts(job: Obj, books: Tally) -> Obj:
    """The fields of the status that the books give."""
    result: Obj = {"uncountedTerminatedPods": books.noted()}
    if books.succeeded:
        result["succeeded"] = books.succeeded
    if books.failed:
        result["failed"] = books.failed
    if is_indexed(job) and books.completed_indexes:
        result["completedIndexes"] = compress(books.completed_indexes)
    if limit_per_index(job) is not None:
        result["failedIndexes"] = compress(books.failed_indexes)
    return result
