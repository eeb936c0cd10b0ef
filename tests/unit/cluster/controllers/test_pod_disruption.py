from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.controllers.pod_disruption import budget_status


@pytest.mark.parametrize(
    ("spec", "expected", "desired", "allowed"),
    [
        ({"minAvailable": 2}, 3, 2, 1),
        ({"minAvailable": "50%"}, 3, 2, 1),
        ({"maxUnavailable": 1}, 3, 2, 1),
        ({"maxUnavailable": 0}, 3, 3, 0),
        ({"minAvailable": 5}, 3, 5, 0),
    ],
)
def test_numbers(make_pod: Any, now: Any, spec: Any, expected: int, desired: int, allowed: int) -> None:
    found, _ = budget_status({"spec": spec}, [make_pod(n) for n in "abc"], 3, now)
    shown = (found["expectedPods"], found["desiredHealthy"], found["currentHealthy"], found["disruptionsAllowed"])
    assert shown == (expected, desired, 3, allowed)


def test_an_eviction_counts_until_it_shows_or_expires(make_pod: Any, now: Any) -> None:
    marks = {"a": "2026-01-01T11:59:00Z", "b": "2026-01-01T11:00:00Z", "gone": "2026-01-01T11:59:59Z"}
    budget = {"spec": {"minAvailable": 1}, "status": {"disruptedPods": marks}}
    found, wait = budget_status(budget, [make_pod(n) for n in "abc"], 3, now)
    assert (found["disruptedPods"], found["currentHealthy"], wait) == ({"a": "2026-01-01T11:59:00Z"}, 2, 60.0)
