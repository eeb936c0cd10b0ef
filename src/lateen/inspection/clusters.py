"""`proxy-config cluster`."""

from __future__ import annotations

from typing import Any, NamedTuple

from lateen.inspection.cluster_name import order, parse_cluster_name
from lateen.inspection.dump import Dump
from lateen.inspection.origin import origin
from lateen.inspection.table import table

MESSAGE = "envoy.config.cluster.v3.Cluster"
HEADER = ("SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE")


class ClusterFilter(NamedTuple):
    """What is empty or 0 fits all."""

    fqdn: str = ""
    port: int = 0
    subset: str = ""
    direction: str = ""

    def fits(self, name: str) -> bool:
        """Parts of names are looked for anywhere in them, as istioctl does."""
        return (
            self.fqdn in name
            and self.direction in name
            and self.subset in name
            and (not self.port or f"|{self.port}|" in name)
        )


def clusters(dump: Dump, wanted: ClusterFilter) -> list[dict[str, Any]]:
    """By host, subset, port, direction."""
    found = [each for each in dump.clusters() if wanted.fits(str(each.get("name", "")))]
    return sorted(found, key=lambda each: order(str(each["name"])))


def rows(found: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [_row(each) for each in found]


def summary(found: list[dict[str, Any]]) -> str:
    return table(HEADER, rows(found))


def _row(cluster: dict[str, Any]) -> tuple[str, ...]:
    name = parse_cluster_name(str(cluster["name"]))
    kind = str(cluster.get("type") or (cluster.get("cluster_type") or {}).get("name") or "STATIC")
    if not name.direction:
        return name.host, "-", "-", "-", kind, origin(cluster)
    return name.host, str(name.port), name.subset or "-", name.direction, kind, origin(cluster)
