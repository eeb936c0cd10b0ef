"""`lateen cluster status` and `logs`: what runs, since when, and what it said."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from lateen.cluster.layout import Layout
from lateen.cluster.lifecycle import processes
from lateen.cluster.lifecycle.components import components
from lateen.cluster.lifecycle.home import ClusterError, Home


@dataclass(frozen=True, slots=True)
class ComponentReport:
    """One process of a cluster; `uptime_seconds` and `memory_bytes` are None when it is not running."""

    name: str
    pid: int | None
    uptime_seconds: float | None
    memory_bytes: int | None
    restarts: int


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """One cluster as it is on this machine."""

    name: str
    running: bool
    nodes: int
    api_url: str
    pods_ipv4: str
    services_ipv4: str
    load_balancers_ipv4: str
    peers: tuple[str, ...]
    components: tuple[ComponentReport, ...]


def report(home: Home, name: str) -> ClusterReport:
    """Raises ClusterError when there is no such cluster."""
    spec = home.spec(name)
    layout = home.layout(name)
    found = tuple(_component(layout, n) for n in ("supervisor", *(c.name for c in components(layout, spec.nodes))))
    return ClusterReport(
        name=name,
        running=all(c.pid is not None for c in found),
        nodes=spec.nodes,
        api_url=layout.api_url,
        pods_ipv4=str(layout.pods_ipv4),
        services_ipv4=str(layout.services_ipv4),
        load_balancers_ipv4=str(layout.load_balancers_ipv4),
        peers=spec.peers,
        components=found,
    )


def _component(layout: Layout, name: str) -> ComponentReport:
    try:
        restarts = int((layout.run / f"{name}.restarts").read_text())
    except (OSError, ValueError):
        restarts = 0
    process = processes.read_record(layout.run / f"{name}.pid")
    if process is None or not process.alive:
        return ComponentReport(name, None, None, None, restarts)
    uptime = time.clock_gettime(time.CLOCK_BOOTTIME) - process.start_time / os.sysconf("SC_CLK_TCK")
    return ComponentReport(name, process.pid, round(uptime, 1), _resident_bytes(process.pid), restarts)


def _resident_bytes(pid: int) -> int | None:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def log_file(home: Home, name: str, component: str) -> Path:
    """Where a component logs. Raises ClusterError when there is no such cluster or component."""
    spec = home.spec(name)
    layout = home.layout(name)
    known = ["supervisor", *(c.name for c in components(layout, spec.nodes))]
    if component not in known:
        raise ClusterError(f"there is no component {component!r}; components of {name}: {', '.join(known)}")
    return layout.logs / f"{component}.log"
