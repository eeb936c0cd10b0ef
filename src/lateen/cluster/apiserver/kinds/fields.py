"""Reading JSON objects whose shape the schema has checked, or has yet to: absent and null read as empty."""

from __future__ import annotations

from typing import Any

from lateen.cluster.objects import Obj
from lateen.cluster.quantity import canonical


def mapping(parent: Obj, name: str) -> Obj:
    """The object at `name`; an empty one, not attached to the parent, when there is none."""
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def objects(parent: Obj, name: str) -> list[Obj]:
    """The objects in the list at `name`."""
    value = parent.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def indexed(parent: Obj, name: str, path: str) -> list[tuple[str, Obj]]:
    """As `objects`, each with its path: `<path>.<name>[0]`."""
    value = parent.get(name)
    if not isinstance(value, list):
        return []
    return [(f"{path}.{name}[{i}]", item) for i, item in enumerate(value) if isinstance(item, dict)]


def strings(parent: Obj, name: str) -> list[str]:
    """The strings in the list at `name`."""
    value = parent.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def text(parent: Obj, name: str) -> str:
    """The string at `name`, or an empty one."""
    value = parent.get(name)
    return value if isinstance(value, str) else ""


def number(parent: Obj, name: str, absent: int = 0) -> int:
    """The integer at `name`, or `absent`."""
    value = parent.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else absent


def fill(parent: Obj, **values: Any) -> None:
    """Sets each value where the parent has none (or null). Mutable values must be fresh."""
    for name, value in values.items():
        if parent.get(name) is None:
            parent[name] = value


def section(parent: Obj, name: str) -> Obj:
    """The object at `name`, created when absent."""
    fill(parent, **{name: {}})
    value = parent[name]
    return value if isinstance(value, dict) else {}


def canonical_quantities(parent: Obj, *names: str) -> None:
    """Writes every quantity in the maps at `names` canonically (`1000m` becomes `1`)."""
    for name in names:
        quantities = mapping(parent, name)
        for resource, amount in quantities.items():
            quantities[resource] = canonical(amount)
