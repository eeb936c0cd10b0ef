"""Istio's standard metrics of HTTP and of byte streams, counted by access loggers.

Loggers are all but literal, so that all listeners of a kind have the same: made once, shared as bytes.
"""

from __future__ import annotations

from typing import Any, Final

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.data.accesslog.v3 import accesslog_pb2 as log_types_pb2
from envoy.extensions.access_loggers.filters.cel.v3 import cel_pb2

from lateen.engine import Reader, query
from lateen.model.inputs import MESH_CONFIG
from lateen.translate.telemetry.labels import Destination, client_tags, http_tags, server_tags, tcp_tags
from lateen.translate.telemetry.stats_logger import Counter, Histogram, Tag, Unit, stats_logger

_HTTP_COUNTERS: Final = (Counter("requests_total"),)
_HTTP_HISTOGRAMS: Final = (
    Histogram("request_duration_milliseconds", "%DURATION%", Unit.Value("Milliseconds")),
    Histogram("request_bytes", "%DOWNSTREAM_WIRE_BYTES_RECEIVED%", Unit.Value("Bytes")),
    Histogram("response_bytes", "%DOWNSTREAM_WIRE_BYTES_SENT%", Unit.Value("Bytes")),
)
_OPENED: Final = (Counter("tcp_connections_opened_total"),)
_ENDED: Final = (
    Counter("tcp_connections_closed_total"),
    Counter("tcp_sent_bytes_total", "%DOWNSTREAM_WIRE_BYTES_SENT%"),
    Counter("tcp_received_bytes_total", "%DOWNSTREAM_WIRE_BYTES_RECEIVED%"),
)
_FAILED: Final = ("UF", "URX")
_NO_SERVER: Final = "!has(upstream.address)"
"""Of a connection that has ended: there was no server to connect to, or it was not allowed to."""


@query
def metrics_enabled(db: Reader) -> bool:
    """MeshConfig.defaultProviders.metrics: whether one of them is a `prometheus` provider."""
    mesh = MESH_CONFIG.get(db)
    providers = {each.name for each in mesh.extension_providers if each.prometheus is not None}
    return not providers.isdisjoint(mesh.default_providers.metrics)


@query
def client_http_metrics(db: Reader, fallback_to_host_header: bool) -> tuple[bytes, ...]:
    """Serialised `AccessLog`s of an HTTP connection manager that sends to services."""
    if not metrics_enabled(db):
        return ()
    return _http(client_tags(fallback_to_host_header=fallback_to_host_header))


@query
def server_http_metrics(db: Reader, destination: Destination, authenticated: bool) -> tuple[bytes, ...]:
    """Serialised `AccessLog`s of an HTTP connection manager that takes requests to the workload."""
    return _http(server_tags(destination, authenticated=authenticated)) if metrics_enabled(db) else ()


@query
def client_tcp_metrics(db: Reader) -> tuple[bytes, ...]:
    """Serialised `AccessLog`s of a TCP proxy that sends to services."""
    return _tcp(client_tags(fallback_to_host_header=False)) if metrics_enabled(db) else ()


@query
def server_tcp_metrics(db: Reader, destination: Destination, authenticated: bool) -> tuple[bytes, ...]:
    """Serialised `AccessLog`s of a TCP proxy that takes connections to the workload."""
    return _tcp(server_tags(destination, authenticated=authenticated)) if metrics_enabled(db) else ()


def _http(tags: list[Tag]) -> tuple[bytes, ...]:
    return (stats_logger([*tags, *http_tags()], _HTTP_COUNTERS, _HTTP_HISTOGRAMS),)


def _tcp(tags: list[Tag]) -> tuple[bytes, ...]:
    """A connection is opened when it reaches its server, or ends without; bytes are told at the end: Envoy would tell
    all of them again and again in between."""
    tags = [*tags, *tcp_tags()]
    connected, ended = _of_type("TcpUpstreamConnected"), _of_type("TcpConnectionEnd")
    refused = accesslog_pb2.AccessLogFilter()
    refused.response_flag_filter.flags.extend(_FAILED)
    unconnected = _all_of(ended, _any_of(refused, _expression(_NO_SERVER)))
    opened = _any_of(connected, unconnected)
    return (stats_logger(tags, _OPENED, filter=opened), stats_logger(tags, _ENDED, filter=ended))


def _of_type(name: str) -> Any:
    found = accesslog_pb2.AccessLogFilter()
    found.log_type_filter.types.append(log_types_pb2.AccessLogType.Value(name))
    return found


def _any_of(*filters: Any) -> Any:
    found = accesslog_pb2.AccessLogFilter()
    found.or_filter.filters.extend(filters)
    return found


def _all_of(*filters: Any) -> Any:
    found = accesslog_pb2.AccessLogFilter()
    found.and_filter.filters.extend(filters)
    return found


def _expression(text: str) -> Any:
    found = accesslog_pb2.AccessLogFilter()
    found.extension_filter.name = "envoy.access_loggers.extension_filters.cel"
    found.extension_filter.typed_config.Pack(cel_pb2.ExpressionFilter(expression=text), deterministic=True)
    return found
