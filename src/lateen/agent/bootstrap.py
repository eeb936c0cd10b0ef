"""Envoy's bootstrap, as data to be written as JSON. Pure.

Static are only what a proxy needs to reach the control plane, and the listeners for the kubelet (15021) and for
Prometheus (15090), which lead to the agent. All else comes by ADS, from the control plane itself over mutual TLS.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lateen.agent.host_port import is_address, split
from lateen.agent.statistics import StatsSettings, stats_config

__all__ = ["BootstrapSettings", "Network", "bootstrap", "runtime_flags"]

_TYPES: Final = "type.googleapis.com/"
_EXTENSIONS: Final = f"{_TYPES}envoy.extensions."
_MANY: Final = 100_000
_MOST_CONNECTIONS: Final = "overload.global_downstream_max_connections"


class Network(NamedTuple):
    """How a proxy is reached and reaches others, by the addresses of its pod."""

    loopback: str = "127.0.0.1"
    wildcard: str = "0.0.0.0"
    other_wildcard: str = ""
    """Dual stack: of the other family."""
    lookup: str = "V4_ONLY"
    """The family of addresses that names are resolved to."""

    @classmethod
    def of(cls, addresses: tuple[str, ...], *, dual_stack: bool) -> Network:
        """Of both families only where `dual_stack` says so, as with Istio; then the first address leads."""
        versions = [ipaddress.ip_address(address).version for address in addresses]
        v4, v6 = cls(), cls("::1", "::", "", "V6_ONLY")
        if 4 not in versions and versions:
            return v6
        if 6 not in versions or not dual_stack:
            return v4
        first, second = (v6, v4) if versions[0] == 6 else (v4, v6)
        return cls(first.loopback, first.wildcard, second.wildcard, "ALL")


class BootstrapSettings(NamedTuple):
    """All that a bootstrap depends on."""

    node: Mapping[str, Any]
    network: Network
    admin_port: int
    status_port: int
    """Of the agent's server."""
    health_port: int
    prometheus_port: int
    control_plane: str
    """HOST:PORT of ADS; IPv6 addresses in brackets."""
    control_plane_name: str
    """What its certificate has to be of; empty: plaintext."""
    certificate_file: str
    roots_file: str
    runtime: Mapping[str, str | bool]
    stats: StatsSettings
    statsd: str = ""
    """HOST:PORT of a statsd that gets all statistics by UDP."""
    outlier_log: str = ""
    """File that gets what outlier detection does."""


def runtime_flags(wishes: Mapping[str, str]) -> dict[str, str | bool]:
    """Runtime values, of ProxyConfig.runtimeValues and by default; an empty value takes a default away.

    Envoy takes numbers as text, but not booleans.
    """
    found: dict[str, str | bool] = {
        _MOST_CONNECTIONS: "2147483647",
        "re2.max_program_size.error_level": "32768",
        "envoy.reloadable_features.http_reject_path_with_fragment": False,
    }
    for name, value in wishes.items():
        found.pop(name, None)
        if value:
            found[name] = value == "true" if value in ("true", "false") else value
    return found


def bootstrap(settings: BootstrapSettings) -> dict[str, Any]:
    """envoy.config.bootstrap.v3.Bootstrap."""
    network = settings.network
    runtime = dict(settings.runtime)
    # Envoy wants it as a resource now, and goes on about it in its log otherwise.
    most = runtime.pop(_MOST_CONNECTIONS, "")
    found: dict[str, Any] = {
        "node": dict(settings.node),
        "layered_runtime": {
            "layers": [
                {"name": "deprecation", "static_layer": runtime},
                {"name": "admin", "admin_layer": {}},
            ]
        },
        "bootstrap_extensions": [
            {
                "name": "envoy.bootstrap.internal_listener",
                "typed_config": {"@type": f"{_EXTENSIONS}bootstrap.internal_listener.v3.InternalListener"},
            }
        ],
        "stats_config": stats_config(settings.stats),
        "stats_flush_interval": _seconds(settings.stats.flush),
        "stats_eviction_interval": _seconds(settings.stats.eviction),
        "admin": {"address": _address(network.loopback, settings.admin_port)},
        "dynamic_resources": _dynamic_resources(),
        "static_resources": {
            "clusters": [
                _local_cluster("prometheus_stats", network, settings.status_port),
                _local_cluster("agent", network, settings.status_port),
                _control_plane(settings),
            ],
            "listeners": [
                _listener(
                    "stats", network, settings.prometheus_port,
                    {
                        "match": {"prefix": "/stats/prometheus"},
                        # The agent gives statistics the names that Istio's have.
                        "route": {"cluster": "prometheus_stats", "prefix_rewrite": "/stats/envoy/prometheus"},
                    },
                ),
                _listener(
                    "agent", network, settings.health_port,
                    {"match": {"prefix": "/healthz/ready"}, "route": {"cluster": "agent"}},
                ),
            ],
        },
    }  # fmt: skip
    if most:
        found["overload_manager"] = _connection_limit(most)
    if settings.statsd:
        found["stats_sinks"] = [_statsd(settings.statsd)]
    if settings.outlier_log:
        found["cluster_manager"] = {"outlier_detection": {"event_log_path": settings.outlier_log}}
    return found


def _seconds(milliseconds: int) -> str:
    """google.protobuf.Duration in JSON."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}s"


def _connection_limit(most: str | bool) -> dict[str, Any]:
    limit = {
        "@type": f"{_EXTENSIONS}resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        "max_active_downstream_connections": most,
    }
    name = "envoy.resource_monitors.global_downstream_max_connections"
    return {"resource_monitors": [{"name": name, "typed_config": limit}]}


def _dynamic_resources() -> dict[str, Any]:
    """Envoy waits for its first configuration for as long as it takes, and then begins to listen."""
    source = {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
    back_off = {"base_interval": "0.5s", "max_interval": "10s"}
    grpc = {"cluster_name": "xds-grpc", "retry_policy": {"retry_back_off": back_off}}
    return {
        "lds_config": source,
        "cds_config": source,
        "ads_config": {
            "api_type": "DELTA_GRPC",
            "transport_api_version": "V3",
            "set_node_on_first_message_only": True,
            "grpc_services": [{"envoy_grpc": grpc}],
        },
    }


def _control_plane(settings: BootstrapSettings) -> dict[str, Any]:
    host, port = split(settings.control_plane)
    limits = {"max_connections": _MANY, "max_pending_requests": _MANY, "max_requests": _MANY}
    found: dict[str, Any] = {
        "name": "xds-grpc",
        **_endpoint("xds-grpc", host, port, settings.network.lookup),
        "connect_timeout": "1s",
        "circuit_breakers": {"thresholds": [{"priority": each, **limits} for each in ("DEFAULT", "HIGH")]},
        "upstream_connection_options": {"tcp_keepalive": {"keepalive_time": 300}},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_EXTENSIONS}upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {
                    # A control plane that has gone without a word is noticed, and another one found.
                    "http2_protocol_options": {"connection_keepalive": {"interval": "30s", "timeout": "10s"}}
                },
            }
        },
    }
    if settings.control_plane_name:
        found["transport_socket"] = _mutual_tls(settings)
    return found


def _mutual_tls(settings: BootstrapSettings) -> dict[str, Any]:
    name = settings.control_plane_name
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_EXTENSIONS}transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": name,
            "common_tls_context": {
                "alpn_protocols": ["h2"],
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "tls_certificate_sds_secret_configs": [_secret("default", settings.certificate_file)],
                "combined_validation_context": {
                    "default_validation_context": {
                        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": name}}]
                    },
                    "validation_context_sds_secret_config": _secret("ROOTCA", settings.roots_file),
                },
            },
        },
    }


def _secret(name: str, path: str) -> dict[str, Any]:
    """From a file that is replaced by another one, which a watch of the file alone does not see."""
    source = {"path": path, "watched_directory": {"path": path.rpartition("/")[0] or "/"}}
    return {"name": name, "sds_config": {"path_config_source": source, "resource_api_version": "V3"}}


def _local_cluster(name: str, network: Network, port: int) -> dict[str, Any]:
    return {
        "name": name,
        **_endpoint(name, network.loopback, port, network.lookup),
        "connect_timeout": "0.25s",
    }  # fmt: skip


def _endpoint(cluster: str, host: str, port: int, lookup: str) -> dict[str, Any]:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(host, port)}}]}]
    found: dict[str, Any] = {"load_assignment": {"cluster_name": cluster, "endpoints": endpoints}}
    if is_address(host):
        return {"type": "STATIC", **found}
    names = {
        "@type": f"{_EXTENSIONS}clusters.dns.v3.DnsCluster",
        "dns_lookup_family": lookup,
        "dns_refresh_rate": "10s",
        "respect_dns_ttl": True,
    }
    return {"cluster_type": {"name": "envoy.clusters.dns", "typed_config": names}, **found}


def _listener(prefix: str, network: Network, port: int, route: dict[str, Any]) -> dict[str, Any]:
    manager = {
        "@type": f"{_EXTENSIONS}filters.network.http_connection_manager.v3.HttpConnectionManager",
        "codec_type": "AUTO",
        "stat_prefix": prefix,
        "route_config": {"virtual_hosts": [{"name": "backend", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_EXTENSIONS}filters.http.router.v3.Router"},
            }
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    found: dict[str, Any] = {"address": _address(network.wildcard, port), "filter_chains": [{"filters": filters}]}
    if network.other_wildcard:
        found["additional_addresses"] = [{"address": _address(network.other_wildcard, port)}]
    return found


def _statsd(address: str) -> dict[str, Any]:
    return {
        "name": "envoy.stat_sinks.statsd",
        "typed_config": {
            "@type": f"{_TYPES}envoy.config.metrics.v3.StatsdSink",
            "address": _address(*split(address), protocol="UDP"),
        },
    }


def _address(host: str, port: int, protocol: str = "TCP") -> dict[str, Any]:
    return {"socket_address": {"protocol": protocol, "address": host, "port_value": port}}
