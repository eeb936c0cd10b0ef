"""A pod's quality-of-service class.

Source: k8s.io/kubernetes `pkg/apis/core/v1/helper/qos.ComputePodQOS`: only cpu and memory count.
"""

from __future__ import annotations

from lateen.cluster.objects import Obj
from lateen.cluster.pod_resources import amounts
from lateen.cluster.quantity import Quantity

_COUNTED = ("cpu", "memory")


def qos_class(spec: Obj) -> str:
    """`Guaranteed`, `Burstable` or `BestEffort`, from a pod's spec."""
    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}
    guaranteed = True
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        resources = container.get("resources") or {}
        _add(requests, resources.get("requests"))
        if set(_add(limits, resources.get("limits"))) != set(_COUNTED):
            guaranteed = False
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if guaranteed and requests == limits else "Burstable"


def _add(total: dict[str, Quantity], raw: dict[str, str] | None) -> list[str]:
    given = amounts(raw)
    counted = [name for name in _COUNTED if name in given and given[name].nano > 0]
    for name in counted:
        total[name] = total[name] + given[name] if name in total else given[name]
    return counted
