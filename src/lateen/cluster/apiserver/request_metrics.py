"""Counts and durations of requests, in the text format of `/metrics`."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from lateen.cluster.apiserver.request import RequestInfo

_BOUNDS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60)
_MAX_SERIES = 5_000
"""Label sets kept at most; resources and verbs are bounded by what is served, so this is never met in practice."""

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Histogram:
    buckets: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        self.buckets[bisect_left(_BOUNDS, seconds)] += 1
        self.total += seconds


class RequestMetrics:
    """Names are those of kube-apiserver."""

    def __init__(self) -> None:
        self._requests: dict[Labels, int] = {}
        self._durations: dict[Labels, _Histogram] = {}

    def observe(self, info: RequestInfo, code: int, seconds: float, *, long_running: bool) -> None:
        resource = (
            ("verb", info.verb.upper()),
            ("group", info.group),
            ("version", info.version),
            ("resource", info.plural),
            ("subresource", info.subresource),
        )
        counted = (*resource, ("code", str(code)))
        if counted in self._requests or len(self._requests) < _MAX_SERIES:
            self._requests[counted] = self._requests.get(counted, 0) + 1
        if not long_running and (resource in self._durations or len(self._durations) < _MAX_SERIES):
            self._durations.setdefault(resource, _Histogram()).observe(seconds)

    def render(self, objects: dict[str, int]) -> str:
        """The text of `/metrics`; `objects` are counts of stored objects by resource."""
        lines = ["# TYPE apiserver_request_total counter"]
        lines += [f"apiserver_request_total{_shown(labels)} {count}" for labels, count in self._requests.items()]
        name = "apiserver_request_duration_seconds"
        lines.append(f"# TYPE {name} histogram")
        for labels, histogram in self._durations.items():
            below = 0
            for bound, count in zip((*map(str, _BOUNDS), "+Inf"), histogram.buckets, strict=True):
                below += count
                lines.append(f"{name}_bucket{_shown((*labels, ('le', bound)))} {below}")
            lines.append(f"{name}_sum{_shown(labels)} {histogram.total:.6f}")
            lines.append(f"{name}_count{_shown(labels)} {below}")
        lines.append("# TYPE apiserver_storage_objects gauge")
        lines += [f'apiserver_storage_objects{{resource="{name}"}} {count}' for name, count in objects.items()]
        return "\n".join([*lines, ""])


def _shown(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
