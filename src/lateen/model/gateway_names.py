"""How VirtualServices name gateways."""

from __future__ import annotations

MESH = "mesh"
"""All sidecars."""


def full_gateway_name(name: str, namespace: str) -> str:
    """`namespace/name` of a Gateway as a resource in `namespace` writes it; `mesh` stays.

    Names of old, `gateway.namespace.svc.cluster.local`, are understood.
    """
    if name == MESH or "/" in name:
        return name
    first, dot, rest = name.partition(".")
    return f"{rest.partition('.')[0]}/{first}" if dot else f"{namespace}/{name}"


def full_gateway_names(names: tuple[str, ...], namespace: str) -> tuple[str, ...]:
    """The same of several, in order; `mesh` when there are none."""
    return tuple(dict.fromkeys(full_gateway_name(name, namespace) for name in names)) or (MESH,)
