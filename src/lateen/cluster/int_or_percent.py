"""`IntOrString` values such as `maxSurge`: a number, or a percentage of another.

Source: k8s.io/apimachinery `util/intstr`.
"""

from __future__ import annotations

import re
from typing import Any

_PERCENT = re.compile(r"([0-9]+)%", re.ASCII)
_MAX_LENGTH = 12


def percent(value: Any) -> int | None:
    """The number before `%`; None for anything that is no percentage."""
    m = _PERCENT.fullmatch(value) if isinstance(value, str) and len(value) <= _MAX_LENGTH else None
    return int(m[1]) if m else None


def is_zero(value: Any) -> bool:
    return value == 0 or percent(value) == 0


def resolve(value: Any, total: int, *, round_up: bool) -> int:
    """The number that `value` (`3` or `"25%"`) means of `total`. Anything unreadable counts as zero."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    share = percent(value)
    if share is None:
        return 0
    return -(-share * total // 100) if round_up else share * total // 100
