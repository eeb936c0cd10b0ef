"""Which nodes a DaemonSet's pod belongs on, and which node a pod is meant for."""

from __future__ import annotations

from typing import Any

from lateen.cluster.controllers import pods
from lateen.cluster.controllers.scheduling import node_affinity
from lateen.cluster.controllers.scheduling.taints import taints_of, untolerated
from lateen.cluster.objects import Obj, deep_copy

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)


def tolerations(spec: Obj) -> list[Obj]:
    """The pod's own tolerations and those of every daemon."""
    wanted = list(_TOLERATED)
    if spec.get("hostNetwork"):
        wanted.append(("node.kubernetes.io/network-unavailable", "NoSchedule"))
    own = list(spec.get("tolerations") or ())
    daemon = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in wanted]
    return own + [t for t in daemon if t not in own]


def should_run(spec: Obj, node: Obj) -> tuple[bool, bool]:
    """(a pod should be made there, a pod that is there may stay)."""
    if spec.get("nodeName") and spec["nodeName"] != node["metadata"]["name"]:
        return False, False
    if not node_affinity.matches(spec, node):
        return False, False
    tolerated = tolerations(spec)
    if untolerated(tolerated, taints_of(node), ("NoExecute",)) is not None:
        return False, False
    return untolerated(tolerated, taints_of(node), ("NoSchedule",)) is None, True


def pod_spec_for(spec: Obj, node_name: str) -> Obj:
    """The template's spec, pinned to one node for the scheduler to confirm."""
    result: Obj = deep_copy(spec)
    result["tolerations"] = tolerations(spec)
    affinity = result.setdefault("affinity", {}).setdefault("nodeAffinity", {})
    pin = {"key": "metadata.name", "operator": "In", "values": [node_name]}
    # Names replace what the terms say of fields: the terms' labels hold for this node, or we would not be here.
    affinity[_REQUIRED] = {"nodeSelectorTerms": [{"matchFields": [pin]}]}
    return result


def target_node(pod: Obj) -> str:
    """The node that the pod is on or pinned to."""
    if pods.node_of(pod):
        return pods.node_of(pod)
    affinity: Any = ((pod.get("spec") or {}).get("affinity") or {}).get("nodeAffinity") or {}
    for term in (affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field.get("key") == "metadata.name" and field.get("values"):
                return str(field["values"][0])
    return ""
