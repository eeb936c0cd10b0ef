"""What a cluster's processes take of the machine, from /proc."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Processes:
    """PIDs by what they are: the cluster's own processes, the shims of its pods, and what runs in the pods."""

    own: tuple[int, ...]
    shims: tuple[int, ...]
    containers: tuple[int, ...]

    @property
    def all(self) -> tuple[int, ...]:
        return (*self.own, *self.shims, *self.containers)


def processes_of(root: Path) -> Processes:
    """The processes of the cluster whose state is in `root`."""
    own: list[int] = []
    shims: list[int] = []
    parents: dict[int, int] = {}
    for pid, command in _commands():
        if os.fsencode(root) in command:
            (shims if b"shim" in command else own).append(pid)
        with contextlib.suppress(OSError):
            parents[pid] = int(_stat(pid)[1])
    containers: list[int] = []
    inside = set(shims)
    while found := [pid for pid, parent in parents.items() if parent in inside and pid not in inside]:
        containers += found
        inside |= set(found)
    return Processes(tuple(own), tuple(shims), tuple(containers))


def cpu_seconds(pids: tuple[int, ...]) -> float:
    """CPU time that the processes have taken since their start. Those that are gone count nothing."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = _stat(pid)
            total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def mebibytes(pids: tuple[int, ...]) -> float:
    """Proportional set size: memory that several share counts once."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def _commands() -> Iterator[tuple[int, bytes]]:
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield int(path.name), (path / "cmdline").read_bytes()


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on (proc(5) counts them from 3)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
