"""One measured figure: always a median, always with the floor measured in the same run."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """`ratio` is the median over the floor's median; figures without a floor (memory) have none."""

    name: str
    value: float
    unit: str
    floor_name: str = ""
    floor: float | None = None

    @property
    def ratio(self) -> float | None:
        return None if not self.floor else self.value / self.floor


def against(name: str, samples: Sequence[float], floor_name: str, floor: Sequence[float]) -> Result:
    """Durations in seconds, shown in milliseconds."""
    return Result(name, statistics.median(samples) * 1e3, "ms", floor_name, statistics.median(floor) * 1e3)


def counted(name: str, value: float, unit: str) -> Result:
    """A figure that is no duration and has no floor."""
    return Result(name, value, unit)


def table(results: Sequence[Result]) -> str:
    """A Markdown table."""
    lines = ["| what | median | floor | ratio |", "|---|---|---|---|"]
    for r in results:
        floor = f"{_number(r.floor)} {r.unit} ({r.floor_name})" if r.floor is not None else "-"
        ratio = f"{r.ratio:.2f}" if r.ratio is not None else "-"
        lines.append(f"| {r.name} | {_number(r.value)} {r.unit} | {floor} | {ratio} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
