"""What controllers ask of pods: their phase, readiness, and which of them to lose first.

Source: k8s.io/kubernetes `pkg/controller` (ActivePodsWithRanks) and `pkg/api/v1/pod`.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable

from lateen.cluster import conditions
from lateen.cluster.objects import Obj, annotations_of, deep_copy, metadata, name_of, parse_timestamp, uid_of

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def phase(pod: Obj) -> str:
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_terminal(pod: Obj) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def is_deleting(obj: Obj) -> bool:
    return bool(metadata(obj).get("deletionTimestamp"))


def is_active(pod: Obj) -> bool:
    """Neither finished nor being deleted."""
    return not is_terminal(pod) and not is_deleting(pod)


def node_of(pod: Obj) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")


def is_ready(pod: Obj) -> bool:
    return conditions.is_true(pod, "Ready")


def ready_since(pod: Obj) -> dt.datetime | None:
    condition = conditions.find((pod.get("status") or {}).get("conditions"), "Ready")
    if condition is None or condition.get("status") != "True" or not condition.get("lastTransitionTime"):
        return None
    return parse_timestamp(condition["lastTransitionTime"])


def available_in(pod: Obj, min_ready_seconds: int, now: dt.datetime) -> float | None:
    """Seconds until the pod counts as available: 0 when it does, None when it is not even ready."""
    if not is_ready(pod):
        return None
    if min_ready_seconds == 0:
        return 0.0
    since = ready_since(pod)
    if since is None:
        return None
    return max(0.0, min_ready_seconds - (now - since).total_seconds())


def is_available(pod: Obj, min_ready_seconds: int, now: dt.datetime) -> bool:
    return available_in(pod, min_ready_seconds, now) == 0.0


def restarts(pod: Obj) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return max((int(s.get("restartCount") or 0) for s in statuses), default=0)


def deletion_cost(pod: Obj) -> int:
    try:
        return int(annotations_of(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def created_at(obj: Obj) -> dt.datetime:
    text = metadata(obj).get("creationTimestamp")
    return parse_timestamp(text) if text else dt.datetime.min.replace(tzinfo=dt.UTC)


_PHASE_RANK = {"Pending": 0, "Unknown": 1, "Running": 2}


def deletion_order(candidates: Iterable[Obj], related: Iterable[Obj]) -> list[Obj]:
    """The pods to lose first come first; `related` are all pods of the application, which spread evens out."""
    per_node = Counter(node_of(pod) for pod in related if is_active(pod) and node_of(pod))

    def rank(pod: Obj) -> tuple[object, ...]:
        ready = is_ready(pod)
        since = ready_since(pod)
        return (
            bool(node_of(pod)),
            _PHASE_RANK.get(phase(pod), 2),
            ready,
            deletion_cost(pod),
            -per_node[node_of(pod)],
            -since.timestamp() if since is not None else 0.0,
            -restarts(pod),
            -created_at(pod).timestamp() if metadata(pod).get("creationTimestamp") else 0.0,
            name_of(pod),
        )

    return sorted(candidates, key=rank)


def from_template(template: Obj, owner: Obj, *, generate_name: str = "", name: str = "") -> Obj:
    """A pod of `template`, controlled by `owner`."""
    meta = template.get("metadata") or {}
    made: Obj = {
        "namespace": metadata(owner).get("namespace", ""),
        "labels": dict(meta.get("labels") or {}),
        "annotations": dict(meta.get("annotations") or {}),
        "finalizers": list(meta.get("finalizers") or ()),
        "ownerReferences": [controller_reference(owner)],
    }
    made |= {"name": name} if name else {"generateName": generate_name}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {k: v for k, v in made.items() if v},
        "spec": deep_copy(template.get("spec") or {}),
    }


def controller_reference(owner: Obj) -> Obj:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def generate_name(owner_name: str) -> str:
    """The prefix of generated names; the API server cuts it to what a name may hold."""
    return f"{owner_name}-"
