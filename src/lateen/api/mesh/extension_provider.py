"""MeshConfig.ExtensionProvider: services that policies name: authorizers, tracers, sinks of logs and metrics."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

import msgspec

from lateen.api.mesh.tracing import TraceContext
from lateen.api.schema.duration import Duration
from lateen.api.schema.message import AnyStruct, Int64, Message, UInt32

# Every `service` has the form `[namespace/]host`: the namespace is needed only where several define the host.


class EnvoyExternalAuthorizationRequestBody(Message, frozen=True, kw_only=True):
    """How much of a request's body the authorizer sees."""

    max_request_bytes: UInt32 = 0
    """Bytes held at most; larger requests are answered 413, unless partial messages are allowed."""
    allow_partial_message: bool = False
    """A larger body is cut to `maxRequestBytes`."""
    pack_as_bytes: bool = False
    """gRPC: the body is sent as bytes rather than as UTF-8 text."""


class EnvoyExternalAuthorizationHttpProvider(Message, frozen=True, kw_only=True):
    """An authorizer over HTTP. Header patterns are exact (`abc`), prefix (`abc*`) or suffix (`*abc`)."""

    service: str
    """The authorizer."""
    port: UInt32
    """Its port."""
    timeout: Duration | None = None
    """Limit of one check; 600 s by default."""
    path_prefix: str = ""
    """Put before the path of the request to check."""
    fail_open: bool = False
    """Requests pass when the authorizer does not answer or answers 5xx."""
    clear_route_cache: bool = False
    """The route is chosen again after a check that allows."""
    status_on_error: str = ""
    """HTTP status when the authorizer cannot be reached; 403 by default."""
    include_headers_in_check: tuple[str, ...] = ()
    """Deprecated: use `includeRequestHeadersInCheck`."""
    include_request_headers_in_check: tuple[str, ...] = ()
    """Headers of the request that the authorizer sees besides Host, Method, Path and Content-Length."""
    include_additional_headers_in_check: dict[str, str] = msgspec.field(default_factory=dict)
    """Fixed headers of the check."""
    include_request_body_in_check: EnvoyExternalAuthorizationRequestBody | None = None
    """The request's body is part of the check."""
    headers_to_upstream_on_allow: tuple[str, ...] = ()
    """Headers of the authorizer's answer that are set on an allowed request."""
    headers_to_downstream_on_deny: tuple[str, ...] = ()
    """Headers of the answer that a refused client gets; all but Host when empty."""
    headers_to_downstream_on_allow: tuple[str, ...] = ()
    """Headers of the answer that an allowed client gets."""


class EnvoyExternalAuthorizationGrpcProvider(Message, frozen=True, kw_only=True):
    """An authorizer over gRPC."""

    service: str
    """The authorizer."""
    port: UInt32
    """Its port."""
    timeout: Duration | None = None
    """Limit of one check; 600 s by default."""
    fail_open: bool = False
    """Requests and connections pass when the authorizer does not answer or answers 5xx."""
    clear_route_cache: bool = False
    """The route is chosen again after a check that allows."""
    status_on_error: str = ""
    """HTTP status when the authorizer cannot be reached; 403 by default."""
    include_request_body_in_check: EnvoyExternalAuthorizationRequestBody | None = None
    """The request's body is part of the check."""


class HttpHeader(Message, frozen=True, kw_only=True):
    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = (("value", "env_name"),)

    name: str
    """Name of the header."""
    value: str = ""
    """Its value."""
    env_name: str = ""
    """The proxy's environment variable that holds its value."""


class HttpService(Message, frozen=True, kw_only=True):
    """How an exporter speaks HTTP."""

    path: str
    """Path of its requests."""
    timeout: Duration | None = None
    """Limit of one; 3 s by default."""
    headers: tuple[HttpHeader, ...] = ()
    """Headers added to each."""


class GrpcService(Message, frozen=True, kw_only=True):
    """How an exporter speaks gRPC."""

    timeout: Duration | None = None
    """Limit of one call."""
    initial_metadata: tuple[HttpHeader, ...] = ()
    """Metadata added to each."""


class ZipkinTraceContextOption(Enum):
    """ZipkinTracingProvider.TraceContextOption: headers that carry the trace."""

    USE_B3 = "USE_B3"
    USE_B3_WITH_W3C_PROPAGATION = "USE_B3_WITH_W3C_PROPAGATION"
    """B3 first, else W3C; both are sent on."""


class ZipkinTracingProvider(Message, frozen=True, kw_only=True):
    service: str
    """The collector."""
    port: UInt32
    """Its port."""
    max_tag_length: UInt32 = 0
    """Longest tag of a path; 256 when 0."""
    enable_64bit_trace_id: bool = msgspec.field(default=False, name="enable64bitTraceId")
    """Trace ids of 64 bits rather than 128."""
    path: str = ""
    """Where spans are posted; `/api/v2/spans` when empty."""
    trace_context_option: ZipkinTraceContextOption = ZipkinTraceContextOption.USE_B3
    """Headers that carry the trace."""
    timeout: Duration | None = None
    """Limit of one post; 5 s by default."""
    headers: tuple[HttpHeader, ...] = ()
    """Headers added to each post."""


class LightstepTracingProvider(Message, frozen=True, kw_only=True):
    """Deprecated by Istio: use OpenTelemetry."""

    service: str
    """The collector."""
    port: UInt32
    """Its port."""
    access_token: str = ""
    """Lightstep's access token."""
    max_tag_length: UInt32 = 0
    """Longest tag of a path; 256 when 0."""


class DatadogTracingProvider(Message, frozen=True, kw_only=True):
    service: str
    """The agent."""
    port: UInt32
    """Its port."""
    max_tag_length: UInt32 = 0
    """Longest tag of a path; 256 when 0."""


class SkyWalkingTracingProvider(Message, frozen=True, kw_only=True):
    service: str
    """The receiver."""
    port: UInt32
    """Its port."""
    access_token: str = ""
    """SkyWalking's access token."""


class StackdriverLogging(Message, frozen=True, kw_only=True):
    """StackdriverProvider.Logging."""

    labels: dict[str, str] = msgspec.field(default_factory=dict)
    """Tags of log entries: name to expression."""


class StackdriverProvider(Message, frozen=True, kw_only=True):
    debug: bool = False
    """Deprecated."""
    max_number_of_attributes: Int64 | None = None
    """Deprecated."""
    max_number_of_annotations: Int64 | None = None
    """Deprecated."""
    max_number_of_message_events: Int64 | None = None
    """Deprecated."""
    max_tag_length: UInt32 = 0
    """Longest tag of a path; 256 when 0."""
    logging: StackdriverLogging | None = None
    """What is logged."""


class OpenCensusAgentTracingProvider(Message, frozen=True, kw_only=True):
    """Deprecated by Istio, and gone from Envoy."""

    service: str
    """The agent."""
    port: UInt32
    """Its port."""
    context: tuple[TraceContext, ...] = ()
    """Headers read and written; W3C_TRACE_CONTEXT when empty."""
    max_tag_length: UInt32 = 0
    """Longest tag of a path; 256 when 0."""


class EnvironmentResourceDetector(Message, frozen=True, kw_only=True):
    """Attributes from the proxy's variable OTEL_RESOURCE_ATTRIBUTES."""


class DynatraceResourceDetector(Message, frozen=True, kw_only=True):
    """Attributes from Dynatrace's enrichment files."""


class ResourceDetectors(Message, frozen=True, kw_only=True):
    environment: EnvironmentResourceDetector | None = None
    """From the environment."""
    dynatrace: DynatraceResourceDetector | None = None
    """From Dynatrace's files."""


class DynatraceApi(Message, frozen=True, kw_only=True):
    """OpenTelemetryTracingProvider.DynatraceSampler.DynatraceApi."""

    service: str
    """Dynatrace's host."""
    port: UInt32
    """Its port."""
    http: HttpService
    """How it is asked."""


class DynatraceSampler(Message, frozen=True, kw_only=True):
    tenant: str
    """Dynatrace's tenant."""
    cluster_id: int
    """Dynatrace's cluster."""
    root_spans_per_minute: UInt32 = 0
    """Limit until Dynatrace has been asked; 1,000 when 0."""
    http_service: DynatraceApi | None = None
    """Where the sampling configuration is asked for; where spans go when absent."""


class OpenTelemetryTracingProvider(Message, frozen=True, kw_only=True):
    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = (("http", "grpc"),)

    service: str
    """The collector (OTLP)."""
    port: UInt32
    """Its port."""
    max_tag_length: UInt32 = 0
    """Longest tag of a path; 256 when 0."""
    http: HttpService | None = None
    """Export over HTTP; otherwise over gRPC."""
    grpc: GrpcService | None = None
    """Export over gRPC, in detail."""
    resource_detectors: ResourceDetectors | None = None
    """Where attributes of the resource come from."""
    dynatrace_sampler: DynatraceSampler | None = None
    """Sampling as Dynatrace says."""


class PrometheusMetricsProvider(Message, frozen=True, kw_only=True):
    """Metrics that Prometheus scrapes."""


class FileLogFormat(Message, frozen=True, kw_only=True):
    """EnvoyFileAccessLogProvider.LogFormat."""

    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = (("text", "labels"),)

    text: str = ""
    """A line of text with Envoy's command operators."""
    labels: AnyStruct | None = None
    """A JSON object with Envoy's command operators; an empty one for the default."""


class EnvoyFileAccessLogProvider(Message, frozen=True, kw_only=True):
    path: str = ""
    """The file; `/dev/stdout` when empty."""
    log_format: FileLogFormat | None = None
    """What an entry looks like."""
    omit_empty_values: bool = False
    """Operators without a value leave nothing rather than `-`."""


class EnvoyHttpGrpcV3LogProvider(Message, frozen=True, kw_only=True):
    """Envoy's gRPC access log service, for HTTP."""

    service: str
    """Where logs are sent."""
    port: UInt32
    """Its port."""
    log_name: str = ""
    """Name of the log; `http_envoy_accesslog` when empty."""
    filter_state_objects_to_log: tuple[str, ...] = ()
    """Objects of filter state in each entry."""
    additional_request_headers_to_log: tuple[str, ...] = ()
    """Request headers in each entry."""
    additional_response_headers_to_log: tuple[str, ...] = ()
    """Response headers in each entry."""
    additional_response_trailers_to_log: tuple[str, ...] = ()
    """Response trailers in each entry."""


class EnvoyTcpGrpcV3LogProvider(Message, frozen=True, kw_only=True):
    """Envoy's gRPC access log service, for TCP."""

    service: str
    """Where logs are sent."""
    port: UInt32
    """Its port."""
    log_name: str = ""
    """Name of the log; `tcp_envoy_accesslog` when empty."""
    filter_state_objects_to_log: tuple[str, ...] = ()
    """Objects of filter state in each entry."""


class OpenTelemetryLogFormat(Message, frozen=True, kw_only=True):
    """EnvoyOpenTelemetryLogProvider.LogFormat."""

    text: str = ""
    """The body, with Envoy's command operators."""
    labels: AnyStruct | None = None
    """Attributes, with Envoy's command operators."""


class EnvoyOpenTelemetryLogProvider(Message, frozen=True, kw_only=True):
    """Access logs over OTLP."""

    service: str
    """Where logs are sent."""
    port: UInt32
    """Its port."""
    log_name: str = ""
    """Name of the log; `otel_envoy_accesslog` when empty."""
    log_format: OpenTelemetryLogFormat | None = None
    """What an entry looks like."""


class SDSProvider(Message, frozen=True, kw_only=True):
    """A secret discovery service that credential names `sds://NAME` refer to."""

    name: str = ""
    """What credential names call it."""
    service: str = ""
    """The service."""
    port: UInt32 = 0
    """Its port."""


class ExtensionProvider(Message, frozen=True, kw_only=True):
    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = (
        (
            "envoy_ext_authz_http",
            "envoy_ext_authz_grpc",
            "zipkin",
            "lightstep",
            "datadog",
            "stackdriver",
            "opencensus",
            "skywalking",
            "opentelemetry",
            "prometheus",
            "envoy_file_access_log",
            "envoy_http_als",
            "envoy_tcp_als",
            "envoy_otel_als",
            "sds",
        ),
    )

    name: str
    """What policies call it; unique."""
    envoy_ext_authz_http: EnvoyExternalAuthorizationHttpProvider | None = None
    """Authorizes over HTTP."""
    envoy_ext_authz_grpc: EnvoyExternalAuthorizationGrpcProvider | None = None
    """Authorizes over gRPC."""
    zipkin: ZipkinTracingProvider | None = None
    """Traces to Zipkin."""
    lightstep: LightstepTracingProvider | None = None
    """Traces to Lightstep. Deprecated."""
    datadog: DatadogTracingProvider | None = None
    """Traces to Datadog."""
    stackdriver: StackdriverProvider | None = None
    """Traces, metrics and logs to Stackdriver."""
    opencensus: OpenCensusAgentTracingProvider | None = None
    """Traces to an OpenCensus agent. Deprecated."""
    skywalking: SkyWalkingTracingProvider | None = None
    """Traces to SkyWalking."""
    opentelemetry: OpenTelemetryTracingProvider | None = None
    """Traces by OTLP."""
    prometheus: PrometheusMetricsProvider | None = None
    """Metrics for Prometheus."""
    envoy_file_access_log: EnvoyFileAccessLogProvider | None = None
    """Access logs to a file."""
    envoy_http_als: EnvoyHttpGrpcV3LogProvider | None = None
    """HTTP access logs over gRPC."""
    envoy_tcp_als: EnvoyTcpGrpcV3LogProvider | None = None
    """TCP access logs over gRPC."""
    envoy_otel_als: EnvoyOpenTelemetryLogProvider | None = None
    """Access logs by OTLP."""
    sds: SDSProvider | None = None
    """Credentials of gateways."""
