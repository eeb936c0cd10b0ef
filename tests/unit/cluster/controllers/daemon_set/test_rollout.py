from __future__ import annotations

from typing import Any

from lateen.cluster.controllers.daemon_set.nodes import pod_spec_for, should_run, target_node
from lateen.cluster.controllers.daemon_set.rollout import plan, status

OLD, NEW = {"controller-revision-hash": "old"}, {"controller-revision-hash": "new"}


def names(found: Any) -> list[str]:
    return [p["metadata"]["name"] for p in found]


def test_one_pod_per_node(make_pod: Any, make_node: Any, make_owner: Any, now: Any) -> None:
    nodes = [make_node("n1"), make_node("n2"), make_node("n3", taints=[{"key": "k", "effect": "NoSchedule"}])]
    found = plan(make_owner("DaemonSet"), nodes, [make_pod("a", labels=NEW), make_pod("b", age=5)], "new", now)
    assert (found.create, names(found.delete)) == (["n2"], ["b"])


def test_pods_leave_nodes_that_want_them_no_more(make_pod: Any, make_node: Any, make_owner: Any, now: Any) -> None:
    daemon = make_owner("DaemonSet")
    daemon["spec"]["template"]["spec"]["nodeSelector"] = {"gpu": "yes"}
    found = plan(daemon, [make_node("n1")], [make_pod("a")], "new", now)
    assert names(found.delete) == ["a"]
    cordoned = make_node("n1", taints=[{"key": "k", "effect": "NoSchedule"}])
    assert should_run({}, cordoned) == (False, True)
    assert should_run({}, make_node("n1", taints=[{"key": "k", "effect": "NoExecute"}])) == (False, False)
    unready = make_node("n1", taints=[{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}])
    assert should_run({}, unready) == (True, True)


def test_failed_pods_are_replaced(make_pod: Any, make_node: Any, make_owner: Any, now: Any) -> None:
    found = plan(make_owner("DaemonSet"), [make_node("n1")], [make_pod("a", phase="Failed")], "new", now)
    assert (found.create, names(found.delete), names(found.failed)) == ([], ["a"], ["a"])


def test_update_takes_the_broken_first_and_keeps_to_its_limit(
    make_pod: Any, make_node: Any, make_owner: Any, now: Any
) -> None:
    nodes = [make_node(f"n{i}") for i in range(3)]
    old = [make_pod(f"p{i}", node=f"n{i}", labels=OLD) for i in range(3)]
    daemon = make_owner("DaemonSet")
    assert names(plan(daemon, nodes, old, "new", now).delete) == ["p0"]
    old[2]["status"]["conditions"][0]["status"] = "False"
    assert names(plan(daemon, nodes, old, "new", now).delete) == ["p2"]
    daemon["spec"]["updateStrategy"] = {"type": "OnDelete"}
    assert plan(daemon, nodes, old, "new", now).delete == []


def test_surge_makes_before_it_deletes(make_pod: Any, make_node: Any, make_owner: Any, now: Any) -> None:
    nodes = [make_node("n0"), make_node("n1")]
    old = [make_pod(f"p{i}", node=f"n{i}", labels=OLD) for i in range(2)]
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    daemon = make_owner("DaemonSet", updateStrategy={"type": "RollingUpdate", "rollingUpdate": rolling})
    found = plan(daemon, nodes, old, "new", now)
    assert (found.create, found.delete) == (["n0"], [])
    found = plan(daemon, nodes, [*old, make_pod("q", node="n0", labels=NEW)], "new", now)
    assert (found.create, names(found.delete)) == ([], ["p0"])


def test_pods_are_pinned(make_pod: Any) -> None:
    spec = pod_spec_for({"containers": [], "affinity": {"podAffinity": {}}}, "n7")
    assert target_node({"spec": spec}) == "n7"
    assert target_node(make_pod("a", node="n1")) == "n1"


def test_status(make_pod: Any, make_node: Any, make_owner: Any, now: Any) -> None:
    nodes = [make_node("n1"), make_node("n2"), make_node("n3", taints=[{"key": "k", "effect": "NoSchedule"}])]
    owned = [make_pod("a", labels=NEW), make_pod("b", node="n2", ready=False), make_pod("c", node="n3")]
    assert status(make_owner("DaemonSet"), nodes, owned, "new", now) == {
        "currentNumberScheduled": 2,
        "numberMisscheduled": 1,
        "desiredNumberScheduled": 2,
        "numberReady": 1,
        "observedGeneration": 1,
        "updatedNumberScheduled": 1,
        "numberAvailable": 1,
        "numberUnavailable": 1,
    }
