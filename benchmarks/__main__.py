"""`python -m benchmarks [NAME ...]`: runs the benchmarks and prints one table each.

With `--record` their sections of benchmarks/RESULTS.md are written anew.
"""

from __future__ import annotations

import argparse
import inspect
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import (
    cluster_api,
    cluster_pods,
    cold_start,
    engine_changes,
    full_push,
    growth,
    memory,
    mesh_changes,
    mesh_pods,
    mesh_propagation,
    mesh_requests,
)
from benchmarks.result import Result, table

RESULTS = Path(__file__).parent / "RESULTS.md"

BENCHMARKS: dict[str, Callable[[], Sequence[Result]]] = {
    "engine": engine_changes.measure,
    "cold-start": cold_start.measure,
    "mesh-changes": mesh_changes.measure,
    "full-push": full_push.measure,
    "memory": memory.measure,
    "growth": growth.measure,
    "mesh-requests": mesh_requests.measure,
    "mesh-propagation": mesh_propagation.measure,
    "mesh-pods": mesh_pods.measure,
    "cluster-api": cluster_api.measure,
    "cluster-pods": cluster_pods.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--record", action="store_true", help="write RESULTS.md")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    load = os.getloadavg()[0]
    recorded = _recorded()
    for name in arguments.names or BENCHMARKS:
        print(f"{name} ...", file=sys.stderr)
        text = f"{inspect.cleandoc(BENCHMARKS[name].__doc__ or '')}\n\n{table(BENCHMARKS[name]())}\n"
        recorded[name] = f"{text}\n{_circumstances(name, load)}\n"
        print(f"## {name}\n\n{text}")
    if arguments.record:
        sections = [f"## {name}\n\n{recorded[name]}" for name in BENCHMARKS if name in recorded]
        RESULTS.write_text("\n".join(["# Benchmark results\n", *sections]))


def _recorded() -> dict[str, str]:
    """The sections that are recorded: those of benchmarks that do not run now stay."""
    if not RESULTS.exists():
        return {}
    parts = RESULTS.read_text().split("\n## ")[1:]
    return {name: text.strip("\n") + "\n" for name, _, text in (part.partition("\n") for part in parts)}


def _circumstances(name: str, load: float) -> str:
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}, CPython {platform.python_version()}"
    return f"Made by `python -m benchmarks {name} --record` on {machine}; load average before: {load:.1f}."


if __name__ == "__main__":
    main()
