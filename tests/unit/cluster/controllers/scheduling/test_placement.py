from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.controllers.scheduling.placement import Choice, choose, node_state


def place(pod: Any, *nodes: Any) -> Choice:
    """`nodes` are nodes, or pairs of a node and its pods."""
    states = [node_state(n, ()) if isinstance(n, dict) else node_state(*n) for n in nodes]
    return choose(pod, states, lambda _namespace: {})


def requesting(**requests: str) -> list[dict[str, Any]]:
    return [{"name": "c", "image": "i", "resources": {"requests": requests}}]


def test_siblings_spread(make_pod: Any, make_node: Any, make_owner: Any) -> None:
    owner = make_owner("ReplicaSet")
    there = make_pod("a", owner=owner)
    assert place(make_pod("b", node="", owner=owner), (make_node("n1"), [there]), make_node("n2")).node == "n2"


def test_no_nodes(make_pod: Any) -> None:
    assert place(make_pod("a", node="")) == Choice("", "no nodes available to schedule pods")


def test_the_message_counts_the_reasons(make_pod: Any, make_node: Any) -> None:
    pod = make_pod("a", node="", containers=requesting(cpu="3"))
    tainted = make_node("n2", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}])
    assert place(pod, make_node("n1"), tainted, make_node("n3", unschedulable=True)).message == (
        "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {k: v}, "
        "1 node(s) were unschedulable. preemption: 0/3 nodes are available: "
        "1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling."
    )


@pytest.mark.parametrize(
    "spec",
    [
        {"nodeSelector": {"disk": "ssd"}},
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]}}}},
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n2"]}]}]}}}},
        {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 5, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}}]}}},
    ],
)  # fmt: skip
def test_a_node_is_asked_for(make_pod: Any, make_node: Any, spec: Any) -> None:
    pod = make_pod("a", node="", **spec)
    assert place(pod, make_node("n1"), make_node("n2", labels={"disk": "ssd"}), make_node("n3")).node == "n2"


def test_resources_and_pod_count(make_pod: Any, make_node: Any) -> None:
    there = make_pod("a", containers=requesting(cpu="1500m", memory="1Gi"))
    pod = make_pod("b", node="", containers=requesting(cpu="600m"))
    assert "1 Insufficient cpu" in place(pod, (make_node("n1"), [there])).message
    small = make_node("n1")
    small["status"]["allocatable"]["pods"] = "1"
    assert "1 Too many pods" in place(make_pod("c", node=""), (small, [there])).message


def test_init_containers_count_once_and_sidecars_always(make_pod: Any, make_node: Any) -> None:
    init = [{**requesting(cpu="1")[0], "restartPolicy": "Always"}, requesting(cpu="1")[0]]
    assert place(make_pod("a", node="", containers=requesting(cpu="1"), initContainers=init), make_node("n")).node
    assert not place(
        make_pod("a", node="", containers=requesting(cpu="1100m"), initContainers=init), make_node("n")
    ).node


def test_host_ports(make_pod: Any, make_node: Any) -> None:
    ports = [{"name": "c", "image": "i", "ports": [{"containerPort": 80, "hostPort": 80}]}]
    there, pod = make_pod("a", containers=ports), make_pod("b", node="", containers=ports)
    assert place(pod, (make_node("n1"), [there]), make_node("n2")).node == "n2"
    assert "didn't have free ports" in place(pod, (make_node("n1"), [there])).message


def test_tolerations(make_pod: Any, make_node: Any) -> None:
    tainted = make_node("n1", taints=[{"key": "k", "value": "v", "effect": "NoExecute"}])
    assert not place(make_pod("a", node=""), tainted).node
    assert place(make_pod("a", node="", tolerations=[{"operator": "Exists"}]), tainted).node
    assert place(make_pod("a", node="", tolerations=[{"key": "k", "value": "v"}]), tainted).node
    assert not place(make_pod("a", node="", tolerations=[{"key": "k", "value": "w"}]), tainted).node


def by_hostname(which: str, strength: str = "requiredDuringSchedulingIgnoredDuringExecution") -> dict[str, Any]:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "x"}}}
    return {which: {strength: [term]}}


def test_pod_affinity(make_pod: Any, make_node: Any) -> None:
    there = make_pod("a", labels={"app": "x"})
    apart = make_pod("b", node="", affinity=by_hostname("podAntiAffinity"))
    assert place(apart, (make_node("n1"), [there]), make_node("n2")).node == "n2"
    assert "pod anti-affinity rules" in place(apart, (make_node("n1"), [there])).message
    together = make_pod("b", node="", affinity=by_hostname("podAffinity"))
    assert place(together, (make_node("n1"), [there]), make_node("n2")).node == "n1"
    assert "pod affinity rules" in place(together, make_node("n2")).message
    first = make_pod("b", node="", labels={"app": "x"}, affinity=by_hostname("podAffinity"))
    assert place(first, make_node("n2")).node == "n2"


def test_a_pod_that_wants_to_be_alone_stays_so(make_pod: Any, make_node: Any) -> None:
    hermit = make_pod("a", affinity=by_hostname("podAntiAffinity"))
    pod = make_pod("b", node="", labels={"app": "x"})
    assert "existing pods anti-affinity" in place(pod, (make_node("n1"), [hermit])).message


def test_topology_spread(make_pod: Any, make_node: Any) -> None:
    constraint = {
        "maxSkew": 1,
        "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "x"}},
    }
    pod = make_pod("b", node="", labels={"app": "x"}, topologySpreadConstraints=[constraint])
    there = make_pod("a", labels={"app": "x"})
    one, other = make_node("n1", labels={"zone": "1"}), make_node("n2", labels={"zone": "2"})
    assert place(pod, (one, [there]), other).node == "n2"
    other["spec"]["unschedulable"] = True
    assert "topology spread constraints" in place(pod, (one, [there]), other).message
    constraint["whenUnsatisfiable"] = "ScheduleAnyway"
    assert place(pod, (one, [there]), other).node == "n1"
