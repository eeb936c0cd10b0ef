"""telemetry.istio.io Telemetry (istio.telemetry.v1alpha1)."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, ClassVar

from msgspec import Meta

from lateen.api.schema.duration import Duration
from lateen.api.schema.message import Message, Rule, rules
from lateen.api.type.selector import PolicyTargetReference, TargetReferences, WorkloadSelector

NonEmpty = Annotated[str, Meta(min_length=1)]


class WorkloadMode(Enum):
    """A side of the traffic; unlike istio.type's, both sides are the default."""

    CLIENT_AND_SERVER = "CLIENT_AND_SERVER"
    CLIENT = "CLIENT"
    SERVER = "SERVER"


class ProviderRef(Message):
    """A telemetry provider of MeshConfig."""

    name: NonEmpty
    """The provider's name in MeshConfig `extensionProviders`."""


class Literal(Message):
    """A fixed value."""

    value: NonEmpty
    """The value."""


class Environment(Message):
    """A value from the proxy's environment."""

    name: NonEmpty
    """Name of the environment variable."""
    default_value: str = ""
    """Used where the variable is not set."""


class RequestHeader(Message):
    """A value from a request header."""

    name: NonEmpty
    """Name of the header."""
    default_value: str = ""
    """Used where the request lacks the header."""


class Formatter(Message):
    """A value from an access log format command."""

    value: NonEmpty
    """A format string as of HTTP access logs, such as `%REQ(x-tenant)%`."""


class CustomTag(Message):
    """Where the value of a span's tag comes from."""

    literal: Literal | None = None
    """The same value for every span."""
    environment: Environment | None = None
    """A variable of the proxy's environment."""
    header: RequestHeader | None = None
    """A header of the request."""
    formatter: Formatter | None = None
    """An access log format string."""

    oneofs: ClassVar = (("literal", "environment", "header", "formatter"),)


class TracingSelector(Message):
    """Which traffic a tracing rule is about."""

    mode: WorkloadMode = WorkloadMode.CLIENT_AND_SERVER
    """The side of the traffic."""


class Tracing(Message):
    """Spans: whether, where to, and with which tags."""

    match: TracingSelector | None = None
    """Which traffic; all if not set."""
    providers: tuple[ProviderRef, ...] = ()
    """Where spans are sent; the mesh's default providers if empty. At most one is used."""
    random_sampling_percentage: Annotated[float, Meta(ge=0, le=100)] | None = None
    """Percentage of requests traced where the caller has not decided, in steps of 0.01. Default 0 (or the mesh's)."""
    disable_span_reporting: bool | None = None
    """Reports no spans; trace context is still passed on."""
    disable_context_propagation: bool | None = None
    """Adds no trace context (`traceparent`, `x-b3-*`) to requests; spans are still reported."""
    custom_tags: dict[str, CustomTag] = {}
    """Tags added to spans; replaces those of wider-scoped resources."""
    enable_istio_tags: bool | None = None
    """Adds the tags `istio.mesh_id`, `istio.canonical_service` and so on. Default true."""
    use_request_id_for_trace_sampling: bool | None = None
    """Keeps the sampling decision in the `x-request-id` header. Default true."""


class IstioMetric(Enum):
    """The standard metrics."""

    ALL_METRICS = "ALL_METRICS"
    REQUEST_COUNT = "REQUEST_COUNT"
    """`istio_requests_total`"""
    REQUEST_DURATION = "REQUEST_DURATION"
    """`istio_request_duration_milliseconds`"""
    REQUEST_SIZE = "REQUEST_SIZE"
    """`istio_request_bytes`"""
    RESPONSE_SIZE = "RESPONSE_SIZE"
    """`istio_response_bytes`"""
    TCP_OPENED_CONNECTIONS = "TCP_OPENED_CONNECTIONS"
    """`istio_tcp_connections_opened_total`"""
    TCP_CLOSED_CONNECTIONS = "TCP_CLOSED_CONNECTIONS"
    """`istio_tcp_connections_closed_total`"""
    TCP_SENT_BYTES = "TCP_SENT_BYTES"
    """`istio_tcp_sent_bytes_total`"""
    TCP_RECEIVED_BYTES = "TCP_RECEIVED_BYTES"
    """`istio_tcp_received_bytes_total`"""
    GRPC_REQUEST_MESSAGES = "GRPC_REQUEST_MESSAGES"
    """`istio_request_messages_total`"""
    GRPC_RESPONSE_MESSAGES = "GRPC_RESPONSE_MESSAGES"
    """`istio_response_messages_total`"""


class MetricSelector(Message):
    """Which metrics an override is about."""

    metric: IstioMetric | None = None
    """A standard metric, or all of them."""
    custom_metric: NonEmpty | None = None
    """A metric by its own name."""
    mode: WorkloadMode = WorkloadMode.CLIENT_AND_SERVER
    """The side of the traffic."""

    oneofs: ClassVar = (("metric", "custom_metric"),)


class TagOperation(Enum):
    UPSERT = "UPSERT"
    """Sets the tag, new or not."""
    REMOVE = "REMOVE"
    """Leaves the tag out."""


class TagOverride(Message):
    """A change to one tag of a metric."""

    operation: TagOperation = TagOperation.UPSERT
    """What is done with the tag."""
    value: str = ""
    """With `UPSERT`, the value: a CEL expression over Envoy's attributes."""

    rules: ClassVar = (
        Rule(
            "(has(self.operation) ? self.operation : '') == 'UPSERT' ? self.value != '' : true",
            "value must be set when operation is UPSERT",
        ),
        Rule(
            "(has(self.operation) ? self.operation : '') == 'REMOVE' ? !has(self.value) : true",
            "value must not be set when operation is REMOVE",
        ),
    )


class MetricsOverrides(Message):
    """A change to how some metrics are made."""

    match: MetricSelector | None = None
    """Which metrics; all of both sides if not set."""
    disabled: bool | None = None
    """Turns the metrics off, or back on where a wider-scoped resource turned them off."""
    tag_overrides: dict[str, TagOverride] = {}
    """Changes to tags, by the name of the tag."""


class Metrics(Message):
    """Metrics: which, with which tags, for which providers."""

    providers: tuple[ProviderRef, ...] = ()
    """The providers this is about; the mesh's default ones if empty."""
    overrides: tuple[MetricsOverrides, ...] = ()
    """Changes, applied in order on top of those of wider-scoped resources."""
    reporting_interval: (
        Annotated[Duration, rules(("duration(self) >= duration('1ms')", "must be a duration of at least 1ms"))] | None
    ) = None
    """Time between reports of TCP metrics of open connections. Default 5s."""


class LogSelector(Message):
    """Which traffic a logging rule is about."""

    mode: WorkloadMode = WorkloadMode.CLIENT_AND_SERVER
    """The side of the traffic."""


class LogFilter(Message):
    """Which requests or connections are logged."""

    expression: str = ""
    """A CEL expression over Envoy's attributes, such as `response.code >= 400`; all if empty."""


class AccessLogging(Message):
    """Access logs: whether, and where to."""

    match: LogSelector | None = None
    """Which traffic; all if not set."""
    providers: tuple[ProviderRef, ...] = ()
    """Where log entries are sent; the mesh's default providers if empty."""
    disabled: bool | None = None
    """Turns the logs off, or back on where a wider-scoped resource turned them off."""
    filter: LogFilter | None = None
    """Which requests or connections; all if not set."""


class Telemetry(Message):
    """How workloads report metrics, access logs and traces.

    One resource without a selector per namespace; in the root namespace it is the mesh's default. More specific
    resources add to and override wider ones.
    """

    selector: WorkloadSelector | None = None
    """The workloads; all of the namespace if not set."""
    target_ref: PolicyTargetReference | None = None
    """Deprecated form of `targetRefs` with one element."""
    target_refs: TargetReferences = ()
    """The Gateways or Services whose proxies this is about."""
    tracing: tuple[Tracing, ...] = ()
    """Distributed tracing."""
    metrics: tuple[Metrics, ...] = ()
    """Metrics."""
    access_logging: tuple[AccessLogging, ...] = ()
    """Access logs."""

    rules: ClassVar = (
        Rule(
            "(has(self.selector) ? 1 : 0) + (has(self.targetRef) ? 1 : 0) + (has(self.targetRefs) ? 1 : 0) <= 1",
            "only one of selector, targetRef and targetRefs may be set",
        ),
    )
