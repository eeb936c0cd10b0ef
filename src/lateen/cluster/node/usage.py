"""What containers and the machine use of CPU, memory and network, as the kernel counts it.

Sources: the kernel's cgroup-v1 and cgroup-v2 documentation, proc(5); working sets as the kubelet has them: what is
used less the inactive file cache.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """`cpu` in core-nanoseconds since the start; memory in bytes."""

    cpu: int = 0
    memory: int = 0
    working_set: int = 0
    resident: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.cpu + other.cpu,
            self.memory + other.memory,
            self.working_set + other.working_set,
            self.resident + other.resident,
        )


@dataclass(frozen=True, slots=True)
class Interface:
    """Bytes and errors of one network interface since it was made."""

    name: str
    received: int
    receive_errors: int
    sent: int
    send_errors: int


def container_usage(groups: Mapping[str, Path]) -> Usage:
    """The usage of one container by its control groups; zero where they are gone or do not count."""
    if unified := groups.get("unified"):
        cpu = _fields(unified / "cpu.stat").get("usage_usec", 0) * 1000
        memory, stat = _number(unified / "memory.current"), _fields(unified / "memory.stat")
        return _usage(cpu, memory, stat.get("inactive_file", 0), stat.get("anon", 0))
    cpu = _number(groups["cpuacct"] / "cpuacct.usage") if "cpuacct" in groups else 0
    if "memory" not in groups:
        return _usage(cpu, 0, 0, 0)
    stat = _fields(groups["memory"] / "memory.stat")
    memory = _number(groups["memory"] / "memory.usage_in_bytes")
    return _usage(cpu, memory, stat.get("total_inactive_file", 0), stat.get("total_rss", 0))


def _usage(cpu: int, memory: int, inactive: int, resident: int) -> Usage:
    return Usage(cpu, memory, max(0, memory - inactive), resident)


def machine_usage(proc: Path = Path("/proc")) -> Usage:
    """The whole machine's: its nodes share it."""
    times = [int(text) for text in (proc / "stat").read_text().splitlines()[0].split()[1:]]
    # user, nice, system, idle, iowait, irq, softirq, steal; guests are in user and nice already.
    busy = sum(times[:3]) + sum(times[5:8])
    info = _fields(proc / "meminfo", unit=1024)
    memory = info.get("MemTotal:", 0) - info.get("MemFree:", 0)
    working_set = info.get("MemTotal:", 0) - info.get("MemAvailable:", 0)
    return Usage(busy * 10**9 // _TICKS, memory, working_set, info.get("AnonPages:", 0))


def process_usage(proc: Path = Path("/proc/self")) -> Usage:
    """One process's own, without its children."""
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    resident = int((proc / "statm").read_text().split()[1]) * _PAGE
    return Usage((int(fields[11]) + int(fields[12])) * 10**9 // _TICKS, resident, resident, resident)


def interfaces(groups: Iterable[Path], proc: Path = Path("/proc")) -> list[Interface]:
    """The network interfaces, but loopback, that the processes of a container see; none when it has no process."""
    for group in groups:
        try:
            member = (group / "cgroup.procs").read_text().split()[0]
            lines = (proc / member / "net" / "dev").read_text().splitlines()[2:]
        except (OSError, IndexError):
            continue
        found = []
        for line in lines:
            name, _, counters = line.partition(":")
            values = [int(text) for text in counters.split()]
            if name.strip() != "lo":
                found.append(Interface(name.strip(), values[0], values[2], values[8], values[10]))
        return found
    return []


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _fields(path: Path, unit: int = 1) -> dict[str, int]:
    """`name number` lines."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return {words[0]: int(words[1]) * unit for line in lines if len(words := line.split()) > 1 and words[1].isdigit()}
