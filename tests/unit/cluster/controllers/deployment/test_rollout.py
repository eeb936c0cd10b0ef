from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.controllers.deployment.limits import max_surge, max_unavailable
from lateen.cluster.controllers.deployment.replica_sets import size_annotations
from lateen.cluster.controllers.deployment.rollout import proportional_scaling, rolling_step, size_of_new, was_scaled


def replica_set(name: str, replicas: int, available: int, age: int = 0, **annotations: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "creationTimestamp": f"2026-01-01T00:00:{59 - age:02}Z",
            "annotations": annotations,
        },
        "spec": {"replicas": replicas},
        "status": {"replicas": replicas, "availableReplicas": available},
    }


def deployment(replicas: int, surge: Any = "25%", unavailable: Any = "25%") -> dict[str, Any]:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"metadata": {}, "spec": {"replicas": replicas, "strategy": {"rollingUpdate": rolling}}}


def test_limits_round_apart_and_never_both_to_zero() -> None:
    assert (max_surge(deployment(10)), max_unavailable(deployment(10))) == (3, 2)
    assert (max_surge(deployment(1, "0%", "10%")), max_unavailable(deployment(1, "0%", "10%"))) == (0, 1)


def test_unhealthy_old_pods_go_at_once() -> None:
    new, old = replica_set("new", 3, 0), replica_set("old", 8, 6, age=5)
    steps = rolling_step(deployment(10, 1, 2), new, [old])
    assert [(s.replica_set["metadata"]["name"], s.replicas) for s in steps] == []
    old = replica_set("old", 9, 8, age=5)
    new = replica_set("new", 2, 0)
    steps = rolling_step(deployment(10, 1, 2), new, [old])
    assert [s.replicas for s in steps] == [8]


@given(
    replicas=st.integers(1, 20),
    surge=st.integers(0, 5),
    unavailable=st.integers(0, 5),
    choices=st.lists(st.booleans(), min_size=1, max_size=40),
)
def test_a_rollout_keeps_its_limits_and_ends(replicas: int, surge: int, unavailable: int, choices: list[bool]) -> None:
    """Pods become available at any pace; nothing is ever beyond the limits, and it always ends."""
    wanted = deployment(replicas, surge, unavailable)
    new, old = replica_set("new", 0, 0), replica_set("old", replicas, replicas, age=9)
    new["spec"]["replicas"] = size_of_new(wanted, 0, [old])
    for round_number in range(replicas * 6 + len(choices)):
        for step in rolling_step(wanted, new, [old]):
            step.replica_set["spec"]["replicas"] = step.replicas
            status = step.replica_set["status"]
            status["availableReplicas"] = min(status["availableReplicas"], step.replicas)
            status["replicas"] = step.replicas
        size = new["spec"]["replicas"] + old["spec"]["replicas"]
        available = new["status"]["availableReplicas"] + old["status"]["availableReplicas"]
        assert size <= replicas + max_surge(wanted)
        assert available >= replicas - max_unavailable(wanted)
        grows = choices[round_number] if round_number < len(choices) else True
        if grows and new["status"]["availableReplicas"] < new["spec"]["replicas"]:
            new["status"]["availableReplicas"] += 1
    assert (new["spec"]["replicas"], old["spec"]["replicas"]) == (replicas, 0)


def scaled(sizes: list[int], wanted: int) -> list[int]:
    """The sizes after scaling from as many pods as there are, the newest ReplicaSet first; surge 2 before and after."""
    before, after = deployment(sum(sizes), 2, 0), deployment(wanted, 2, 0)
    every = [replica_set(f"rs{i}", n, n, age=i, **size_annotations(before)) for i, n in enumerate(sizes)]
    changed = {s.replica_set["metadata"]["name"]: s.replicas for s in proportional_scaling(after, every[0], every[1:])}
    return [changed.get(f"rs{i}", n) for i, n in enumerate(sizes)]


@given(sizes=st.lists(st.integers(1, 10), min_size=2, max_size=5), wanted=st.integers(0, 40))
def test_proportional_scaling_gives_exactly_the_allowed_size(sizes: list[int], wanted: int) -> None:
    found, allowed = scaled(sizes, wanted), wanted + 2 if wanted else 0
    if sum(found) != allowed:
        # As in Kubernetes, what rounding leaves over is the largest one's (the oldest of them when shrinking), and
        # it cannot give more than it has. The rollout that follows takes the rest.
        largest = max(range(len(sizes)), key=lambda i: (sizes[i], i))
        assert sum(found) > allowed
        assert found[largest] == 0
    growing = allowed > sum(sizes)
    assert all(size >= n if growing else 0 <= size <= n for n, size in zip(sizes, found, strict=True))


def test_the_largest_gives_no_more_than_it_has_when_rounding_leaves_too_much() -> None:
    assert scaled([2, 2, 2, 2, 2], 1) == [1, 1, 1, 1, 0]


def test_a_scaled_deployment_is_noticed() -> None:
    rs = replica_set("rs", 3, 3, **size_annotations(deployment(3)))
    assert not was_scaled(deployment(3), [rs])
    assert was_scaled(deployment(5), [rs])
