"""What to do next with a pod's containers.

Source: the kubelet's rules for init containers, native sidecars, ephemeral containers and restart policies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lateen.cluster.node.tracked import Tracked


@dataclass(frozen=True, slots=True)
class Plan:
    """`start`: in this order, one after the other. `finished`: nothing will start any more; what runs is stopped."""

    start: tuple[Tracked, ...] = ()
    finished: bool = False


def should_restart(container: Tracked, policy: str) -> bool:
    """Whether a container that has ended is run again."""
    if container.role == "sidecar":
        return True
    if policy == "Never":
        return False
    # An init container that has succeeded is done under every policy.
    return container.exit_code != 0 or (policy == "Always" and container.role == "main")


def initialized(containers: Sequence[Tracked]) -> bool:
    """Whether all init containers of the present sandbox are done, and the sidecars have started."""
    if any(c.role == "main" and c.in_sandbox and c.attempt >= 0 for c in containers):
        return True
    return all(
        (c.started if c.role == "sidecar" else c.in_sandbox and c.exited and c.exit_code == 0)
        for c in containers
        if c.role in ("init", "sidecar")
    )


def make_plan(containers: Sequence[Tracked], policy: str) -> Plan:
    plan = _plan(containers, policy)
    if plan.finished:
        return plan
    # Once, and before all others: they help to see why an init container does not get on.
    ephemeral = tuple(c for c in containers if c.role == "ephemeral" and c.attempt < 0)
    return Plan(start=ephemeral + plan.start)


def _plan(containers: Sequence[Tracked], policy: str) -> Plan:
    mains = [c for c in containers if c.role == "main"]
    if mains and all(c.exited and not should_restart(c, policy) for c in mains):
        return Plan(finished=True)
    before = [c for c in containers if c.role in ("init", "sidecar")]
    if any(c.in_sandbox and c.attempt >= 0 for c in mains):
        sidecars = tuple(c for c in before if c.role == "sidecar" and not c.running)
        return Plan(start=sidecars + _startable(mains, policy))
    start: list[Tracked] = []
    for container in before:
        present = container.in_sandbox and container.attempt >= 0
        if container.role == "sidecar":
            if not (present and container.running):
                start.append(container)
            if not container.started:
                return Plan(start=tuple(start))
        elif not present or (container.exited and container.exit_code != 0):
            if present and not should_restart(container, policy):
                return Plan(finished=True)
            return Plan(start=(*start, container))
        elif container.running:
            return Plan(start=tuple(start))
    return Plan(start=(*start, *_startable(mains, policy)))


def _startable(mains: Sequence[Tracked], policy: str) -> tuple[Tracked, ...]:
    return tuple(c for c in mains if c.attempt < 0 or (c.exited and should_restart(c, policy)))
