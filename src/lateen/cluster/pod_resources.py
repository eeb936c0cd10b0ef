"""What a pod asks for in all: sums over its containers."""

from __future__ import annotations

from collections.abc import Mapping

from lateen.cluster.objects import Obj
from lateen.cluster.quantity import Quantity, parse

Amounts = Mapping[str, Quantity]


def amounts(raw: Mapping[str, str] | None) -> dict[str, Quantity]:
    """A ResourceList, parsed; what does not parse is left out (validation tells of it)."""
    found = {}
    for name, text in (raw or {}).items():
        try:
            found[name] = parse(text)
        except ValueError:
            continue
    return found


def pod_amounts(spec: Obj, kind: str) -> dict[str, Quantity]:
    """`requests` or `limits` of a pod: its containers and sidecars together, or its largest init container if more.

    A resource that some container does not name is summed over those that do. The pod's overhead is added.
    Source: k8s.io/component-helpers/resource (`PodRequests`, `PodLimits`).
    """
    running: dict[str, Quantity] = {}
    for container in spec.get("containers") or ():
        _add(running, _of(container, kind))
    sidecars: dict[str, Quantity] = {}
    starting: dict[str, Quantity] = {}
    for container in spec.get("initContainers") or ():
        given = _of(container, kind)
        if container.get("restartPolicy") == "Always":
            _add(running, given)
            _add(sidecars, given)
            given = dict(sidecars)
        else:
            given = {name: given[name] + sidecars[name] if name in sidecars else given[name] for name in given}
        for name, amount in given.items():
            starting[name] = max(starting.get(name, amount), amount)
    total = {**starting, **running}
    for name in starting.keys() & running.keys():
        total[name] = max(starting[name], running[name])
    _add(total, amounts(spec.get("overhead")))
    return total


def _of(container: Obj, kind: str) -> dict[str, Quantity]:
    return amounts((container.get("resources") or {}).get(kind))


def _add(total: dict[str, Quantity], more: Amounts) -> None:
    for name, amount in more.items():
        total[name] = total[name] + amount if name in total else amount
