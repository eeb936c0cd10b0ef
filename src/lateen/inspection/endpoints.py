"""`proxy-config endpoint`: from /clusters?format=json, which knows what becomes of each endpoint."""

from __future__ import annotations

from typing import Any, NamedTuple

from lateen.inspection.dump import Dump, listed
from lateen.inspection.table import table

HEADER = ("ENDPOINT", "STATUS", "OUTLIER CHECK", "CLUSTER")
ASSIGNED_HEADER = ("NAME", "STATUS", "LOCALITY", "CLUSTER")
MESSAGE = "envoy.admin.v3.ClusterStatus"
ASSIGNMENT = "envoy.config.endpoint.v3.ClusterLoadAssignment"


class EndpointFilter(NamedTuple):
    """What is empty or 0 fits all; letters of any size."""

    address: str = ""
    port: int = 0
    cluster: str = ""
    status: str = ""

    def fits(self, address: str, port: int, cluster: str, status: str) -> bool:
        return (
            (not self.address or self.address.lower() == address.lower())
            and (not self.port or self.port == port)
            and (not self.cluster or self.cluster.lower() == cluster.lower())
            and (not self.status or self.status.lower() == status.lower())
        )


def parse_clusters(content: bytes) -> list[dict[str, Any]]:
    """Of /clusters?format=json: the status of each cluster. Raises BadDump."""
    found = listed(content, "cluster_statuses", "clusters?format=json")
    return [each for each in found if isinstance(each, dict)]


def clusters_with(statuses: list[dict[str, Any]], wanted: EndpointFilter) -> list[dict[str, Any]]:
    """Whole clusters, if an endpoint of theirs fits."""
    return [
        each
        for each in statuses
        if any(_fits(wanted, host, str(each.get("name", ""))) for host in each.get("host_statuses") or ())
    ]


def summary(statuses: list[dict[str, Any]], wanted: EndpointFilter) -> str:
    found = []
    for cluster in statuses:
        name = str(cluster.get("name", ""))
        for host in cluster.get("host_statuses") or ():
            if _fits(wanted, host, name):
                health = host.get("health_status") or {}
                outlier = "FAILED" if health.get("failed_outlier_check") else "OK"
                address, port = _place(host.get("address") or {})
                shown = f"{address}:{port}" if port else address
                found.append((address, port, name, (shown, _status(host), outlier, name)))
    return table(HEADER, [row for *_, row in sorted(found)])


def assigned_rows(dump: Dump, wanted: EndpointFilter) -> list[tuple[str, ...]]:
    """Of /config_dump?include_eds: what has been assigned."""
    found = []
    for assignment in dump.endpoints():
        cluster = str(assignment.get("cluster_name", ""))
        for group in assignment.get("endpoints") or ():
            where = _locality(group.get("locality") or {})
            for each in group.get("lb_endpoints") or ():
                address, port = _place((each.get("endpoint") or {}).get("address") or {})
                status = str(each.get("health_status") or "HEALTHY")
                if wanted.fits(address, port, cluster, status):
                    found.append((f"{address}:{port}" if port else address, status, where, cluster))
    return sorted(found, key=lambda row: (row[3], row[0]))


def _fits(wanted: EndpointFilter, host: dict[str, Any], cluster: str) -> bool:
    address, port = _place(host.get("address") or {})
    return wanted.fits(address, port, cluster, _status(host))


def _status(host: dict[str, Any]) -> str:
    return str((host.get("health_status") or {}).get("eds_health_status") or "UNKNOWN")


def _place(address: dict[str, Any]) -> tuple[str, int]:
    if "socket_address" in address:
        socket = address["socket_address"] or {}
        return str(socket.get("address", "")), int(socket.get("port_value", 0))
    if "pipe" in address:
        return f"unix://{(address['pipe'] or {}).get('path', '')}", 0
    internal = address.get("envoy_internal_address") or {}
    return f"envoy://{internal.get('server_listener_name', '')}/{internal.get('endpoint_id', '')}", 0


def _locality(locality: dict[str, Any]) -> str:
    parts = [str(locality.get(name, "")) for name in ("region", "zone", "sub_zone")]
    while parts and not parts[-1]:
        parts.pop()
    return "/".join(parts)
