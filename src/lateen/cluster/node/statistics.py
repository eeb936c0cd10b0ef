"""What a node and its pods use, at one moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from lateen.cluster.node.cgroups import Cgroups
from lateen.cluster.node.tracked import Tracked
from lateen.cluster.node.usage import Interface, Usage, container_usage, interfaces, machine_usage
from lateen.cluster.objects import Obj, uid_of

Running = tuple[Obj, Sequence[Tracked]]
"""A pod and its containers."""


@dataclass(frozen=True, slots=True)
class ContainerSample:
    """`started` and `at` are seconds since the epoch; `nano_cores` is the rate since the sample before."""

    name: str
    image: str
    started: float
    at: float
    usage: Usage
    nano_cores: int


@dataclass(frozen=True, slots=True)
class PodSample:
    pod: Obj
    containers: tuple[ContainerSample, ...]
    interfaces: tuple[Interface, ...]

    @property
    def usage(self) -> Usage:
        return reduce(Usage.__add__, (c.usage for c in self.containers), Usage())


@dataclass(frozen=True, slots=True)
class NodeSample:
    node: str
    at: float
    usage: Usage
    nano_cores: int
    pods: tuple[PodSample, ...]


class Statistics:
    """Measures when asked. Blocks for some file reads per container."""

    def __init__(
        self, node: str, cgroups: Cgroups, pods: Callable[[], Iterable[Running]], clock: Callable[[], float] = time.time
    ) -> None:
        self.node = node
        self._cgroups = cgroups
        self.pods = pods
        self._clock = clock
        self._before: dict[str, tuple[float, int]] = {}

    def sample(self, pods: Iterable[Running]) -> NodeSample:
        """What the containers use that run now."""
        before, self._before = self._before, {}
        samples = tuple(self._pod(pod, containers, before) for pod, containers in pods)
        now, usage = self._clock(), machine_usage()
        return NodeSample(self.node, now, usage, self._rate("", now, usage.cpu, before), samples)

    def _pod(self, pod: Obj, containers: Sequence[Tracked], before: dict[str, tuple[float, int]]) -> PodSample:
        samples = []
        seen: list[Interface] = []
        for container in containers:
            started = float((container.state or {}).get("started_at") or 0.0)
            if not container.running or not started:
                continue
            groups = self._cgroups.groups(uid_of(pod), container.name, container.attempt)
            now, usage = self._clock(), container_usage(groups)
            rate = self._rate(container.id, now, usage.cpu, before)
            image = str(container.spec.get("image") or "")
            samples.append(ContainerSample(container.name, image, started, now, usage, rate))
            # A pod in the node's network has none of its own.
            if not seen and not pod["spec"].get("hostNetwork"):
                seen = interfaces(groups.values())
        return PodSample(pod, tuple(samples), tuple(seen))

    def _rate(self, key: str, now: float, cpu: int, before: dict[str, tuple[float, int]]) -> int:
        self._before[key] = (now, cpu)
        then, used = before.get(key, (now, cpu))
        return int(max(0, cpu - used) / (now - then)) if now > then else 0
