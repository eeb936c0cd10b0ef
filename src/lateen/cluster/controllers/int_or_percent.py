"""`IntOrString` values such as `maxSurge`: a number, or a percentage of another."""

from __future__ import annotations

from typing import Any


def resolve(value: Any, total: int, *, round_up: bool) -> int:
    """The number that `value` (`3` or `"25%"`) means of `total`. Anything unreadable counts as zero."""
    if isinstance(value, bool) or value is None:
        return 0
    if isinstance(value, int):
        return value
    text = str(value)
    try:
        if text.endswith("%"):
            product = int(text[:-1]) * total
            return -(-product // 100) if round_up else product // 100
        return int(text)
    except ValueError:
        return 0
