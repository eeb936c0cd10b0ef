"""`exportTo`: the namespaces that may see a resource."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.schema.fault import Fault, error
from lateen.api.schema.hostnames import is_dns_label

PUBLIC = "*"
PRIVATE = "."
NONE = "~"


def export_faults(
    path: str, namespace: str, export_to: tuple[str, ...], *, none_allowed: bool = False
) -> Iterator[Fault]:
    """What is wrong with an exportTo of a resource in `namespace`; `~` is for ServiceEntries alone."""
    seen: dict[str, int] = {}
    for index, value in enumerate(export_to):
        if value == NONE:
            if not none_allowed:
                yield error(f"{path}[{index}]", "must not be ~: only services can be hidden from all namespaces")
            elif len(export_to) > 1:
                yield error(f"{path}[{index}]", "must stand alone: ~ is no namespace at all")
        elif value == PUBLIC:
            if len(export_to) > 1:
                yield error(f"{path}[{index}]", "must stand alone: * is all namespaces")
        elif value != PRIVATE and not is_dns_label(value):
            yield error(f"{path}[{index}]", f"must be a namespace, '.' or '*', not {value!r}")
        if seen.setdefault(namespace if value == PRIVATE else value, index) != index:
            yield error(f"{path}[{index}]", f"names {value!r} again")
