"""How long a service of the shop waits for another."""

from __future__ import annotations

import math
from collections.abc import Mapping

_NAME = "UPSTREAM_SECONDS"


def patience(environment: Mapping[str, str], usual: float) -> float:
    """Seconds: the variable UPSTREAM_SECONDS of the environment, for machines on which everything takes its time, or
    what is usual. Raises ValueError."""
    text = environment.get(_NAME) or str(usual)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"{_NAME} is {text!r}; expected a number of seconds")
    return seconds
