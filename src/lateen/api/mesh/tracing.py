"""mesh/v1alpha1 Tracing: how proxies trace, as the mesh's ProxyConfig says it (the Telemetry API is its successor)."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from lateen.api.networking.destination_rule import ClientTLSSettings
from lateen.api.schema.message import Int64, Message, UInt32


class Zipkin(Message, frozen=True, kw_only=True):
    address: str = ""
    """`host:port` of the Zipkin service."""


class Lightstep(Message, frozen=True, kw_only=True):
    """Deprecated by Istio in favour of OpenTelemetry."""

    address: str = ""
    """`host:port` of the satellite pool."""
    access_token: str = ""
    """Lightstep's access token."""


class Datadog(Message, frozen=True, kw_only=True):
    address: str = ""
    """`host:port` of the agent."""


class Stackdriver(Message, frozen=True, kw_only=True):
    debug: bool = False
    """Trace to standard output."""
    max_number_of_attributes: Int64 | None = None
    """Attributes per span; 200 by default."""
    max_number_of_annotations: Int64 | None = None
    """Annotation events per span; 200 by default."""
    max_number_of_message_events: Int64 | None = None
    """Message events per span; 200 by default."""


class TraceContext(Enum):
    """How the context of a trace travels (OpenCensusAgent.TraceContext)."""

    UNSPECIFIED = "UNSPECIFIED"
    W3C_TRACE_CONTEXT = "W3C_TRACE_CONTEXT"
    """Header `traceparent`."""
    GRPC_BIN = "GRPC_BIN"
    """Header `grpc-trace-bin`."""
    CLOUD_TRACE_CONTEXT = "CLOUD_TRACE_CONTEXT"
    """Header `X-Cloud-Trace-Context`."""
    B3 = "B3"
    """Headers `X-B3-*`."""


class OpenCensusAgent(Message, frozen=True, kw_only=True):
    """Deprecated by Istio in favour of OpenTelemetry."""

    address: str = ""
    """gRPC address of the agent."""
    context: tuple[TraceContext, ...] = ()
    """Headers read and written; by default W3C_TRACE_CONTEXT."""


class Literal(Message, frozen=True, kw_only=True):
    value: str = ""
    """The tag's value."""


class Environment(Message, frozen=True, kw_only=True):
    name: str = ""
    """Environment variable of the proxy."""
    default_value: str = ""
    """Value where the variable is absent; with neither there is no tag."""


class RequestHeader(Message, frozen=True, kw_only=True):
    name: str = ""
    """Header of the request."""
    default_value: str = ""
    """Value where the header is absent; with neither there is no tag."""


class CustomTag(Message, frozen=True, kw_only=True):
    """A tag of every span."""

    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = (("literal", "environment", "header"),)

    literal: Literal | None = None
    """Always the same value."""
    environment: Environment | None = None
    """From the proxy's environment."""
    header: RequestHeader | None = None
    """From the request."""


class Tracing(Message, frozen=True, kw_only=True):
    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("zipkin", "lightstep", "datadog", "stackdriver", "open_census_agent"),
    )

    zipkin: Zipkin | None = None
    """Trace to Zipkin."""
    lightstep: Lightstep | None = None
    """Trace to Lightstep. Deprecated."""
    datadog: Datadog | None = None
    """Trace to Datadog."""
    stackdriver: Stackdriver | None = None
    """Trace to Stackdriver."""
    open_census_agent: OpenCensusAgent | None = None
    """Trace to an OpenCensus agent. Deprecated."""
    custom_tags: dict[str, CustomTag] = msgspec.field(default_factory=dict)
    """Tags added to every span, by name."""
    max_path_tag_length: UInt32 = 0
    """Characters of the path kept in the tag of the URL; 256 when 0."""
    sampling: Annotated[float, Meta(ge=0, le=100)] = 0.0
    """Percentage of requests traced at random; 1 when absent."""
    tls_settings: ClientTLSSettings | None = None
    """How the connection to the tracing service is secured."""
    enable_istio_tags: bool | None = None
    """Whether spans carry Istio's own tags; true when absent."""
