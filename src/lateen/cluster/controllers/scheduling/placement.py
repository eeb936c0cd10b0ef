"""The choice: nodes that can take the pod, the best of them, or why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lateen.cluster.controllers.scheduling import node_affinity, pod_affinity
from lateen.cluster.controllers.scheduling.pod_affinity import NamespaceLabels, Placed
from lateen.cluster.controllers.scheduling.requests import allocatable, host_ports, pod_requests, ports_conflict
from lateen.cluster.controllers.scheduling.taints import taints_of, untolerated
from lateen.cluster.objects import Obj, controller_of, labels_of, name_of, namespace_of

UNSCHEDULABLE_TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}

_FULL = ("Insufficient", "Too many pods", "node(s) didn't have free ports")


@dataclass(slots=True)
class NodeState:
    """A node and what is on it: kept up as pods are placed, so that many pods cost one look each."""

    node: Obj
    capacity: dict[str, int]
    pods: dict[str, Obj] = field(default_factory=dict)
    requested: Counter[str] = field(default_factory=Counter)
    ports: set[tuple[str, str, int]] = field(default_factory=set)


def node_state(node: Obj, pods: Iterable[Obj]) -> NodeState:
    """The node with the pods that hold its resources."""
    state = NodeState(node, allocatable(node))
    for pod in pods:
        state.pods[str(pod["metadata"]["uid"])] = pod
        state.requested.update(pod_requests(pod))
        state.ports |= host_ports(pod)
    return state


@dataclass(frozen=True, slots=True)
class Choice:
    """The node's name; empty with the message that a FailedScheduling event has."""

    node: str
    message: str = ""


def choose(pod: Obj, states: Sequence[NodeState], namespaces: NamespaceLabels) -> Choice:
    """Filters and scores all nodes."""
    placed = (
        [Placed(p, labels_of(s.node)) for s in states for p in s.pods.values()] if _looks_at_pods(states, pod) else []
    )
    reasons: Counter[str] = Counter()
    feasible = []
    for state in states:
        found = rejections(pod, state, states, placed, namespaces)
        reasons.update(found)
        if not found:
            feasible.append(state)
    if not feasible:
        return Choice("", failure_message(len(states), reasons))
    best = max(feasible, key=lambda s: (*_score(pod, s, states, placed, namespaces), name_of(s.node)))
    return Choice(name_of(best.node))


def failure_message(nodes: int, reasons: Counter[str]) -> str:
    """As the scheduler says it: `0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable.`"""
    if nodes == 0:
        return "no nodes available to schedule pods"
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    full = min(nodes, sum(count for reason, count in reasons.items() if reason.startswith(_FULL)))
    tried = {
        "No preemption victims found for incoming pod": full,
        "Preemption is not helpful for scheduling": nodes - full,
    }
    outcome = ", ".join(f"{count} {what}" for what, count in tried.items() if count)
    return f"0/{nodes} nodes are available: {listed}. preemption: 0/{nodes} nodes are available: {outcome}."


def _looks_at_pods(states: Sequence[NodeState], pod: Obj) -> bool:
    """Whether any pod's place matters for this one: mostly not, and then nothing is compared."""
    spec = pod.get("spec") or {}
    affinity = spec.get("affinity") or {}
    if affinity.get("podAffinity") or affinity.get("podAntiAffinity") or spec.get("topologySpreadConstraints"):
        return True
    return any(
        ((p.get("spec") or {}).get("affinity") or {}).get("podAntiAffinity") for s in states for p in s.pods.values()
    )


def rejections(
    pod: Obj, state: NodeState, states: Sequence[NodeState], placed: Sequence[Placed], namespaces: NamespaceLabels
) -> list[str]:
    """Why the node cannot take the pod: the reasons of the first rule that fails."""
    spec, node = pod.get("spec") or {}, state.node
    tolerations = spec.get("tolerations") or ()
    if (node.get("spec") or {}).get("unschedulable") and untolerated(
        tolerations, [UNSCHEDULABLE_TAINT], ["NoSchedule"]
    ):
        return ["node(s) were unschedulable"]
    taint = untolerated(tolerations, taints_of(node), ("NoSchedule", "NoExecute"))
    if taint is not None:
        return [f"node(s) had untolerated taint {{{taint.get('key', '')}: {taint.get('value') or ''}}}"]
    if not node_affinity.matches(spec, node):
        return ["node(s) didn't match Pod's node affinity/selector"]
    if ports_conflict(host_ports(pod), state.ports):
        return ["node(s) didn't have free ports for the requested pod ports"]
    if lacking := _insufficient(pod, state):
        return lacking
    if pod_affinity.spread_holds(pod, node, (s.node for s in states), placed, required=True):
        return ["node(s) didn't match pod topology spread constraints"]
    if not pod_affinity.affinity_holds(pod, node, placed, namespaces):
        return ["node(s) didn't match pod affinity rules"]
    if not pod_affinity.anti_affinity_holds(pod, node, placed, namespaces):
        return ["node(s) didn't match pod anti-affinity rules"]
    if not pod_affinity.existing_anti_affinity_holds(pod, node, placed, namespaces):
        return ["node(s) didn't satisfy existing pods anti-affinity rules"]
    return []


def _insufficient(pod: Obj, state: NodeState) -> list[str]:
    found = []
    if "pods" in state.capacity and len(state.pods) + 1 > state.capacity["pods"]:
        found.append("Too many pods")
    for name, amount in pod_requests(pod).items():
        if amount and state.requested[name] + amount > state.capacity.get(name, 0):
            found.append(f"Insufficient {name}")
    return found


def _score(
    pod: Obj, state: NodeState, states: Sequence[NodeState], placed: Sequence[Placed], namespaces: NamespaceLabels
) -> tuple[float, ...]:
    """What matters more comes first: wishes of the pod, then an even spread of its siblings, then of all load."""
    spec, node = pod.get("spec") or {}, state.node
    taint = untolerated(spec.get("tolerations") or (), taints_of(node), ("PreferNoSchedule",))
    wishes = node_affinity.preference(spec, node) + pod_affinity.preference(pod, node, placed, namespaces)
    spread = pod_affinity.spread_holds(pod, node, (s.node for s in states), placed, required=False)
    controller = (controller_of(pod) or {}).get("uid")
    siblings = sum(
        controller is not None
        and namespace_of(p) == namespace_of(pod)
        and (controller_of(p) or {}).get("uid") == controller
        for p in state.pods.values()
    )
    load = sum(state.requested[name] / state.capacity[name] for name in ("cpu", "memory") if state.capacity.get(name))
    return (float(taint is None), float(wishes), -float(spread), -float(siblings), -load, -float(len(state.pods)))
