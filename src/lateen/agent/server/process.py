"""What this process uses, as Prometheus' client libraries report it. Source: proc(5)."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

Sample = tuple[str, str, float]
"""Name, type (`counter` or `gauge`), value."""

_PROC = Path("/proc/self")


def samples() -> Iterator[Sample]:
    """Without a name's prefix; nothing where /proc is not what it should be."""
    try:
        fields = (_PROC / "stat").read_text().rpartition(")")[2].split()
        pages = (_PROC / "statm").read_text().split()
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
        files = len(os.listdir(_PROC / "fd"))
    except (OSError, StopIteration):
        return
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    yield "process_cpu_seconds_total", "counter", (int(fields[11]) + int(fields[12])) / ticks
    yield "process_max_fds", "gauge", float(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield "process_open_fds", "gauge", float(files)
    yield "process_resident_memory_bytes", "gauge", float(int(pages[1]) * page)
    yield "process_start_time_seconds", "gauge", int(boot.split()[1]) + int(fields[19]) / ticks
    yield "process_virtual_memory_bytes", "gauge", float(int(pages[0]) * page)
