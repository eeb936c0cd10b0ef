from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.controllers import pods


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"node": ""}, {}),
        ({"phase": "Pending"}, {}),
        ({"ready": False}, {}),
        ({"ready_for": 10}, {"ready_for": 100}),
        ({"age": 10}, {"age": 100}),
    ],
)
def test_the_pod_that_is_missed_least_goes_first(make_pod: Any, first: Any, second: Any) -> None:
    a, b = make_pod("a", **second), make_pod("b", **first)
    assert [p["metadata"]["name"] for p in pods.deletion_order([a, b], [])] == ["b", "a"]


def test_deletion_cost_and_crowded_nodes(make_pod: Any) -> None:
    cheap, dear = make_pod("cheap"), make_pod("dear")
    cheap["metadata"]["annotations"] = {pods.DELETION_COST: "-5"}
    assert pods.deletion_order([dear, cheap], [])[0] is cheap
    crowded = [make_pod("a", node="n1"), make_pod("b", node="n1"), make_pod("c", node="n2")]
    assert pods.deletion_order(crowded, crowded)[-1]["metadata"]["name"] == "c"


def test_availability_needs_time(make_pod: Any, now: Any) -> None:
    assert pods.available_in(make_pod("a", ready_for=10), 30, now) == 20.0
    assert pods.is_available(make_pod("a", ready_for=30), 30, now)
    assert pods.available_in(make_pod("a", ready=False), 0, now) is None
