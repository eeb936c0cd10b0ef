"""One thing changes in a mesh with 1,000 sidecars connected: what is computed, and who is told what."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.mesh import Size, endpoint_slice, namespace_of, virtual_service
from benchmarks.result import Result, against, counted
from benchmarks.served_mesh import Clients, Served, clients, names, node, sidecar

SIDECARS = 1000
CHANGES = 60
FEW = 20
NARROW = 10
"""Namespaces whose sidecars see nothing but their own namespace, by a Sidecar resource."""
ROUTED = 41
"""The service whose VirtualService changes."""
PLAIN = 9
"""Services, the last ones, without VirtualService and DestinationRule: the endpoints of the first of these change."""

Change = Callable[[Size, int], Mapping[str, Any]]


def measure() -> Sequence[Result]:
    """CPU time from a change to the last byte handed over, without the clients, which are another process.

    40 namespaces of 50 see everything, 10 see only themselves (by a Sidecar). The floor of the engine's work is the
    same change in a mesh of 100 services, told to nobody but 20 sidecars."""
    return asyncio.run(_measure())


async def _measure() -> list[Result]:
    results: list[Result] = []
    kinds = (("endpoint", endpoint_change), ("VirtualService", route_change))
    floors = {name: await small_changes(size_of(100), change) for name, change in kinds}
    for name, change in kinds:
        work = await small_changes(size_of(2000), change)
        results.append(against(f"{name}: engine, 2,000 services", work, "100 services", floors[name]))
    size = size_of(1000)
    served = Served(size, _sidecars(size))
    async with served.listening() as port, clients(port) as connected:
        await _connect(served, connected, SIDECARS)
        for name, change in kinds:
            work, computed = await _changes(served, change)
            results.append(
                against(f"{name}: engine, 1,000 services, 1,000 sidecars", work, "100 services", floors[name])
            )
            results.append(counted(f"{name}: computations", computed, "queries"))
            await connected.settle()
            served.change(change(size, 2 * CHANGES + 1))
            served.push.changed()
            told = await connected.settle()
            results.append(counted(f"{name}: sidecars told", told["clients"], f"of {SIDECARS:,}"))
            results.append(counted(f"{name}: resources to each", told["resources"] / told["clients"], ""))
            results.append(counted(f"{name}: bytes to each", told["bytes"] / told["clients"], "B"))
    return results


async def small_changes(size: Size, change: Change) -> list[float]:
    """CPU seconds of the engine's work for each change, with a few sidecars connected."""
    served = Served(size, _sidecars(size))
    async with served.listening() as port, clients(port) as connected:
        await _connect(served, connected, FEW)
        return (await _changes(served, change))[0]


def size_of(services: int) -> Size:
    return Size(services, virtual_services=services - PLAIN, destination_rules=services - PLAIN)


def _sidecars(size: Size) -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Sidecar",
            "metadata": {"name": "default", "namespace": f"ns-{number:02}"},
            "spec": {"egress": [{"hosts": ["./*"]}]},
        }
        for number in range(NARROW)
    ]


async def _connect(served: Served, connected: Clients, proxies: int) -> None:
    """By namespace, since what proxies ask for by name depends on it."""
    by_namespace: dict[str, list[int]] = {}
    for number in range(proxies):
        by_namespace.setdefault(namespace_of(served.size, number), []).append(number)
    for numbers in by_namespace.values():
        asked = names(served.engine, sidecar(served.size, numbers[0]))
        await connected.connect([node(served.size, number) for number in numbers], asked)
    await connected.settle()


def endpoint_change(size: Size, number: int) -> Mapping[str, Any]:
    return endpoint_slice(size, size.services - PLAIN, without=number % 2)


def route_change(size: Size, number: int) -> Mapping[str, Any]:
    return virtual_service(size, ROUTED, weight=10 + number % 80)


async def _changes(served: Served, change: Change) -> tuple[list[float], float]:
    """CPU seconds of the engine's work for each change, and computations a change."""
    work = []
    before = served.engine.statistics().total.computed
    for number in range(1, CHANGES + 1):
        started = time.process_time()
        served.change(change(served.size, number))
        for _ in served.inventory.refresh():
            pass
        work.append(time.process_time() - started)
        await served.push.push()
    return work, (served.engine.statistics().total.computed - before) / CHANGES
