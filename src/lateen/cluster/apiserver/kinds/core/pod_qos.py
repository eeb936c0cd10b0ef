"""A pod's quality-of-service class.

Source: k8s.io/kubernetes `pkg/apis/core/v1/helper/qos.ComputePodQOS`: only cpu and memory count.
"""

from __future__ import annotations

from lateen.cluster.apiserver.kinds.fields import mapping, objects
from lateen.cluster.objects import Obj
from lateen.cluster.quantity import Quantity, parse

_COUNTED = ("cpu", "memory")


def qos_class(spec: Obj) -> str:
    """`Guaranteed`, `Burstable` or `BestEffort`."""
    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}
    guaranteed = True
    for container in objects(spec, "containers") + objects(spec, "initContainers"):
        resources = mapping(container, "resources")
        _add(requests, mapping(resources, "requests"))
        if set(_add(limits, mapping(resources, "limits"))) != set(_COUNTED):
            guaranteed = False
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if guaranteed and requests == limits else "Burstable"


def _add(total: dict[str, Quantity], amounts: Obj) -> list[str]:
    counted = []
    for name in _COUNTED:
        try:
            amount = parse(amounts.get(name, 0))
        except ValueError:
            continue
        if amount.nano > 0:
            counted.append(name)
            total[name] = total[name] + amount if name in total else amount
    return counted
