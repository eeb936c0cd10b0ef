"""Access logs as MeshConfig has them: accessLogFile, accessLogFormat, accessLogEncoding, disableEnvoyListenerLog."""

from __future__ import annotations

from typing import Any, Final

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.data.accesslog.v3 import accesslog_pb2 as log_types_pb2
from envoy.extensions.access_loggers.file.v3 import file_pb2
from envoy.extensions.access_loggers.stream.v3 import stream_pb2
from envoy.extensions.formatter.req_without_query.v3 import req_without_query_pb2

from lateen.api.mesh.access_log_format import json_format
from lateen.api.mesh.mesh_config import AccessLogEncoding, MeshConfig
from lateen.engine import Reader, query
from lateen.model.inputs import MESH_CONFIG

_FIELDS: Final = (
    ("start_time", "START_TIME"),
    ("method", "REQ(:METHOD)"),
    ("path", "REQ(X-ENVOY-ORIGINAL-PATH?:PATH)"),
    ("protocol", "PROTOCOL"),
    ("response_code", "RESPONSE_CODE"),
    ("response_flags", "RESPONSE_FLAGS"),
    ("response_code_details", "RESPONSE_CODE_DETAILS"),
    ("connection_termination_details", "CONNECTION_TERMINATION_DETAILS"),
    ("upstream_transport_failure_reason", "UPSTREAM_TRANSPORT_FAILURE_REASON"),
    ("bytes_received", "BYTES_RECEIVED"),
    ("bytes_sent", "BYTES_SENT"),
    ("duration", "DURATION"),
    ("upstream_service_time", "RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)"),
    ("x_forwarded_for", "REQ(X-FORWARDED-FOR)"),
    ("user_agent", "REQ(USER-AGENT)"),
    ("request_id", "REQ(X-REQUEST-ID)"),
    ("authority", "REQ(:AUTHORITY)"),
    ("upstream_host", "UPSTREAM_HOST"),
    ("upstream_cluster", "UPSTREAM_CLUSTER_RAW"),
    ("upstream_local_address", "UPSTREAM_LOCAL_ADDRESS"),
    ("downstream_local_address", "DOWNSTREAM_LOCAL_ADDRESS"),
    ("downstream_remote_address", "DOWNSTREAM_REMOTE_ADDRESS"),
    ("requested_server_name", "REQUESTED_SERVER_NAME"),
    ("route_name", "ROUTE_NAME"),
)
"""What Istio's entries consist of by default, in the order in which text has them."""
_BRACKETED: Final = {"start_time": ("[", "]"), "method": ('"', ""), "protocol": ("", '"')}
_QUOTED: Final = frozenset(
    {"upstream_transport_failure_reason", "x_forwarded_for", "user_agent", "request_id", "authority", "upstream_host"}
)
"""May have blanks in them, or nothing."""
_STREAMS: Final = {
    "/dev/stdout": ("envoy.access_loggers.stdout", stream_pb2.StdoutAccessLog),
    "/dev/stderr": ("envoy.access_loggers.stderr", stream_pb2.StderrAccessLog),
}
"""Written to as they are: who opens them anew needs leave to, which a proxy's user may not have."""
_WITHOUT_QUERY: Final = "REQ_WITHOUT_QUERY"


@query
def request_log(db: Reader) -> tuple[bytes, ...]:
    """The serialised `AccessLog` of an HTTP connection manager, if there is one."""
    return _logs(MESH_CONFIG.get(db), None)


@query
def stream_log(db: Reader) -> tuple[bytes, ...]:
    """The serialised `AccessLog` of a TCP proxy, if there is one: of connections that have ended, which alone know how
    much they carried."""
    ended = accesslog_pb2.AccessLogFilter()
    ended.log_type_filter.types.append(log_types_pb2.AccessLogType.Value("TcpConnectionEnd"))
    return _logs(MESH_CONFIG.get(db), ended)


@query
def listener_log(db: Reader) -> tuple[bytes, ...]:
    """The serialised `AccessLog` of a listener, if there is one: of connections that none of its filter chains takes,
    of which nothing else would tell."""
    mesh = MESH_CONFIG.get(db)
    if mesh.disable_envoy_listener_log:
        return ()
    unmatched = accesslog_pb2.AccessLogFilter()
    unmatched.response_flag_filter.flags.append("NR")
    return _logs(mesh, unmatched)


def add_listener_log(db: Reader, listener: Any) -> None:
    """Has a `Listener` log the connections that it does not take."""
    for log in listener_log(db):
        listener.access_log.add().MergeFromString(log)


def _logs(mesh: MeshConfig, filter: Any | None) -> tuple[bytes, ...]:
    if not mesh.access_log_file:
        return ()
    log = accesslog_pb2.AccessLog()
    stream = _STREAMS.get(mesh.access_log_file)
    if stream is not None:
        log.name, config = stream[0], stream[1]()
    else:
        log.name, config = "envoy.access_loggers.file", file_pb2.FileAccessLog(path=mesh.access_log_file)
    _set_format(config.log_format, mesh)
    log.typed_config.Pack(config, deterministic=True)
    if filter is not None:
        log.filter.CopyFrom(filter)
    return (bytes(log.SerializeToString(deterministic=True)),)


def _set_format(log_format: Any, mesh: MeshConfig) -> None:
    if mesh.access_log_encoding is AccessLogEncoding.JSON:
        log_format.json_format.update(json_format(mesh) or {name: f"%{command}%" for name, command in _FIELDS})
    else:
        text = mesh.access_log_format or default_text()
        log_format.text_format_source.inline_string = text if text.endswith("\n") else f"{text}\n"
    if _WITHOUT_QUERY in mesh.access_log_format:
        formatter = log_format.formatters.add(name="envoy.formatter.req_without_query")
        formatter.typed_config.Pack(req_without_query_pb2.ReqWithoutQuery())


def default_text() -> str:
    """Istio's default format of text: the fields with blanks between them, the first line of the request quoted."""
    return " ".join(_text(name, f"%{command}%") for name, command in _FIELDS) + "\n"


def _text(name: str, command: str) -> str:
    if name in _QUOTED:
        return f'"{command}"'
    before, after = _BRACKETED.get(name, ("", ""))
    return f"{before}{command}{after}"
