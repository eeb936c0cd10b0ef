"""Network filters: what handles the bytes of a connection.

Authorization (RBAC) comes before the filter that ends the chain, and so are WASM plugins of the network to:
`add_terminal` is where each chain gets its filters.
"""

from __future__ import annotations

from typing import Any

import msgspec
from envoy.extensions.filters.network.mongo_proxy.v3 import mongo_proxy_pb2
from envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3 import sni_dynamic_forward_proxy_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2

from lateen.api.networking.destination_rule import TunnelSettings
from lateen.api.schema.duration import Duration
from lateen.engine import Reader
from lateen.model.protocol import Protocol
from lateen.model.service import Resolution
from lateen.model.services import service
from lateen.model.streams import Target
from lateen.model.traffic_policy import effective_policy
from lateen.translate.clusters.dns import AddressFamilies, dns_cache
from lateen.translate.clusters.mesh_defaults import mesh_defaults
from lateen.translate.clusters.stat_names import stat_name
from lateen.translate.filters import http_connection_manager
from lateen.translate.filters.rbac import Filters
from lateen.translate.telemetry.loggers import StreamLogs, add_stream_logs, client_stream_logs


class Forwarding(msgspec.Struct, frozen=True):
    """Where a byte stream goes, and for how long."""

    target: Target
    idle_timeout: Duration | None = None
    max_duration: Duration | None = None
    hash_source_ip: bool = False
    """The same client goes to the same endpoint (consistent hashing by source IP)."""
    tunnel: TunnelSettings | None = None
    logs: StreamLogs = StreamLogs()
    resolution: bytes = b""
    """How the host that the client's TLS names is resolved, serialised; empty where endpoints are known."""
    after_handshake: bool = False
    """The server is connected to once the client has shown its certificate: what is told then, tells of the client."""


def forwarding(db: Reader, target: Target, families: AddressFamilies) -> Forwarding:
    """A target with what its DestinationRules say about connections to it, of a client of these address families."""
    target = _named(db, target)
    logs = client_stream_logs(db)
    resolution = _resolution(db, target, families)
    if not target.rules:
        return Forwarding(target, logs=logs, resolution=resolution)
    policy = effective_policy(db, target.rules, target.port, target.subset)
    tcp = policy.connection_pool.tcp if policy.connection_pool is not None else None
    balancer = policy.load_balancer
    consistent = balancer.consistent_hash if balancer is not None else None
    return Forwarding(
        target,
        tcp.idle_timeout if tcp is not None else None,
        tcp.max_connection_duration if tcp is not None else None,
        consistent is not None and consistent.use_source_ip,
        policy.tunnel,
        logs,
        resolution,
    )


def is_resolved_by_server_name(db: Reader, target: Target) -> bool:
    """Whether it is the client's TLS that names the host (a ServiceEntry with resolution DYNAMIC_DNS)."""
    found = service(db, target.service) if target.service is not None else None
    return found is not None and found.resolution is Resolution.DYNAMIC_DNS


def _resolution(db: Reader, target: Target, families: AddressFamilies) -> bytes:
    """The configuration of what waits for the host's addresses: the cluster has those that are resolved alone."""
    found = service(db, target.service) if target.service is not None else None
    port = found.port(target.port) if found is not None else None
    if found is None or port is None or found.resolution is not Resolution.DYNAMIC_DNS:
        return b""
    config = sni_dynamic_forward_proxy_pb2.FilterConfig(port_value=port.target_port or port.port)
    config.dns_cache_config.CopyFrom(dns_cache(db, families))
    return bytes(config.SerializeToString(deterministic=True))


def _named(db: Reader, target: Target) -> Target:
    """A target as MeshConfig.outboundClusterStatName has it in statistics."""
    pattern = mesh_defaults(db).outbound_stat_name
    found = service(db, target.service) if pattern and target.service is not None else None
    port = found.port(target.port) if found is not None else None
    if found is None or port is None:
        return target
    prefix = stat_name(pattern, target.stat_prefix, found, port, subset=target.subset)
    return msgspec.structs.replace(target, stat_prefix=prefix)


def add_terminal(chain: Any, to: Forwarding, protocol: Protocol = Protocol.TCP, authorization: Filters = ()) -> None:
    """Appends to a `FilterChain` what forwards a byte stream, behind what decides on it.

    Redis and MySQL are forwarded as they are, as Istio does unless told otherwise; MySQL's own filter is not in the
    stock Envoy.
    """
    for each in authorization:
        each.add_to(chain.filters)
    if to.resolution:
        resolving = chain.filters.add(name="envoy.filters.network.sni_dynamic_forward_proxy").typed_config
        resolving.Pack(sni_dynamic_forward_proxy_pb2.FilterConfig.FromString(to.resolution), deterministic=True)
    if protocol is Protocol.MONGO:
        mongo = mongo_proxy_pb2.MongoProxy(stat_prefix=to.target.stat_prefix)
        chain.filters.add(name="envoy.filters.network.mongo_proxy").typed_config.Pack(mongo)
    chain.filters.add(name="envoy.filters.network.tcp_proxy").typed_config.Pack(_tcp_proxy(to))


def add_manager(chain: Any, manager: Any) -> None:
    """Appends an HTTP connection manager to a `FilterChain`."""
    chain.filters.add(name=http_connection_manager.NAME).typed_config.Pack(manager)


def _tcp_proxy(to: Forwarding) -> Any:
    proxy = tcp_proxy_pb2.TcpProxy(stat_prefix=to.target.stat_prefix)
    clusters = to.target.clusters
    if len(clusters) == 1:
        proxy.cluster = clusters[0].cluster
    else:
        for cluster, weight in clusters:
            proxy.weighted_clusters.clusters.add(name=cluster, weight=weight)
    if to.idle_timeout is not None:
        proxy.idle_timeout.FromNanoseconds(to.idle_timeout.nanoseconds)
    if to.max_duration is not None:
        proxy.max_downstream_connection_duration.FromNanoseconds(to.max_duration.nanoseconds)
    if to.hash_source_ip:
        proxy.hash_policy.add().source_ip.SetInParent()
    if to.after_handshake:
        proxy.upstream_connect_mode = tcp_proxy_pb2.ON_DOWNSTREAM_TLS_HANDSHAKE
        proxy.max_early_data_bytes.value = 0
    add_stream_logs(proxy, to.logs)
    tunnel = to.tunnel
    if tunnel is not None:
        proxy.tunneling_config.hostname = f"{_bracketed(tunnel.target_host)}:{tunnel.target_port}"
        proxy.tunneling_config.use_post = tunnel.protocol == "POST"
    return proxy


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
