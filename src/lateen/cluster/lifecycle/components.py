"""The background processes that make up a cluster, in the order they start."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from lateen.cluster.layout import Layout


@dataclass(frozen=True, slots=True)
class Component:
    """One supervised process. Its log is `logs/<name>.log`, its PID file `run/<name>.pid`."""

    name: str
    argv: tuple[str, ...]


def components(layout: Layout, nodes: int) -> list[Component]:
    """What the supervisor runs: API server, controllers, fabric, and one node process per node."""

    def module(name: str, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, "-m", f"lateen.cluster.{name}", "--root", str(layout.root), *arguments)

    found = [Component(name, module(name)) for name in ("apiserver", "controllers", "fabric")]
    for number in range(1, nodes + 1):
        node = layout.node(number)
        # nsenter, unlike `ip netns exec`, leaves the node in the machine's mount namespace, where the mounts it makes
        # for pods outlive it.
        enter = ("nsenter", f"--net=/run/netns/{node.netns}", "--")
        found.append(Component(f"node-{number}", (*enter, *module("node", "--number", str(number)))))
    return found
