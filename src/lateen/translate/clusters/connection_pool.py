"""Connection pools: circuit breakers, timeouts, keepalive, and which HTTP goes upstream."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any, Final, NamedTuple

from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2

from lateen.api.networking.destination_rule import (
    ClientTLSSettings,
    ConnectionPoolSettings,
    H2UpgradePolicy,
    HTTPSettings,
    RetryBudget,
    TcpKeepalive,
    TCPSettings,
    TLSmode,
)
from lateen.api.schema.duration import Duration
from lateen.model.protocol import Protocol
from lateen.translate.clusters.mesh_defaults import MeshDefaults
from lateen.translate.tls.upstream import verifies_authority

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
NO_LIMIT = 2**32 - 1
"""Envoy's own limits (1,024 connections, 3 retries) are too low for a mesh: unless told otherwise there is none."""

_BUDGET_PERCENT = 20.0
_BUDGET_CONCURRENCY = 3
_SECOND = 10**9
_ORIGINATED = frozenset({TLSmode.SIMPLE, TLSmode.MUTUAL})


class HttpVersion(Enum):
    """What a cluster speaks when HTTP is sent to it."""

    __hash__ = object.__hash__  # Enum's own is Python code, and this is a part of many queries' arguments.

    HTTP1 = "HTTP1"
    HTTP2 = "HTTP2"
    AS_CLIENT = "AS_CLIENT"
    """What the client of the proxy speaks."""


class AuthorityChecks(NamedTuple):
    """What TLS that a rule originates takes from the host that a request names."""

    server_name: bool = False
    """The server name (SNI) is that host."""
    certificate: bool = False
    """The server's certificate is to be for that host."""


NO_CHECKS: Final = AuthorityChecks()


def authority_checks(tls: ClientTLSSettings | None) -> AuthorityChecks:
    """What is left to the requests by TLS that a rule declares; nothing where it originates none."""
    if tls is None or tls.mode not in _ORIGINATED:
        return NO_CHECKS
    return AuthorityChecks(not tls.sni, verifies_authority(tls))


def http_version(
    protocol: Protocol, pool: ConnectionPoolSettings | None, *, mesh_upgrades: bool, is_gateway: bool
) -> HttpVersion:
    """The HTTP that goes to a port of this protocol."""
    http = pool.http if pool is not None else None
    if http is not None and http.use_client_protocol:
        return HttpVersion.AS_CLIENT
    upgrade = http.h2_upgrade_policy if http is not None else H2UpgradePolicy.DEFAULT
    if protocol.is_http2 or upgrade is H2UpgradePolicy.UPGRADE:
        return HttpVersion.HTTP2
    if upgrade is H2UpgradePolicy.DEFAULT and mesh_upgrades and protocol.is_http:
        return HttpVersion.HTTP2
    # A gateway does not look into undeclared ports, and its clients' HTTP/2 says nothing of the service's.
    if protocol.is_sniffed and not is_gateway:
        return HttpVersion.AS_CLIENT
    return HttpVersion.HTTP1


def apply_connection_pool(
    cluster: Any, pool: ConnectionPoolSettings | None, mesh: MeshDefaults, budget: RetryBudget | None = None
) -> None:
    """Sets timeouts, keepalive and circuit breakers of a `Cluster`."""
    http = pool.http if pool is not None and pool.http is not None else HTTPSettings()
    tcp = pool.tcp if pool is not None and pool.tcp is not None else TCPSettings()
    cluster.connect_timeout.FromNanoseconds((tcp.connect_timeout or mesh.connect_timeout).nanoseconds)
    _apply_keepalive(cluster, mesh.tcp_keepalive)
    _apply_keepalive(cluster, tcp.tcp_keepalive)
    limits = cluster.circuit_breakers.thresholds.add()
    limits.max_connections.value = tcp.max_connections or NO_LIMIT
    limits.max_pending_requests.value = http.http1_max_pending_requests or NO_LIMIT
    limits.max_requests.value = http.http2_max_requests or NO_LIMIT
    limits.max_retries.value = http.max_retries or NO_LIMIT
    limits.track_remaining = True
    if budget is not None:
        limits.retry_budget.budget_percent.value = _BUDGET_PERCENT if budget.percent is None else budget.percent
        limits.retry_budget.min_retry_concurrency.value = budget.min_retry_concurrency or _BUDGET_CONCURRENCY


def apply_http_options(
    cluster: Any, version: HttpVersion, pool: ConnectionPoolSettings | None, authority: AuthorityChecks = NO_CHECKS
) -> None:
    """Sets the HTTP protocol options of a `Cluster`, where they are not Envoy's defaults."""
    http = pool.http if pool is not None and pool.http is not None else HTTPSettings()
    tcp = pool.tcp if pool is not None and pool.tcp is not None else TCPSettings()
    options = http_protocol_options_pb2.HttpProtocolOptions()
    _apply_common(options.common_http_protocol_options, http, tcp)
    if authority.server_name:
        options.upstream_http_protocol_options.auto_sni = True
    if authority.certificate:
        options.upstream_http_protocol_options.auto_san_validation = True
    if version is HttpVersion.HTTP1:
        if not options.ByteSize():
            return
        options.explicit_http_config.http_protocol_options.SetInParent()
    elif version is HttpVersion.HTTP2:
        _apply_http2(options.explicit_http_config.http2_protocol_options, http)
    else:
        options.use_downstream_protocol_config.http_protocol_options.SetInParent()
        _apply_http2(options.use_downstream_protocol_config.http2_protocol_options, http)
    cluster.typed_extension_protocol_options[HTTP_OPTIONS].Pack(options, deterministic=True)


def _apply_common(common: Any, http: HTTPSettings, tcp: TCPSettings) -> None:
    idle = http.idle_timeout or tcp.idle_timeout
    if idle is not None:
        common.idle_timeout.FromNanoseconds(idle.nanoseconds)
    if http.max_requests_per_connection:
        common.max_requests_per_connection.value = http.max_requests_per_connection
    if tcp.max_connection_duration is not None:
        common.max_connection_duration.FromNanoseconds(tcp.max_connection_duration.nanoseconds)


def _apply_http2(http2: Any, http: HTTPSettings) -> None:
    http2.SetInParent()
    if http.max_concurrent_streams:
        http2.max_concurrent_streams.value = http.max_concurrent_streams


def _apply_keepalive(cluster: Any, keepalive: TcpKeepalive | None) -> None:
    """Setting by setting over what is there already. What nobody sets is the kernel's."""
    if keepalive is None:
        return
    settings = cluster.upstream_connection_options.tcp_keepalive
    settings.SetInParent()
    if keepalive.probes:
        settings.keepalive_probes.value = keepalive.probes
    if keepalive.time is not None:
        settings.keepalive_time.value = _whole_seconds(keepalive.time)
    if keepalive.interval is not None:
        settings.keepalive_interval.value = _whole_seconds(keepalive.interval)


def _whole_seconds(duration: Duration) -> int:
    """Sockets know no less than a second."""
    return max(1, math.ceil(duration.nanoseconds / _SECOND))
