"""What a TrafficPolicy must keep to."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lateen.api.networking.client_tls_validation import client_tls_faults
from lateen.api.networking.connection_pool_validation import connection_pool_faults
from lateen.api.networking.destination_rule import (
    ConsistentHashLB,
    LoadBalancerSettings,
    OutlierDetection,
    PortTrafficPolicy,
    SimpleLB,
    TrafficPolicy,
    TunnelSettings,
)
from lateen.api.networking.duration_faults import duration_faults
from lateen.api.networking.locality_validation import locality_faults
from lateen.api.schema.fault import Fault, error, warning
from lateen.api.schema.hostnames import wrong_address, wrong_fqdn

_LARGEST_TABLE = 5_000_011
_LARGEST_RING = 8 * 1024 * 1024
_LARGEST_PORT = 65535
_PERCENT = 100
_EMPTY = TrafficPolicy()
_WARMED = frozenset({None, SimpleLB.UNSPECIFIED, SimpleLB.ROUND_ROBIN, SimpleLB.LEAST_REQUEST, SimpleLB.LEAST_CONN})

_Settings = TrafficPolicy | PortTrafficPolicy


def traffic_policy_faults(path: str, policy: TrafficPolicy | None) -> Iterator[Fault]:
    """What is wrong with a policy."""
    if policy is None:
        return
    if policy == _EMPTY:
        yield error(path, "must have at least one field")
        return
    if policy.tunnel is not None and policy.proxy_protocol is not None:
        yield error(f"{path}.proxyProtocol", "excludes tunnel")
    yield from _settings(path, policy)
    first: dict[int, int] = {}
    for index, port in enumerate(policy.port_level_settings):
        at = f"{path}.portLevelSettings[{index}]"
        yield from _port(at, port)
        number = port.port.number if port.port is not None else 0
        if number and first.setdefault(number, index) != index:
            yield warning(f"{at}.port.number", f"has no effect: portLevelSettings[{first[number]}] is about it too")
    if policy.tunnel is not None:
        yield from _tunnel(f"{path}.tunnel", policy.tunnel)


def _settings(path: str, policy: _Settings) -> Iterator[Fault]:
    if policy.outlier_detection is not None:
        yield from _outliers(f"{path}.outlierDetection", policy.outlier_detection)
    if policy.connection_pool is not None:
        yield from connection_pool_faults(f"{path}.connectionPool", policy.connection_pool)
    if policy.load_balancer is not None:
        detects_outliers = policy.outlier_detection is not None
        yield from _balancer(f"{path}.loadBalancer", policy.load_balancer, detects_outliers=detects_outliers)
    if policy.tls is not None:
        yield from client_tls_faults(f"{path}.tls", policy.tls)


def _port(path: str, policy: PortTrafficPolicy) -> Iterator[Fault]:
    if policy.port is None or not 1 <= policy.port.number <= _LARGEST_PORT:
        yield error(f"{path}.port", "must name a port, 1 to 65535")
    if policy == PortTrafficPolicy(port=policy.port):
        yield error(path, "must have at least one field beside port")
        return
    yield from _settings(path, policy)


def _outliers(path: str, outliers: OutlierDetection) -> Iterator[Fault]:
    yield from duration_faults(f"{path}.interval", outliers.interval)
    yield from duration_faults(f"{path}.baseEjectionTime", outliers.base_ejection_time)
    if outliers.consecutive_errors:
        yield warning(
            f"{path}.consecutiveErrors",
            "is gone: use consecutiveGatewayErrors or consecutive5xxErrors, it has no effect",
        )
    if outliers.consecutive_local_origin_failures and not outliers.split_external_local_origin_errors:
        yield error(f"{path}.consecutiveLocalOriginFailures", "needs splitExternalLocalOriginErrors")
    for name, percent in (
        ("maxEjectionPercent", outliers.max_ejection_percent),
        ("minHealthPercent", outliers.min_health_percent),
    ):
        if not 0 <= percent <= _PERCENT:
            yield error(f"{path}.{name}", f"must be 0 to 100, not {percent}")


def _balancer(path: str, balancer: LoadBalancerSettings, *, detects_outliers: bool) -> Iterator[Fault]:
    if balancer.consistent_hash is not None:
        yield from _hash(f"{path}.consistentHash", balancer.consistent_hash)
    if balancer.locality_lb_setting is not None:
        yield from locality_faults(
            f"{path}.localityLbSetting", balancer.locality_lb_setting, detects_outliers=detects_outliers
        )
    if balancer.warmup_duration_secs is not None:
        yield from duration_faults(f"{path}.warmupDurationSecs", balancer.warmup_duration_secs)
    if balancer.warmup is not None:
        yield from duration_faults(f"{path}.warmup.duration", balancer.warmup.duration)
        if balancer.warmup.aggression == 0:
            yield error(f"{path}.warmup.aggression", "must be greater than 0")
        if balancer.warmup_duration_secs is not None:
            yield warning(f"{path}.warmupDurationSecs", "has no effect beside warmup, which replaces it")
    warms_up = balancer.warmup is not None or balancer.warmup_duration_secs is not None
    if warms_up and (balancer.consistent_hash is not None or balancer.simple not in _WARMED):
        name = "warmup" if balancer.warmup is not None else "warmupDurationSecs"
        yield warning(f"{path}.{name}", "has an effect with ROUND_ROBIN and LEAST_REQUEST alone")


def _hash(path: str, hashing: ConsistentHashLB) -> Iterator[Fault]:
    if hashing.http_cookie is not None and not hashing.http_cookie.name:
        yield error(f"{path}.httpCookie.name", "is required")
    if hashing.minimum_ring_size:
        yield warning(f"{path}.minimumRingSize", "is deprecated: use ringHash.minimumRingSize")
        if hashing.ring_hash is not None or hashing.maglev is not None:
            yield error(f"{path}.minimumRingSize", "excludes ringHash and maglev")
    ring = hashing.ring_hash.minimum_ring_size if hashing.ring_hash is not None else hashing.minimum_ring_size
    if ring > _LARGEST_RING:
        name = "ringHash.minimumRingSize" if hashing.ring_hash is not None else "minimumRingSize"
        yield error(f"{path}.{name}", f"must not be greater than {_LARGEST_RING}, Envoy's largest ring")
    if hashing.maglev is not None:
        size = hashing.maglev.table_size
        if not _is_prime(size) or size >= _LARGEST_TABLE:
            yield error(f"{path}.maglev.tableSize", f"must be a prime number below {_LARGEST_TABLE}, not {size}")


def _tunnel(path: str, tunnel: TunnelSettings) -> Iterator[Fault]:
    if tunnel.protocol not in ("", "CONNECT", "POST"):
        yield error(f"{path}.protocol", f"must be CONNECT or POST, not {tunnel.protocol!r}")
    if wrong_fqdn(tunnel.target_host) and wrong_address(tunnel.target_host):
        yield error(f"{path}.targetHost", f"must be a host name or an IP address, not {tunnel.target_host!r}")
    if not 1 <= tunnel.target_port <= _LARGEST_PORT:
        yield error(f"{path}.targetPort", f"must be 1 to 65535, not {tunnel.target_port}")


def _is_prime(number: int) -> bool:
    if number < 2:
        return False
    if number >= _LARGEST_TABLE:
        return True
    return all(number % factor for factor in range(2, math.isqrt(number) + 1))
