"""Equality of JSON values as JSON means it: `true` is not 1, while 1 and 1.0 are one number."""

from __future__ import annotations

from typing import Any

import msgspec


def equal(a: Any, b: Any) -> bool:
    """Deep equality. Unlike Python's, booleans equal booleans only."""
    if a is b:
        return True
    if isinstance(a, dict):
        return (
            isinstance(b, dict)
            and len(a) == len(b)
            and all(key in b and equal(value, b[key]) for key, value in a.items())
        )
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def unique_key(value: Any) -> str:
    """Text that is the same for equal values only: JSON with sorted keys."""
    return msgspec.json.encode(_normal(value), order="sorted").decode()


def _normal(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _normal(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_normal(child) for child in value]
    return value
