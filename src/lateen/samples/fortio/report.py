"""What a load run says at its end, line by line as fortio does."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from lateen.samples.load import Outcome
from lateen.samples.traffic import percentile

_TARGETS = (50, 75, 90, 99, 99.9)


def beginning(url: str, connections: int, per_second: float, count: int | None, seconds: float) -> list[str]:
    """The two lines before a run."""
    pace = f"{per_second:g}" if per_second else "0"
    until = f"{count} calls" if count is not None else f"{seconds:g}s"
    speed = f"qps {per_second:g}" if per_second else "max qps"
    how_long = f"exactly {count} calls" if count is not None else f"{seconds:g}s"
    return [
        f"Running at {pace} queries per second, for {until}: {url}",
        f"Starting at {speed} with {connections} thread(s) for {how_long}",
    ]


def _spread(values: Sequence[float]) -> str:
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    return (
        f"count {len(values)} avg {mean:.8g} +/- {deviation:.4g} "
        f"min {min(values):.8g} max {max(values):.8g} sum {sum(values):.8g}"
    )


def ending(outcomes: Sequence[Outcome], took: float) -> list[str]:
    """The lines after a run that took `took` seconds."""
    if not outcomes:
        return ["Ended: no calls"]
    times = [outcome.seconds for outcome in outcomes]
    rate = len(outcomes) / took
    lines = [
        f"Ended after {took * 1000:.6f}ms : {len(outcomes)} calls. qps={rate:.5g}",
        f"Aggregated Function Time : {_spread(times)}",
    ]
    lines += [f"# target {target:g}% {percentile(times, target / 100):.6g}" for target in _TARGETS]
    codes = Counter(outcome.status for outcome in outcomes)
    lines += [
        f"Code {code:3d} : {count} ({100 * count / len(outcomes):.1f} %)" for code, count in sorted(codes.items())
    ]
    lines.append(f"Response Body Sizes : {_spread([float(outcome.size) for outcome in outcomes])}")
    mean = 1000 * sum(times) / len(times)
    lines.append(f"All done {len(outcomes)} calls (plus 0 warmup) {mean:.3f} ms avg, {rate:.1f} qps")
    return lines
