"""What a pod asks of a node and what a node has: CPU in milli-CPUs, everything else in whole units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lateen.cluster.objects import Obj
from lateen.cluster.pod_resources import amounts, pod_amounts
from lateen.cluster.quantity import Quantity


def _integers(quantities: Mapping[str, Quantity]) -> dict[str, int]:
    return {name: amount.milli if name == "cpu" else amount.value for name, amount in quantities.items()}


def pod_requests(pod: Obj) -> dict[str, int]:
    """The most the pod holds at a time."""
    return _integers(pod_amounts(pod.get("spec") or {}, "requests"))


def allocatable(node: Obj) -> dict[str, int]:
    status = node.get("status") or {}
    return _integers(amounts(status.get("allocatable") or status.get("capacity")))


def host_ports(pod: Obj) -> set[tuple[str, str, int]]:
    """(protocol, host IP, port) that the pod takes on its node."""
    spec = pod.get("spec") or {}
    taken = set()
    containers: Iterable[Obj] = (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
    for container in containers:
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                taken.add((port.get("protocol") or "TCP", port.get("hostIP") or "0.0.0.0", int(port["hostPort"])))
    return taken


def ports_conflict(wanted: set[tuple[str, str, int]], taken: set[tuple[str, str, int]]) -> bool:
    """The wildcard address conflicts with every address."""
    return any(
        w[0] == t[0] and w[2] == t[2] and (w[1] == t[1] or "0.0.0.0" in (w[1], t[1])) for w in wanted for t in taken
    )
