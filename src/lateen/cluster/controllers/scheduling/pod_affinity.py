"""Pod affinity, anti-affinity and topology spread: placing a pod by the pods that are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lateen.cluster.objects import Obj, labels_of, namespace_of
from lateen.cluster.selectors import from_label_selector

NamespaceLabels: TypeAlias = Callable[[str], dict[str, str]]
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


@dataclass(frozen=True, slots=True)
class Placed:
    """A pod on a node."""

    pod: Obj
    node_labels: dict[str, str]


def _terms(pod: Obj, which: str, strength: str) -> list[Obj]:
    return (((pod.get("spec") or {}).get("affinity") or {}).get(which) or {}).get(strength) or []


def _selects(term: Obj, owner: Obj, other: Obj, namespaces: NamespaceLabels) -> bool:
    listed, by_label = term.get("namespaces") or [], term.get("namespaceSelector")
    namespace = namespace_of(other)
    if listed or by_label is not None:
        chosen = namespace in listed or (
            by_label is not None and from_label_selector(by_label).matches(namespaces(namespace))
        )
    else:
        chosen = namespace == namespace_of(owner)
    return chosen and from_label_selector(term.get("labelSelector")).matches(labels_of(other))


def _shares(term: Obj, one: dict[str, str], other: dict[str, str]) -> bool:
    key = str(term.get("topologyKey") or "")
    return key in one and key in other and one[key] == other[key]


def affinity_holds(pod: Obj, node: Obj, placed: Sequence[Placed], namespaces: NamespaceLabels) -> bool:
    """Every required affinity term has a pod in the node's domain (or is the pod's own, and it is the first)."""
    for term in _terms(pod, "podAffinity", _REQUIRED):
        matching = [p for p in placed if _selects(term, pod, p.pod, namespaces)]
        if any(_shares(term, labels_of(node), p.node_labels) for p in matching):
            continue
        if matching or not _selects(term, pod, pod, namespaces) or term.get("topologyKey") not in labels_of(node):
            return False
    return True


def anti_affinity_holds(pod: Obj, node: Obj, placed: Sequence[Placed], namespaces: NamespaceLabels) -> bool:
    """None of the pod's required anti-affinity terms has a pod in the node's domain."""
    return not any(
        _shares(term, labels_of(node), p.node_labels) and _selects(term, pod, p.pod, namespaces)
        for term in _terms(pod, "podAntiAffinity", _REQUIRED)
        for p in placed
    )


def existing_anti_affinity_holds(pod: Obj, node: Obj, placed: Sequence[Placed], namespaces: NamespaceLabels) -> bool:
    """No pod that is there has an anti-affinity against this one."""
    return not any(
        _shares(term, labels_of(node), p.node_labels) and _selects(term, p.pod, pod, namespaces)
        for p in placed
        for term in _terms(p.pod, "podAntiAffinity", _REQUIRED)
    )


def preference(pod: Obj, node: Obj, placed: Sequence[Placed], namespaces: NamespaceLabels) -> int:
    """The weights of the preferred terms, attraction less repulsion, counted per pod they match."""
    score = 0
    for which, sign in (("podAffinity", 1), ("podAntiAffinity", -1)):
        for weighted in _terms(pod, which, _PREFERRED):
            term, weight = weighted.get("podAffinityTerm") or {}, int(weighted.get("weight") or 0)
            for p in placed:
                if _shares(term, labels_of(node), p.node_labels) and _selects(term, pod, p.pod, namespaces):
                    score += sign * weight
    return score


def spread_holds(pod: Obj, node: Obj, nodes: Iterable[Obj], placed: Sequence[Placed], *, required: bool) -> int:
    """How far beyond `maxSkew` the pod would bring the node's domains: 0 when all constraints of that kind hold."""
    excess = 0
    for constraint in (pod.get("spec") or {}).get("topologySpreadConstraints") or ():
        if (constraint.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule") != required:
            continue
        key = str(constraint.get("topologyKey") or "")
        domains = Counter({labels_of(n)[key]: 0 for n in nodes if key in labels_of(n)})
        if key not in labels_of(node):
            return 1 << 20
        selector = from_label_selector(constraint.get("labelSelector"))
        for p in placed:
            if key in p.node_labels and namespace_of(p.pod) == namespace_of(pod):
                domains[p.node_labels[key]] += selector.matches(labels_of(p.pod))
        own = int(selector.matches(labels_of(pod)))
        skew = domains[labels_of(node)[key]] + own - min(domains.values())
        excess += max(0, skew - int(constraint.get("maxSkew") or 1))
    return excess
