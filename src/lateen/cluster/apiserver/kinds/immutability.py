"""Fields that never change once set."""

from __future__ import annotations

from lateen.cluster.objects import Obj
from lateen.cluster.status import Cause, invalid_value

IMMUTABLE = "field is immutable"


def unchanged(obj: Obj, old: Obj, *fields: str, path: str = "") -> list[Cause]:
    """A fault for each of `fields` that differs between two versions of an object (or a section of it)."""
    return [
        invalid_value(f"{path}.{field}" if path else field, obj.get(field), IMMUTABLE)
        for field in fields
        if obj.get(field) != old.get(field)
    ]
