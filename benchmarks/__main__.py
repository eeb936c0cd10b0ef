"""`python -m benchmarks [NAME ...]`: runs the benchmarks and prints one table each.

With `--record` the tables are also written to benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import inspect
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import cluster_api, cluster_pods, cold_start, engine_changes, full_push, growth, memory, mesh_changes
from benchmarks.result import Result, table

BENCHMARKS: dict[str, Callable[[], Sequence[Result]]] = {
    "engine": engine_changes.measure,
    "cold-start": cold_start.measure,
    "mesh-changes": mesh_changes.measure,
    "full-push": full_push.measure,
    "memory": memory.measure,
    "growth": growth.measure,
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
    sections = []
    for name in arguments.names or BENCHMARKS:
        print(f"{name} ...", file=sys.stderr)
        sections.append(
            f"## {name}\n\n{inspect.cleandoc(BENCHMARKS[name].__doc__ or '')}\n\n{table(BENCHMARKS[name]())}\n"
        )
        print(sections[-1])
    if arguments.record:
        machine = f"{os.cpu_count()} cores, Linux {platform.release()}, CPython {platform.python_version()}"
        command = " ".join(["python -m benchmarks", *arguments.names, "--record"])
        head = f"# Benchmark results\n\nMade by `{command}` on {machine}; load average before: {load:.1f}.\n"
        (Path(__file__).parent / "RESULTS.md").write_text("\n".join([head, *sections]))


if __name__ == "__main__":
    main()
