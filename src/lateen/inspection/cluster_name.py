"""Names of clusters, `outbound|80|v1|reviews.default.svc.cluster.local`, which people filter by."""

from __future__ import annotations

from typing import NamedTuple


class ClusterName(NamedTuple):
    direction: str
    subset: str
    host: str
    port: int


def parse_cluster_name(text: str) -> ClusterName:
    """A name of another form is all host."""
    parts = text.split("|")
    if len(parts) == 4 and parts[1].isdecimal():
        return ClusterName(parts[0], parts[2], parts[3], int(parts[1]))
    return ClusterName("", "", text, 0)


def order(text: str) -> tuple[str, str, int, str]:
    """By host, subset, port, direction."""
    found = parse_cluster_name(text)
    return found.host, found.subset, found.port, found.direction
