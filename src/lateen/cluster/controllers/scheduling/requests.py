"""What a pod asks of a node and what a node has: CPU in milli-CPUs, everything else in whole units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lateen.cluster.objects import Obj
from lateen.cluster.quantity import parse


def amounts(quantities: Mapping[str, object] | None) -> dict[str, int]:
    """Reads a resource list; what is not a quantity is left out."""
    found = {}
    for name, text in (quantities or {}).items():
        try:
            quantity = parse(text)
        except ValueError:
            continue
        found[name] = quantity.milli if name == "cpu" else quantity.value
    return found


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _container(container: Obj) -> dict[str, int]:
    return amounts((container.get("resources") or {}).get("requests"))


def pod_requests(pod: Obj) -> dict[str, int]:
    """The most the pod holds at a time: containers and sidecars together, or an init container while it runs."""
    spec = pod.get("spec") or {}
    running: dict[str, int] = {}
    for container in spec.get("containers") or ():
        _add(running, _container(container))
    sidecars: dict[str, int] = {}
    peak: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        moment = dict(sidecars)
        _add(moment, _container(container))
        if container.get("restartPolicy") == "Always":
            sidecars = dict(moment)
        peak = _maximum(peak, moment)
    _add(running, sidecars)
    result = _maximum(running, peak)
    _add(result, amounts(spec.get("overhead")))
    return result


def _maximum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in (*one, *other)}


def allocatable(node: Obj) -> dict[str, int]:
    status = node.get("status") or {}
    return amounts(status.get("allocatable") or status.get("capacity"))


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
