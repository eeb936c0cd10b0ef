"""The rules of resource requests and limits.

Source: k8s.io/kubernetes `pkg/apis/core/validation/validation.go`.
"""

from __future__ import annotations

from typing import Any

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.kinds.fields import mapping
from lateen.cluster.objects import Obj
from lateen.cluster.quantity import Quantity, parse
from lateen.cluster.status import Cause, invalid_value, required

_STANDARD = ("cpu", "memory", "ephemeral-storage")


def read_quantity(value: Any, path: str, found: list[Cause]) -> Quantity | None:
    """Parses a quantity, or notes in `found` what is wrong with it; negative ones are wrong too."""
    try:
        quantity = parse(value)
    except ValueError as error:
        found.append(invalid_value(path, value, str(error)))
        return None
    if quantity.nano < 0:
        found.append(invalid_value(path, str(value), "must be greater than or equal to 0"))
    return quantity


def validate_resource_list(resources: Obj, path: str) -> tuple[dict[str, Quantity], list[Cause]]:
    """The quantities that can be read, and what is wrong with names and values."""
    found: list[Cause] = []
    read = {}
    for name, value in resources.items():
        at = f"{path}[{name}]"
        found += [invalid_value(path, name, e) for e in names.qualified_name(name)]
        quantity = read_quantity(value, at, found)
        if quantity is not None:
            read[name] = quantity
            if "/" in name and not quantity.is_whole:
                found.append(invalid_value(at, str(value), "must be an integer"))
    return read, found


def validate_resources(resources: Obj, path: str) -> list[Cause]:
    """Requests are at most limits, and equal to them for extended resources and huge pages."""
    limits, found = validate_resource_list(mapping(resources, "limits"), f"{path}.limits")
    requests, more = validate_resource_list(mapping(resources, "requests"), f"{path}.requests")
    found += more
    for owner, names_given in (("limits", limits), ("requests", requests)):
        for name in names_given:
            if "/" not in name and name not in _STANDARD and not name.startswith("hugepages-"):
                detail = "must be a standard resource for containers"
                found.append(invalid_value(f"{path}.{owner}[{name}]", name, detail))
    for name, request in requests.items():
        at, limit = f"{path}.requests", limits.get(name)
        overcommits = name in _STANDARD
        if limit is None:
            if not overcommits:
                found.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        elif not overcommits and request != limit:
            found.append(invalid_value(at, str(request), f"must be equal to {name} limit of {limit}"))
        elif request > limit:
            found.append(invalid_value(at, str(request), f"must be less than or equal to {name} limit of {limit}"))
    return found
