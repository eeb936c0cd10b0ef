"""The HTTP filters of a connection manager, in order.

What is to come has its place here: mutual identification and external authorization first, then JWT, WASM plugins of
phase AUTHN, authorization (RBAC, there already), WASM plugins of phase AUTHZ and STATS; then the filters below;
telemetry right before the router. Fault, CORS and session filters do nothing until a route configures them.
"""

from __future__ import annotations

from typing import Any

from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.http.grpc_stats.v3 import config_pb2 as grpc_stats_pb2
from envoy.extensions.filters.http.grpc_web.v3 import grpc_web_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.http.set_filter_state.v3 import set_filter_state_pb2
from envoy.extensions.filters.http.stateful_session.v3 import stateful_session_pb2

from lateen.translate.filters import safe_retries
from lateen.translate.filters.rbac import Filters
from lateen.translate.tls.alpn import MESH_HTTP1


def add_http_filters(
    manager: Any,
    *,
    outbound: bool,
    grpc_web: bool,
    suppress_envoy_headers: bool,
    announce_http: bool,
    authorization: Filters = (),
) -> None:
    """Appends the HTTP filters to an `HttpConnectionManager`.

    With `announce_http` the proxy tells the other side by ALPN that what it found inside of an undeclared port is HTTP,
    so that the other side need not guess within mutual TLS, where it could not look.
    """
    for each in authorization:
        each.add_to(manager.http_filters)
    if grpc_web:
        _add(manager, "envoy.filters.http.grpc_web", grpc_web_pb2.GrpcWeb())
    _add(manager, "envoy.filters.http.grpc_stats", _grpc_stats())
    if announce_http:
        _add(manager, "envoy.filters.http.set_filter_state", _announced_alpn())
    _add(manager, "envoy.filters.http.fault", fault_pb2.HTTPFault())
    _add(manager, "envoy.filters.http.cors", cors_pb2.Cors())
    if outbound:
        _add(manager, "envoy.filters.http.stateful_session", stateful_session_pb2.StatefulSession())
        _add(manager, safe_retries.NAME, safe_retries.safe_retries())
    router = router_pb2.Router(suppress_envoy_headers=suppress_envoy_headers)
    _add(manager, "envoy.filters.http.router", router)


def _grpc_stats() -> Any:
    config = grpc_stats_pb2.FilterConfig(emit_filter_state=True)
    config.stats_for_all_methods.value = False
    return config


def _announced_alpn() -> Any:
    config = set_filter_state_pb2.Config()
    value = config.on_request_headers.add(object_key="envoy.network.application_protocols")
    value.format_string.text_format_source.inline_string = ",".join(MESH_HTTP1)
    return config


def _add(manager: Any, name: str, config: Any) -> None:
    manager.http_filters.add(name=name).typed_config.Pack(config)
