"""/metrics: what Istio's dashboards ask of a control plane, in Prometheus' text form, under Istio's names."""

from __future__ import annotations

import resource
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from aiohttp import web

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metric(NamedTuple):
    """One name with its values, by labels."""

    name: str
    help: str
    kind: str
    """`counter` or `gauge`."""
    values: Iterable[tuple[Mapping[str, str], float]]


def counter(name: str, help: str, value: float, **labels: str) -> Metric:
    return Metric(name, help, "counter", [(labels, value)])


def gauge(name: str, help: str, value: float, **labels: str) -> Metric:
    return Metric(name, help, "gauge", [(labels, value)])


def by_label(name: str, help: str, kind: str, label: str, values: Mapping[str, float]) -> Metric:
    """A value for each of a label's values."""
    return Metric(name, help, kind, [({label: each}, value) for each, value in sorted(values.items())])


def exposition(metrics: Iterable[Metric]) -> str:
    """All of them as text; those without values are left out."""
    lines = []
    for metric in metrics:
        values = list(metric.values)
        if values:
            lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
            lines += [f"{metric.name}{_labels(labels)} {value:.17g}" for labels, value in values]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def process_metrics(since: datetime) -> list[Metric]:
    """Of this process, as Prometheus' own libraries call them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    files = len(list(Path("/proc/self/fd").iterdir()))
    return [
        counter("process_cpu_seconds_total", "Processor time used, in seconds.", used.ru_utime + used.ru_stime),
        gauge("process_resident_memory_bytes", "Resident memory, in bytes.", resident),
        gauge("process_open_fds", "Open files.", files),
        gauge("process_start_time_seconds", "When the process began, in Unix seconds.", since.timestamp()),
    ]


def page(text: str) -> web.Response:
    return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})
