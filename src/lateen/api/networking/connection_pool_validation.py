"""What connection pool settings must keep to, wherever they are."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.networking.destination_rule import ConnectionPoolSettings, H2UpgradePolicy, HTTPSettings, TCPSettings
from lateen.api.networking.duration_faults import duration_faults
from lateen.api.schema.fault import Fault, error

_MOST_STREAMS = 2**31 - 1
_COUNTS = ("http1_max_pending_requests", "http2_max_requests", "max_requests_per_connection", "max_retries")
_NAMES = {
    "http1_max_pending_requests": "http1MaxPendingRequests",
    "http2_max_requests": "http2MaxRequests",
    "max_requests_per_connection": "maxRequestsPerConnection",
    "max_retries": "maxRetries",
}


def connection_pool_faults(path: str, pool: ConnectionPoolSettings | None) -> Iterator[Fault]:
    """What is wrong with connection pool settings."""
    if pool is None:
        return
    if pool.http is None and pool.tcp is None:
        yield error(path, "must have http or tcp settings")
    if pool.http is not None:
        yield from _http(f"{path}.http", pool.http)
    if pool.tcp is not None:
        yield from _tcp(f"{path}.tcp", pool.tcp)


def _http(path: str, http: HTTPSettings) -> Iterator[Fault]:
    for field in _COUNTS:
        if getattr(http, field) < 0:
            yield error(f"{path}.{_NAMES[field]}", f"must not be negative: {getattr(http, field)}")
    if not 0 <= http.max_concurrent_streams <= _MOST_STREAMS:
        yield error(f"{path}.maxConcurrentStreams", f"must not be negative: {http.max_concurrent_streams}")
    if http.idle_timeout is not None:
        yield from duration_faults(f"{path}.idleTimeout", http.idle_timeout)
    if http.use_client_protocol and http.h2_upgrade_policy is H2UpgradePolicy.UPGRADE:
        yield error(f"{path}.useClientProtocol", "excludes h2UpgradePolicy UPGRADE: the client's protocol is kept")


def _tcp(path: str, tcp: TCPSettings) -> Iterator[Fault]:
    if tcp.max_connections < 0:
        yield error(f"{path}.maxConnections", f"must not be negative: {tcp.max_connections}")
    if tcp.connect_timeout is not None:
        yield from duration_faults(f"{path}.connectTimeout", tcp.connect_timeout)
    if tcp.max_connection_duration is not None:
        yield from duration_faults(f"{path}.maxConnectionDuration", tcp.max_connection_duration)
    if tcp.idle_timeout is not None:
        yield from duration_faults(f"{path}.idleTimeout", tcp.idle_timeout, may_be_zero=True)
    if tcp.tcp_keepalive is not None:
        yield from duration_faults(f"{path}.tcpKeepalive.time", tcp.tcp_keepalive.time)
        yield from duration_faults(f"{path}.tcpKeepalive.interval", tcp.tcp_keepalive.interval)
