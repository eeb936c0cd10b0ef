"""The access loggers of each place: what is counted, and what is written down."""

from __future__ import annotations

from typing import Any, NamedTuple

from lateen.engine import Reader, query
from lateen.translate.telemetry.access_log import request_log, stream_log
from lateen.translate.telemetry.labels import Destination
from lateen.translate.telemetry.standard_metrics import (
    client_http_metrics,
    client_tcp_metrics,
    server_http_metrics,
    server_tcp_metrics,
)


class StreamLogs(NamedTuple):
    """The access loggers of a TCP proxy."""

    logs: tuple[bytes, ...] = ()
    """Serialised `AccessLog`s."""
    at_connection: bool = False
    """They want to be told when the server is connected to, too."""


@query
def client_request_logs(db: Reader, fallback_to_host_header: bool) -> tuple[bytes, ...]:
    """Of HTTP that goes to services."""
    return client_http_metrics(db, fallback_to_host_header) + request_log(db)


@query
def server_request_logs(db: Reader, destination: Destination, authenticated: bool) -> tuple[bytes, ...]:
    """Of HTTP that comes to the workload; `authenticated`: under certificates of the mesh."""
    return server_http_metrics(db, destination, authenticated) + request_log(db)


@query
def client_stream_logs(db: Reader) -> StreamLogs:
    """Of connections that go to services."""
    return _of_streams(client_tcp_metrics(db), stream_log(db))


@query
def server_stream_logs(db: Reader, destination: Destination, authenticated: bool) -> StreamLogs:
    """Of connections that come to the workload; `authenticated`: under certificates of the mesh."""
    return _of_streams(server_tcp_metrics(db, destination, authenticated), stream_log(db))


def add_request_logs(manager: Any, logs: tuple[bytes, ...]) -> None:
    """Gives an `HttpConnectionManager` its loggers."""
    for log in logs:
        manager.access_log.add().MergeFromString(log)


def add_stream_logs(proxy: Any, logs: StreamLogs) -> None:
    """Gives a `TcpProxy` its loggers."""
    for log in logs.logs:
        proxy.access_log.add().MergeFromString(log)
    if logs.at_connection:
        proxy.access_log_options.flush_access_log_on_connected = True


def _of_streams(metrics: tuple[bytes, ...], log: tuple[bytes, ...]) -> StreamLogs:
    return StreamLogs(metrics + log, bool(metrics))
