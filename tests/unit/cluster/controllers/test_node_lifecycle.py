from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.controllers.node_lifecycle import (
    NOT_READY,
    UNREACHABLE,
    seconds_tolerated,
    silent_for,
    unknown_conditions,
    wanted_taints,
)

AT = "2026-01-01T12:00:00Z"


def test_taints_follow_conditions_and_leave_those_of_others(make_node: Any) -> None:
    mine = {"key": "mine", "effect": "NoSchedule"}
    node = make_node("n", taints=[mine, {"key": NOT_READY, "effect": "NoSchedule"}])
    assert wanted_taints(node, AT) == [mine]
    node["status"]["conditions"] = unknown_conditions(node, AT)
    assert [(t["key"], t["effect"]) for t in wanted_taints(node, AT)[1:]] == [
        (UNREACHABLE, "NoSchedule"),
        (UNREACHABLE, "NoExecute"),
    ]
    ready = node["status"]["conditions"][0]
    assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
    ready["status"] = "False"
    node["spec"]["unschedulable"] = True
    assert {t["key"] for t in wanted_taints(node, AT)} == {"mine", NOT_READY, "node.kubernetes.io/unschedulable"}


def test_a_lease_counts_as_a_sign_of_life(make_node: Any, now: Any) -> None:
    node = make_node("n")
    node["status"]["conditions"][0]["lastHeartbeatTime"] = "2026-01-01T11:00:00Z"
    assert silent_for(node, None, now) == 3600
    assert silent_for(node, {"spec": {"renewTime": "2026-01-01T11:59:50.000000Z"}}, now) == 10


@pytest.mark.parametrize(
    ("tolerations", "expected"),
    [
        ([], 0.0),
        ([{"operator": "Exists"}], None),
        ([{"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}], 290.0),
        ([{"key": UNREACHABLE, "operator": "Exists", "tolerationSeconds": 5}], 0.0),
        ([{"key": "other", "operator": "Exists"}], 0.0),
    ],
)
def test_toleration_seconds(now: Any, tolerations: Any, expected: Any) -> None:
    taints = [
        {"key": UNREACHABLE, "effect": "NoExecute", "timeAdded": "2026-01-01T11:59:50Z"},
        {"key": "soft", "effect": "NoSchedule"},
    ]
    assert seconds_tolerated(tolerations, taints, now) == expected
