"""The same at 100, 1,000 and 5,000 services: what should grow with the mesh, and what should not."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cold_start import cold_start
from benchmarks.memory import mesh_memory
from benchmarks.mesh import Size
from benchmarks.mesh_changes import endpoint_change, route_change, size_of, small_changes
from benchmarks.plot import chart
from benchmarks.result import Result, counted

SERVICES = (100, 1000, 5000)
PLOTS = Path(__file__).parent / "plots"
LABEL = "services (10 endpoints, a VirtualService and a DestinationRule each)"


def measure() -> Sequence[Result]:
    """Growth from the smallest mesh to the largest, which has 50 times as many services: 50 is in proportion, 1 is
    independent of size. Pictures: `plots/`."""
    cold, memory, floor = [], [], []
    changes: dict[str, list[tuple[float, float]]] = {"one endpoint": [], "one VirtualService": []}
    for services in SERVICES:
        size = Size(services)
        samples, floors, _ = cold_start(size, rounds=3)
        cold.append((services, statistics.median(samples)))
        floor.append((services, statistics.median(floors)))
        memory.append((services, mesh_memory(services, 10) / 1024**2))
        for name, change in (("one endpoint", endpoint_change), ("one VirtualService", route_change)):
            work = asyncio.run(small_changes(size_of(services), change))
            changes[name].append((services, statistics.median(work) * 1e3))
    chart(
        PLOTS / "cold_start.svg", "Cold start", LABEL, "CPU seconds",
        {"Lateen": cold, "decoding and encoding alone": floor},
    )  # fmt: skip
    chart(PLOTS / "memory.svg", "Memory of the process", LABEL, "MiB", {"resident": memory})
    chart(PLOTS / "changes.svg", "Work of the engine for one change", LABEL, "CPU ms", changes)
    grown = {"cold start": cold, "memory": memory, **changes}
    return [counted(f"growth: {name}", points[-1][1] / points[0][1], "x") for name, points in grown.items()]
