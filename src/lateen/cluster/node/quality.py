"""A pod's quality of service class.

Source: the Kubernetes documentation of pod QoS classes.
"""

from __future__ import annotations

from lateen.cluster import quantity
from lateen.cluster.objects import Obj


def qos_class(pod: Obj) -> str:
    """`Guaranteed`, `Burstable` or `BestEffort`."""
    containers = (*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ()))
    any_set, all_guaranteed = False, True
    for container in containers:
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        for name in ("cpu", "memory"):
            limit = quantity.parse(limits.get(name, "0"))
            request = quantity.parse(requests.get(name, limits.get(name, "0")))
            any_set = any_set or limit.nano > 0 or request.nano > 0
            all_guaranteed = all_guaranteed and limit.nano > 0 and limit == request
    if not any_set:
        return "BestEffort"
    return "Guaranteed" if all_guaranteed else "Burstable"
