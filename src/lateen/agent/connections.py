"""How many clients are connected to Envoy's listeners: pure."""

from __future__ import annotations

__all__ = ["open_connections"]

_OUR_OWN = ("listener.admin.", "_15020.", "_15021.", "_15090.")
"""Of the admin interface, and of the listeners for kubelet and Prometheus: they stay connected whatever happens."""


def open_connections(statistics: str) -> int:
    """`statistics` is what the admin interface says under /stats, filtered for `downstream_cx_active`."""
    total = 0
    for line in statistics.splitlines():
        name, colon, value = line.partition(": ")
        counted = name.startswith("listener.") and name.endswith(".downstream_cx_active") and ".worker_" not in name
        if colon and counted and value.isdigit() and not any(own in name for own in _OUR_OWN):
            total += int(value)
    return total
