"""Values with every default written out, as others that read them as text expect it."""

from __future__ import annotations

from copy import deepcopy
from enum import Enum
from typing import Any

import msgspec


def explicit(value: Any) -> Any:
    """JSON-like data of a message; absent messages are left out."""
    match value:
        case msgspec.Struct():
            items = ((field.encode_name, getattr(value, field.name)) for field in msgspec.structs.fields(type(value)))
            return {name: explicit(item) for name, item in items if item is not None}
        case Enum():
            return value.value
        case tuple() | list():
            return [explicit(item) for item in value]
        case dict():
            return {key: explicit(item) for key, item in value.items()}
    return deepcopy(value)
