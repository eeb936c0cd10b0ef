"""Connected proxies: who they are, what they watch, and whether they have what they should."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from lateen.translate.resource import ResourceType
from lateen.xds.connection import Connection

_SYNCED = {
    ResourceType.CDS: "cluster",
    ResourceType.LDS: "listener",
    ResourceType.RDS: "route",
    ResourceType.EDS: "endpoint",
    ResourceType.ECDS: "extensionconfig",
}
"""What Istio's SyncStatus calls each type."""


def syncz(connections: Iterable[Connection]) -> list[dict[str, Any]]:
    """/debug/syncz: the nonces sent and acknowledged last, by type; equal ones mean that a proxy is in sync."""
    found = []
    for connection in connections:
        proxy = connection.session.proxy
        status: dict[str, Any] = {
            "cluster_id": proxy.cluster_id,
            "proxy": proxy.id,
            "proxy_type": proxy.role.value,
            "istio_version": connection.version,
        }
        for conversation in connection.session.conversations():
            name = _SYNCED.get(conversation.type)
            if name is not None:
                status[f"{name}_sent"] = conversation.last
                status[f"{name}_acked"] = conversation.acknowledged
        found.append({name: value for name, value in status.items() if value})
    return found


def adsz(connections: Iterable[Connection]) -> dict[str, Any]:
    """/debug/adsz: who is connected, and what each watches by name."""
    clients = [
        {
            **_client(connection),
            "labels": dict(connection.session.proxy.labels),
            "metadata": _metadata(connection),
            "watches": {
                conversation.type.value: sorted(conversation.subscription.names)
                for conversation in connection.session.conversations()
                if conversation.subscription is not None
            },
        }
        for connection in connections
    ]
    clients.sort(key=lambda client: str(client["connectionId"]))
    return {"totalClients": len(clients), "clients": clients}


def connections_page(connections: Iterable[Connection]) -> dict[str, Any]:
    """/debug/connections: who is connected."""
    clients = [_client(connection) for connection in connections]
    return {"totalClients": len(clients), "clients": clients}


def find(connections: Iterable[Connection], proxy_id: str) -> Connection | None:
    """By `name.namespace` or by connection id; where a proxy is connected twice the newest of those that have proven to
    be it, if any has."""
    found = (each for each in connections if proxy_id in (each.session.proxy.id, each.id))
    return max(found, key=lambda each: (each.proven, each.number), default=None)


def _client(connection: Connection) -> dict[str, Any]:
    return {
        "connectionId": connection.id,
        "connectedAt": datetime.fromtimestamp(connection.since, UTC).isoformat().replace("+00:00", "Z"),
        "address": connection.peer,
    }


def _metadata(connection: Connection) -> dict[str, Any]:
    """What of the node's metadata is used here, under Istio's names."""
    proxy = connection.session.proxy
    found = {
        "NAMESPACE": proxy.namespace,
        "LABELS": dict(proxy.labels),
        "SERVICE_ACCOUNT": proxy.service_account,
        "CLUSTER_ID": proxy.cluster_id,
        "NETWORK": proxy.network,
        "NODE_NAME": proxy.node,
        "INSTANCE_IPS": ",".join(proxy.addresses),
        "GENERATOR": proxy.generator.value,
        "INTERCEPTION_MODE": proxy.traits.interception.value,
        "ISTIO_VERSION": connection.version,
    }
    return {name: value for name, value in found.items() if value}
