"""Fields that are a count or a percentage (`25%`): what they may be."""

from __future__ import annotations

from typing import Any

from lateen.cluster.int_or_percent import percent
from lateen.cluster.status import Cause, invalid_value

_PERCENT_ERROR = (
    "a valid percent string must be a numeric string followed by an ending '%' "
    "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
)


def validate_int_or_percent(value: Any, path: str, *, at_most_all: bool = False) -> list[Cause]:
    """Not negative; with `at_most_all` a percentage is at most 100%."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return [invalid_value(path, value, "must be an integer or percentage (e.g '5%%')")]
    if isinstance(value, int):
        return [] if value >= 0 else [invalid_value(path, value, "must be greater than or equal to 0")]
    share = percent(value)
    if share is None:
        return [invalid_value(path, value, _PERCENT_ERROR)]
    if at_most_all and share > 100:
        return [invalid_value(path, value, "must not be greater than 100%")]
    return []


def validate_not_negative(parent: dict[str, Any], path: str, *fields: str) -> list[Cause]:
    """A fault for each of the integer `fields` that is below zero."""
    return [
        invalid_value(f"{path}.{field}", parent[field], "must be greater than or equal to 0")
        for field in fields
        if isinstance(parent.get(field), int) and parent[field] < 0
    ]
