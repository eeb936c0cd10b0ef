from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.controllers.job.accounting import TRACKING, counts, tally
from lateen.cluster.controllers.job.failure_policy import judge
from lateen.cluster.controllers.job.index_failures import FAILURES, failures_by_index
from lateen.cluster.controllers.job.indexes import INDEX, compress, expand
from lateen.cluster.controllers.job.plan import ending, failure_backoff, steps
from lateen.cluster.controllers.job.pod import job_pod


def tracked(pod: Any) -> Any:
    pod["metadata"]["finalizers"] = [TRACKING]
    return pod


@given(st.sets(st.integers(0, 60)))
def test_indexes_survive_their_short_form(indexes: set[int]) -> None:
    assert expand(compress(indexes), 61) == indexes


def test_short_form() -> None:
    assert compress([0, 1, 2, 5, 7, 8]) == "0-2,5,7,8"
    assert expand("0-9999999999,x,3-1", 4) == {0, 1, 2, 3}


def test_a_pod_is_counted_once_whatever_is_lost(make_pod: Any, make_owner: Any) -> None:
    job = make_owner("Job", completions=2)
    pod = tracked(make_pod("a", phase="Succeeded"))
    first = tally(job, [pod], {})
    assert (first.succeeded, first.noted_succeeded, first.release) == (0, ["uid-a"], [pod])
    job["status"] = {"uncountedTerminatedPods": first.noted()}
    again = tally(job, [pod], {})
    assert (again.succeeded, again.noted_succeeded, again.release) == (0, ["uid-a"], [pod])
    pod["metadata"]["finalizers"] = []
    assert (tally(job, [pod], {}).succeeded, tally(job, [], {}).succeeded) == (1, 1)
    job["status"] = {"succeeded": 1, "uncountedTerminatedPods": {}}
    assert tally(job, [pod], {}).total_succeeded == 1


def test_parallelism_and_completions(make_pod: Any, make_owner: Any, now: Any) -> None:
    job = make_owner("Job", completions=5, parallelism=3)
    owned = [make_pod("a", phase="Pending"), tracked(make_pod("b", phase="Succeeded"))]
    found = steps(job, owned, tally(job, owned, {}), now)
    assert found.create == [None, None]
    job["status"] = {"succeeded": 4}
    assert steps(job, owned[:1], tally(job, owned[:1], {}), now).create == []


def test_indexed_jobs_fill_the_gaps(make_pod: Any, make_owner: Any, now: Any) -> None:
    job = make_owner("Job", completions=4, parallelism=4, completionMode="Indexed", status={"completedIndexes": "1"})
    running = make_pod("a")
    running["metadata"]["annotations"] = {INDEX: "0"}
    assert steps(job, [running], tally(job, [running], {}), now).create == [2, 3]
    pod = job_pod(job, 2)
    assert pod["metadata"]["generateName"] == "own-2-"
    assert pod["spec"]["containers"][0]["env"][0]["name"] == "JOB_COMPLETION_INDEX"


def test_endings(make_pod: Any, make_owner: Any, now: Any) -> None:
    job = make_owner("Job", completions=1, backoffLimit=0)
    assert ending(job, [], tally(job, [], {}), now) is None
    failed = [tracked(make_pod("a", phase="Failed"))]
    found = ending(job, failed, tally(job, failed, {}), now)
    assert found is not None
    assert (found.type, found.reason, found.interim) == ("Failed", "BackoffLimitExceeded", "FailureTarget")
    done = [tracked(make_pod("a", phase="Succeeded"))]
    found = ending(job, done, tally(job, done, {}), now)
    assert found is not None
    assert (found.type, found.reason) == ("Complete", "CompletionsReached")
    late = make_owner("Job", activeDeadlineSeconds=5, status={"startTime": "2026-01-01T11:59:50Z"})
    found = ending(late, [], tally(late, [], {}), now)
    assert found is not None
    assert found.reason == "DeadlineExceeded"


def test_a_work_queue_ends_when_all_have(make_pod: Any, make_owner: Any, now: Any) -> None:
    job = make_owner("Job", parallelism=2)
    owned = [tracked(make_pod("a", phase="Succeeded")), make_pod("b")]
    assert ending(job, owned, tally(job, owned, {}), now) is None
    assert steps(job, owned, tally(job, owned, {}), now).create == []
    assert ending(job, owned[:1], tally(job, owned[:1], {}), now) is not None


def test_suspension_and_backoff(make_pod: Any, make_owner: Any, now: Any) -> None:
    job, owned = make_owner("Job", suspend=True), [make_pod("a")]
    assert steps(job, owned, tally(job, owned, {}), now).delete == owned
    failures = [make_pod("a", phase="Failed", age=3), make_pod("b", phase="Failed", age=8)]
    assert failure_backoff(failures, now) == 17.0
    assert failure_backoff([*failures, make_pod("c", phase="Succeeded", age=1)], now) == 0.0


def test_failure_policy(make_pod: Any, make_owner: Any) -> None:
    rules = [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
    ]
    job = make_owner("Job", podFailurePolicy={"rules": rules})
    pod = make_pod("a", phase="Failed")
    assert judge(job, pod).action == "Count"
    pod["status"]["containerStatuses"] = [{"name": "c", "state": {"terminated": {"exitCode": 42}}}]
    assert judge(job, pod).message == (
        "Container c for pod ns/a failed with exit code 42 matching FailJob rule at index 1"
    )
    pod["status"]["conditions"].append({"type": "DisruptionTarget", "status": "True"})
    assert judge(job, pod).action == "Ignore"


def at_index(pod: Any, index: int, before: int = 0) -> Any:
    pod["metadata"]["annotations"] = {INDEX: str(index), FAILURES: str(before)}
    return tracked(pod)


def test_a_pod_that_is_being_stopped_may_have_to_end_first(make_pod: Any, make_owner: Any, now: Any) -> None:
    stopping = make_pod("a")
    stopping["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    for policy, created in (("TerminatingOrFailed", [None]), ("Failed", [])):
        job = make_owner("Job", completions=1, parallelism=1, podReplacementPolicy=policy)
        assert steps(job, [stopping], tally(job, [stopping], {}), now).create == created


@pytest.mark.parametrize(
    ("rule", "completed", "met"),
    [
        ({"succeededIndexes": "0,2-3"}, "0-2", False),
        ({"succeededIndexes": "0,2-3"}, "0-3", True),
        ({"succeededIndexes": "0,2-3", "succeededCount": 1}, "2", True),
        ({"succeededIndexes": "0,2-3", "succeededCount": 1}, "1", False),
        ({"succeededCount": 2}, "1", False),
        ({"succeededCount": 2}, "1,3", True),
    ],
)
def test_success_policy(make_owner: Any, now: Any, rule: Any, completed: str, met: bool) -> None:
    policy = {"rules": [{"succeededIndexes": "4"}, rule]}
    status = {"completedIndexes": completed}
    job = make_owner("Job", completions=5, completionMode="Indexed", successPolicy=policy, status=status)
    end = ending(job, [], tally(job, [], {}), now)
    assert (end is not None) == met
    if end is not None:
        assert (end.type, end.reason, end.message) == ("Complete", "SuccessPolicy", "Matched rules at index 1")


def test_each_index_has_its_own_limit(make_pod: Any, make_owner: Any, now: Any) -> None:
    job = make_owner("Job", completions=3, parallelism=3, completionMode="Indexed", backoffLimitPerIndex=1)
    done = at_index(make_pod("done", phase="Succeeded"), 0)
    again = at_index(make_pod("again", phase="Failed"), 1)
    lost = at_index(make_pod("lost", phase="Failed"), 2, before=1)
    owned = [done, again, lost]
    books = tally(job, owned, {})
    assert books.failed_indexes == {2}
    assert counts(job, books)["failedIndexes"] == "2"
    assert ending(job, owned, books, now) is None
    later = now + dt.timedelta(days=1)
    assert steps(job, owned, books, later).create == [1]
    pod = job_pod(job, 1, failures_by_index(owned, {})[1])
    assert pod["metadata"]["annotations"][FAILURES] == "1"
    owned.append(at_index(make_pod("second", phase="Failed"), 1, before=1))
    end = ending(job, owned, tally(job, owned, {}), now)
    assert end is not None
    assert (end.type, end.reason) == ("Failed", "FailedIndexes")
    job["spec"]["maxFailedIndexes"] = 1
    end = ending(job, owned, tally(job, owned, {}), now)
    assert end is not None
    assert end.reason == "MaxFailedIndexesExceeded"
