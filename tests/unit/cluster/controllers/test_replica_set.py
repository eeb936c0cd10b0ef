from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.controllers.replica_set import plan, status


def test_plan_makes_what_is_missing_and_ignores_what_is_over(make_pod: Any, make_owner: Any) -> None:
    owner = make_owner("ReplicaSet", replicas=3)
    owned = [make_pod("a"), make_pod("b", phase="Failed"), make_pod("c", deleting=True)]
    assert plan(owner, owned, owned).create == 2


def test_plan_deletes_the_surplus(make_pod: Any, make_owner: Any) -> None:
    owned = [make_pod("a"), make_pod("b", ready=False), make_pod("c")]
    found = plan(make_owner("ReplicaSet", replicas=2), owned, owned)
    assert (found.create, [p["metadata"]["name"] for p in found.delete]) == (0, ["b"])


@given(wanted=st.integers(0, 30), there=st.integers(0, 30))
def test_a_plan_carried_out_leaves_nothing_to_do(wanted: int, there: int) -> None:
    owner = {"spec": {"replicas": wanted}}
    owned = [{"metadata": {"name": str(i), "uid": str(i)}, "status": {"phase": "Running"}} for i in range(there)]
    found = plan(owner, owned, owned)
    left = [p for p in owned if not any(p is d for d in found.delete)]
    assert len(left) + found.create == wanted
    assert not (found.create and found.delete)


def test_status_counts(make_pod: Any, make_owner: Any, now: Any) -> None:
    owner = make_owner("ReplicaSet", replicas=3, minReadySeconds=60)
    owned = [
        make_pod("a", labels={"app": "x"}),
        make_pod("b", labels={"app": "x"}, ready_for=10),
        make_pod("c", ready=False),
    ]
    assert status(owner, owned, None, 0, now) == {
        "replicas": 3,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 1,
        "observedGeneration": 1,
    }
