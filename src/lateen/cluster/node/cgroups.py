"""Resource limits by control groups, version 1 or 2, or none where the machine offers none to us.

Sources: the kernel's cgroup-v1 and cgroup-v2 documentation; the kubelet's conversions of CPU to shares and quota.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lateen.cluster import quantity
from lateen.cluster.objects import Obj

_log = logging.getLogger(__name__)

_PERIOD = 100_000
_MIN_SHARES, _MAX_SHARES = 2, 262144
_CONTROLLERS = ("memory", "cpu", "cpuacct", "pids")
_REMOVE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ContainerCgroup:
    """`procs`: the files that a process joins the group by; `events`: where `oom_kill` counts, or empty."""

    procs: tuple[str, ...]
    events: str


def cpu_shares(milli: int) -> int:
    return max(_MIN_SHARES, min(_MAX_SHARES, milli * 1024 // 1000)) if milli else _MIN_SHARES


def cpu_weight(milli: int) -> int:
    """Version 2's weight for a request, by the kubelet's formula."""
    return 1 + ((cpu_shares(milli) - 2) * 9999) // 262142


def cpu_quota(milli: int) -> int:
    """Microseconds per period of 100 ms; at least one millisecond."""
    return max(1000, milli * _PERIOD // 1000)


def _mounts(mountinfo: str) -> dict[str, Path]:
    """Where each controller of version 1 is mounted, and version 2 as `unified`."""
    found: dict[str, Path] = {}
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        point, (kind, _, options) = Path(left.split()[4]), right.split()[:3]
        if kind == "cgroup2":
            found["unified"] = point
        elif kind == "cgroup":
            found |= {c: point for c in _CONTROLLERS if c in options.split(",")}
    return found


def _own_groups(text: str) -> dict[str, str]:
    """This process's group per controller of version 1, and version 2's as `unified`."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(",") if controllers else ["unified"]:
            found[controller] = path
    return found


class Cgroups:
    """The groups of one node: `<base>/lateen/<node>/<pod uid>/<container>-<attempt>`."""

    def __init__(self, node: str, mountinfo: str, own: str) -> None:
        self._node = node
        self.version = 0
        self._bases: dict[str, Path] = {}
        mounts = _mounts(mountinfo)
        groups = _own_groups(own)
        if version_1 := [c for c in _CONTROLLERS if c in mounts]:
            self.version = 1
            for controller in version_1:
                inside = mounts[controller] / groups.get(controller, "/").lstrip("/")
                self._bases[controller] = inside if inside.is_dir() else mounts[controller]
        elif "unified" in mounts and self._delegate(mounts["unified"]):
            self.version = 2
            self._bases["unified"] = mounts["unified"]

    @classmethod
    def detect(cls, node: str) -> Cgroups:
        found = cls(node, Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())
        if not found.version:
            _log.warning("no usable cgroup controllers: resource limits are not enforced")
        return found

    @staticmethod
    def _delegate(mount: Path) -> bool:
        try:
            available = set((mount / "cgroup.controllers").read_text().split())
            wanted = [c for c in _CONTROLLERS if c in available]
            (mount / "cgroup.subtree_control").write_text(" ".join(f"+{c}" for c in wanted))
        except OSError:
            return False
        return bool(wanted)

    def _pod_groups(self, uid: str) -> Iterable[tuple[str, Path]]:
        return ((name, base / "lateen" / self._node / uid) for name, base in self._bases.items())

    def create(self, uid: str, container: str, attempt: int, resources: Obj) -> ContainerCgroup:
        """Makes a container's groups and sets its limits; what the machine refuses is logged and left out."""
        procs, events = [], ""
        for controller, pod_group in self._pod_groups(uid):
            group = pod_group / f"{container}-{attempt}"
            try:
                group.mkdir(parents=True, exist_ok=True)
                if controller == "unified":
                    for level in (pod_group.parent.parent, pod_group.parent, pod_group):
                        self._delegate(level)
            except OSError as error:
                _log.warning("cgroup %s: %s", group, error)
                continue
            for name, value in self._settings(controller, resources):
                try:
                    (group / name).write_text(value)
                except OSError as error:
                    _log.warning("cgroup %s/%s: %s", group, name, error)
            procs.append(str(group / "cgroup.procs"))
            if controller in ("memory", "unified"):
                events = str(group / ("memory.events" if controller == "unified" else "memory.oom_control"))
        # Controllers that are mounted together share their groups.
        return ContainerCgroup(tuple(dict.fromkeys(procs)), events)

    def groups(self, uid: str, container: str, attempt: int) -> dict[str, Path]:
        """The groups of one attempt by controller (`unified` for version 2), whether they are there or not."""
        return {controller: group / f"{container}-{attempt}" for controller, group in self._pod_groups(uid)}

    @staticmethod
    def _settings(controller: str, resources: Obj) -> Iterable[tuple[str, str]]:
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        memory = quantity.parse(limits["memory"]).value if "memory" in limits else 0
        cpu = quantity.parse(limits["cpu"]).milli if "cpu" in limits else 0
        request = requests.get("cpu", limits.get("cpu"))
        requested = quantity.parse(request).milli if request is not None else 0
        if controller == "memory" and memory:
            yield "memory.limit_in_bytes", str(memory)
        if controller == "cpu":
            yield "cpu.shares", str(cpu_shares(requested))
            if cpu:
                yield "cpu.cfs_period_us", str(_PERIOD)
                yield "cpu.cfs_quota_us", str(cpu_quota(cpu))
        if controller == "unified":
            yield "cpu.weight", str(cpu_weight(requested))
            if cpu:
                yield "cpu.max", f"{cpu_quota(cpu)} {_PERIOD}"
            if memory:
                yield "memory.max", str(memory)
                yield "memory.oom.group", "1"

    def remove(self, uid: str, container: str = "", attempt: int = 0) -> None:
        """Removes the groups of a pod, or those of one attempt; processes still in them are killed."""
        for _, pod_group in self._pod_groups(uid):
            if container:
                _remove_group(pod_group / f"{container}-{attempt}")
            elif pod_group.is_dir():
                for group in [g for g in pod_group.iterdir() if g.is_dir()]:
                    _remove_group(group)
                _remove_group(pod_group)

    def remove_all(self) -> None:
        """Removes everything of this node."""
        for base in self._bases.values():
            node_group = base / "lateen" / self._node
            if node_group.is_dir():
                for pod_group in [g for g in node_group.iterdir() if g.is_dir()]:
                    self.remove(pod_group.name)
                _remove_group(node_group)
            # Other nodes and clusters share the parent: it goes with the last one.
            with suppress(OSError):
                node_group.parent.rmdir()


def _remove_group(group: Path) -> None:
    deadline = time.monotonic() + _REMOVE_SECONDS
    while True:
        try:
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                _log.warning("cgroup %s is left: %s", group, error)
                return
        for line in (group / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(line), signal.SIGKILL)
        time.sleep(0.005)
