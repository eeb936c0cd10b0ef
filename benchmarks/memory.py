"""What a control plane keeps in memory, by what it keeps it for."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cold_start import observed
from benchmarks.mesh import Size
from benchmarks.result import Result, counted
from benchmarks.served_mesh import Served, clients, encoded, load, names, node, sidecar
from lateen.engine import Engine

PROXIES = 1000


def measure() -> Sequence[Result]:
    """Resident memory of processes of their own, by difference: 1,000 services more (with a VirtualService and a
    DestinationRule each), 10 endpoints more for each of 1,000 services, 1,000 connected sidecars more that share a
    scope. Services and endpoints include everything that one sidecar holds of them, as bytes."""
    base = _resident("mesh", 1000, 10)
    return [
        counted(
            "a service, with VirtualService and DestinationRule",
            (_resident("mesh", 2000, 0) - _resident("mesh", 1000, 0)) / 1000 / 1024,
            "KiB",
        ),
        counted("an endpoint", (_resident("mesh", 1000, 20) - base) / 10_000 / 1024, "KiB"),
        counted("a connected proxy", _resident("proxies", 1000, 2) / PROXIES / 1024, "KiB"),
        counted("1,000 services x 10 endpoints, altogether", base / 1024**2, "MiB"),
    ]


def mesh_memory(services: int, endpoints: int) -> int:
    """Bytes that a process has with the mesh in it, and all that one sidecar holds made."""
    return _resident("mesh", services, endpoints)


def _resident(what: str, services: int, endpoints: int) -> int:
    command = [sys.executable, "-m", "benchmarks.memory", what, str(services), str(endpoints)]
    return int(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _now() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _mesh(size: Size) -> int:
    engine = Engine()
    # One by one: the text of all objects together would count as well.
    load(engine, _texts(size))
    kept = list(observed(engine, sidecar(size, 0)))
    resident = _now()
    del kept
    return resident


def _texts(size: Size) -> Sequence[bytes]:
    return encoded(size)


async def _proxies(size: Size) -> int:
    """Bytes that `PROXIES` more connections add to a server that has served one."""
    served = Served(size)
    async with served.listening() as port, clients(port) as connected:
        asked = names(served.engine, sidecar(size, 0))
        await connected.connect([node(size, 0)], asked)
        before = _now()
        # All of one workload: they agree on everything.
        await connected.connect([node(size, size.services * number) for number in range(1, PROXIES + 1)], asked)
        await connected.settle()
        return _now() - before


if __name__ == "__main__":
    _, what, services, endpoints = sys.argv
    size = Size(int(services), endpoints=int(endpoints))
    print(json.dumps(_mesh(size) if what == "mesh" else asyncio.run(_proxies(size))))
