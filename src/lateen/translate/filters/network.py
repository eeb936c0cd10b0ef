"""Network filters: what handles the bytes of a connection.

Authorization (RBAC) and WASM plugins of the network are to come before the filter that ends the chain: `add_terminal`
is where each chain gets its filters.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from envoy.extensions.filters.network.mongo_proxy.v3 import mongo_proxy_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2

from lateen.api.networking.destination_rule import TunnelSettings
from lateen.api.schema.duration import Duration
from lateen.model.names import BLACK_HOLE_CLUSTER
from lateen.model.protocol import Protocol
from lateen.translate.filters import http_connection_manager


class WeightedCluster(NamedTuple):
    cluster: str
    weight: int
    """Relative to the sum; of a lone cluster without meaning."""


class Forwarding(msgspec.Struct, frozen=True):
    """Where a byte stream goes, and for how long."""

    clusters: tuple[WeightedCluster, ...]
    """At least one."""
    stat_prefix: str
    idle_timeout: Duration | None = None
    max_duration: Duration | None = None
    hash_source_ip: bool = False
    """The same client goes to the same endpoint (consistent hashing by source IP)."""
    tunnel: TunnelSettings | None = None


def to_cluster(cluster: str) -> Forwarding:
    """Everything to one cluster, under its name in statistics."""
    return Forwarding((WeightedCluster(cluster, 1),), cluster)


BLACK_HOLE = to_cluster(BLACK_HOLE_CLUSTER)
"""Connections that are refused."""


def add_terminal(chain: Any, forwarding: Forwarding, protocol: Protocol = Protocol.TCP) -> None:
    """Appends to a `FilterChain` what forwards a byte stream.

    Redis and MySQL are forwarded as they are, as Istio does unless told otherwise; MySQL's own filter is not in the
    stock Envoy.
    """
    if protocol is Protocol.MONGO:
        mongo = mongo_proxy_pb2.MongoProxy(stat_prefix=forwarding.stat_prefix)
        chain.filters.add(name="envoy.filters.network.mongo_proxy").typed_config.Pack(mongo)
    chain.filters.add(name="envoy.filters.network.tcp_proxy").typed_config.Pack(_tcp_proxy(forwarding))


def add_manager(chain: Any, manager: Any) -> None:
    """Appends an HTTP connection manager to a `FilterChain`."""
    chain.filters.add(name=http_connection_manager.NAME).typed_config.Pack(manager)


def _tcp_proxy(forwarding: Forwarding) -> Any:
    proxy = tcp_proxy_pb2.TcpProxy(stat_prefix=forwarding.stat_prefix)
    if len(forwarding.clusters) == 1:
        proxy.cluster = forwarding.clusters[0].cluster
    else:
        for cluster, weight in forwarding.clusters:
            proxy.weighted_clusters.clusters.add(name=cluster, weight=weight)
    if forwarding.idle_timeout is not None:
        proxy.idle_timeout.FromNanoseconds(forwarding.idle_timeout.nanoseconds)
    if forwarding.max_duration is not None:
        proxy.max_downstream_connection_duration.FromNanoseconds(forwarding.max_duration.nanoseconds)
    if forwarding.hash_source_ip:
        proxy.hash_policy.add().source_ip.SetInParent()
    tunnel = forwarding.tunnel
    if tunnel is not None:
        proxy.tunneling_config.hostname = f"{_bracketed(tunnel.target_host)}:{tunnel.target_port}"
        proxy.tunneling_config.use_post = tunnel.protocol == "POST"
    return proxy


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
