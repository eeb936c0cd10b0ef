"""The front's configuration: one listener, two ways on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from lateen.identity.front_headers import PEER
from lateen.istiod.configuration import Address
from lateen.istiod.front.secrets import ROOTS, SERVING

_NETWORK: Final = "type.googleapis.com/envoy.extensions.filters.network"
_MOST_CONNECTIONS: Final = 20_000
_MOST_UPSTREAM: Final = 100_000
"""No limit: what there may be is bounded by the connections from outside and by the streams of each."""
_STREAMS: Final = 100
"""Of one connection from outside."""
_WINDOW: Final = 256 * 1024
_BUFFER: Final = 256 * 1024
"""Bytes that wait for a slow proxy, before its own stream has to wait."""
_BUFFER_FILTER: Final = "envoy.filters.http.buffer"
_BUFFER_TYPE: Final = "type.googleapis.com/envoy.extensions.filters.http.buffer.v3."
_REQUEST_TIME: Final = "30s"
_LARGEST_REQUEST: Final = 64 * 1024
"""Bytes of a request for a certificate. More than is taken: it is for who takes it to say so."""


class FrontPlan(msgspec.Struct, frozen=True):
    """What is to be listened to, and where calls go."""

    listen: Address
    grpc_socket: Path
    http_socket: Path | None
    """Certificates over HTTPS; None: there are none."""
    admin_socket: Path
    secrets: Path
    """The directory of the secrets' files."""
    verifies: bool
    """Client certificates are asked for (and may be left out)."""


def bootstrap(plan: FrontPlan) -> dict[str, Any]:
    """As JSON."""
    clusters = [_cluster("grpc", plan.grpc_socket, http2=True)]
    if plan.http_socket is not None:
        clusters.append(_cluster("http", plan.http_socket, http2=False))
    return {
        "node": {"id": "front", "cluster": "istiod"},
        "admin": {"address": {"pipe": {"path": str(plan.admin_socket), "mode": 0o600}}},
        "static_resources": {"listeners": [_listener(plan)], "clusters": clusters},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3."
                        "DownstreamConnectionsConfig",
                        "max_active_downstream_connections": _MOST_CONNECTIONS,
                    },
                }
            ]
        },
    }


def _listener(plan: FrontPlan) -> dict[str, Any]:
    address: dict[str, Any] = {"address": plan.listen.host, "port_value": plan.listen.port}
    if plan.listen.host == "::":
        # Every address, of both families.
        address["ipv4_compat"] = True
    return {
        "name": "front",
        "address": {"socket_address": address},
        # Two that would share a port share its callers.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": _BUFFER,
        "filter_chains": [
            {
                "transport_socket_connect_timeout": "10s",
                "transport_socket": {
                    "name": "envoy.transport_sockets.tls",
                    "typed_config": _tls(plan),
                },
                "filters": [
                    {"name": "envoy.filters.network.http_connection_manager", "typed_config": _connections(plan)}
                ],
            }
        ],
    }


def _tls(plan: FrontPlan) -> dict[str, Any]:
    common: dict[str, Any] = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_certificate_sds_secret_configs": [_file(plan, SERVING)],
    }
    if plan.verifies:
        common["validation_context_sds_secret_config"] = _file(plan, ROOTS)
    return {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": common,
        "require_client_certificate": False,
        # A resumed session would not be verified anew.
        "disable_stateless_session_resumption": True,
        "disable_stateful_session_resumption": True,
    }


def _file(plan: FrontPlan, name: str) -> dict[str, Any]:
    path = {"path": str(plan.secrets / f"{name}.json"), "watched_directory": {"path": str(plan.secrets)}}
    return {"name": name, "sds_config": {"path_config_source": path, "resource_api_version": "V3"}}


def _connections(plan: FrontPlan) -> dict[str, Any]:
    return {
        "@type": f"{_NETWORK}.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front",
        "codec_type": "AUTO",
        "use_remote_address": True,
        # The only word on who calls: what callers say is removed.
        "forward_client_cert_details": "SANITIZE_SET",
        "set_current_client_cert_details": {"uri": True, "cert": True},
        "request_headers_timeout": "10s",
        "stream_idle_timeout": "0s",
        "delayed_close_timeout": "1s",
        "max_request_headers_kb": 64,
        "common_http_protocol_options": {
            "headers_with_underscores_action": "REJECT_REQUEST",
            "max_headers_count": 60,
            # Proxies have a stream. Who has none takes up a place that somebody else may need.
            "idle_timeout": "60s",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": _STREAMS,
            "initial_stream_window_size": _WINDOW,
            "initial_connection_window_size": 4 * _WINDOW,
            # A proxy that is gone without a word is noticed within 40 seconds.
            "connection_keepalive": {"interval": "30s", "timeout": "10s"},
        },
        "normalize_path": True,
        "route_config": _routes(plan),
        "http_filters": [
            # What comes slowly takes no place behind the front.
            {
                "name": _BUFFER_FILTER,
                "typed_config": {"@type": f"{_BUFFER_TYPE}Buffer", "max_request_bytes": _LARGEST_REQUEST},
            },
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                    "suppress_envoy_headers": True,
                },
            },
        ],
    }


def _routes(plan: FrontPlan) -> dict[str, Any]:
    routes = [
        _stream({"prefix": "/envoy.service.", "grpc": {}}, "grpc"),
        _request({"prefix": "/istio.v1.auth.IstioCertificateService/", "grpc": {}}, "grpc"),
    ]
    if plan.http_socket is not None:
        routes.append(_request({"path": "/v1/certificates"}, "http"))
    routes.append({"match": {"prefix": "/"}, "direct_response": {"status": 404}})
    return {
        "name": "front",
        "request_headers_to_add": [
            {
                "header": {"key": PEER, "value": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%"},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
        "virtual_hosts": [{"name": "front", "domains": ["*"], "routes": routes}],
    }


_UNBUFFERED: Final = {_BUFFER_FILTER: {"@type": f"{_BUFFER_TYPE}BufferPerRoute", "disabled": True}}


def _stream(match: dict[str, Any], cluster: str) -> dict[str, Any]:
    """Of discovery: silent for hours, and without an end to wait for."""
    route = {"cluster": cluster, "timeout": "0s", "idle_timeout": "0s", "max_stream_duration": {}}
    return {"match": match, "route": route, "typed_per_filter_config": _UNBUFFERED}


def _request(match: dict[str, Any], cluster: str) -> dict[str, Any]:
    # `timeout` begins when all of it is there.
    limits = {"timeout": _REQUEST_TIME, "max_stream_duration": {"max_stream_duration": _REQUEST_TIME}}
    return {"match": match, "route": {"cluster": cluster, **limits}}


def _cluster(name: str, socket: Path, *, http2: bool) -> dict[str, Any]:
    # Each stream has a connection of its own, so that one proxy that does not read holds up no other.
    http2_options = {"max_concurrent_streams": 1, "initial_stream_window_size": _WINDOW}
    explicit = {"http2_protocol_options": http2_options} if http2 else {"http_protocol_options": {}}
    threshold = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), _MOST_UPSTREAM)
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "per_connection_buffer_limit_bytes": _BUFFER,
        "circuit_breakers": {"thresholds": [threshold]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": str(socket)}}}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": "10s"},
                "explicit_http_config": explicit,
            }
        },
    }
