"""The agent's own metrics, under the names of Istio's agent."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

from lateen.agent.server.process import samples
from lateen.agent.state import AgentState

_PREFIX: Final = "istio_agent_"


class AgentMetrics:
    """Counts, and writes them down with what `state` and the process show."""

    def __init__(self, state: AgentState, version: str) -> None:
        self._state = state
        self._version = version
        self._began = time.monotonic()
        self._startup: float | None = None
        self.scrapes = 0
        self.failures: Counter[str] = Counter(envoy=0, application=0)
        """Scrapes that did not succeed, by whose."""

    def became_ready(self) -> None:
        """The first time counts."""
        if self._startup is None:
            self._startup = time.monotonic() - self._began

    def text(self) -> bytes:
        """In Prometheus' text format; OpenMetrics reads it the same."""
        lines = []
        for name, kind, values in self._families():
            lines.append(f"# TYPE {name} {kind}")
            lines += [f"{name}{labels} {value:.15g}" for labels, value in values]
        return "\n".join([*lines, ""]).encode()

    def _families(self) -> Iterator[tuple[str, str, list[tuple[str, float]]]]:
        """Name, type, and by labels the values."""
        yield "istio_build", "gauge", [(f'{{component="proxy",tag="{self._version}"}}', 1)]
        if self._state.certificate_expires is not None:
            left = self._state.certificate_expires - time.time()
            yield f"{_PREFIX}cert_expiry_seconds", "gauge", [('{resource_name="default"}', left)]
        for name, kind, value in samples():
            yield f"{_PREFIX}{name}", kind, [("", value)]
        failures = [(f'{{type="{whose}"}}', float(count)) for whose, count in self.failures.items()]
        yield f"{_PREFIX}scrape_failures_total", "counter", failures
        yield f"{_PREFIX}scrapes_total", "counter", [("", self.scrapes)]
        if self._startup is not None:
            yield f"{_PREFIX}startup_duration_seconds", "gauge", [("", self._startup)]
