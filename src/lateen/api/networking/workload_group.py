"""networking.istio.io WorkloadGroup: the template by which workloads that are not pods register themselves."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from lateen.api.networking.workload_entry import UNIX_RULE, WorkloadEntry
from lateen.api.schema.message import Message, Rule, UInt32, rules

NonNegative = Annotated[int, Meta(ge=0, le=2147483647)]
ProbePort = Annotated[UInt32, rules(("0 < self && self <= 65535", "port must be between 1-65535"))]


class ObjectMeta(Message, frozen=True):
    """Labels and annotations of the entries that are made."""

    labels: Annotated[dict[str, str], Meta(max_length=256)] = msgspec.field(default_factory=dict)
    """Labels to attach."""
    annotations: Annotated[dict[str, str], Meta(max_length=256)] = msgspec.field(default_factory=dict)
    """Annotations to attach."""


class WorkloadEntryTemplate(WorkloadEntry, frozen=True):
    """A WorkloadEntry without the address, which each workload brings itself."""

    rules: ClassVar[tuple[Rule, ...]] = (UNIX_RULE,)


class HTTPHeader(Message, frozen=True):
    """A header of a probe's request."""

    name: Annotated[str, Meta(pattern="^[-_A-Za-z0-9]+$")] = ""
    """Name of the header."""
    value: str = ""
    """Value of the header."""


class HTTPHealthCheckConfig(Message, frozen=True, kw_only=True):
    """An HTTP GET; a status from 200 to 399 is healthy."""

    path: str = ""
    """Path to ask for."""
    port: ProbePort
    """Port of the workload."""
    host: str = ""
    """Host to connect to; the workload's own address when empty."""
    scheme: Annotated[str, rules(("self in ['', 'HTTP', 'HTTPS']", "scheme must be one of [HTTP, HTTPS]"))] = ""
    """`HTTP` (also when empty) or `HTTPS`."""
    http_headers: tuple[HTTPHeader, ...] = ()
    """Headers of the request; names may repeat."""


class GrpcHealthCheckConfig(Message, frozen=True):
    """The standard gRPC health check."""

    port: ProbePort = 0
    """Port of the workload."""
    service: str = ""
    """Service name in the request; empty asks for the server as a whole."""


class TCPHealthCheckConfig(Message, frozen=True, kw_only=True):
    """A TCP connection that can be opened is healthy."""

    host: str = ""
    """Host to connect to; localhost when empty."""
    port: ProbePort
    """Port to connect to."""


class ExecHealthCheckConfig(Message, frozen=True):
    """A command that exits with 0 is healthy."""

    command: tuple[Annotated[str, Meta(min_length=1)], ...]
    """The command and its arguments; no shell is involved."""


class ReadinessProbe(Message, frozen=True):
    """How to tell whether a workload of the group is ready: as Kubernetes does for pods."""

    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = (("http_get", "tcp_socket", "exec", "grpc"),)

    initial_delay_seconds: NonNegative = 0
    """Seconds to wait before the first probe."""
    timeout_seconds: NonNegative = 0
    """Seconds until a probe counts as failed; 0 means 1."""
    period_seconds: NonNegative = 0
    """Seconds between probes; 0 means 10."""
    success_threshold: NonNegative = 0
    """Successes in a row that make a failed workload ready; 0 means 1."""
    failure_threshold: NonNegative = 0
    """Failures in a row that make a ready workload unready; 0 means 3."""
    http_get: HTTPHealthCheckConfig | None = None
    """Probe by an HTTP request."""
    tcp_socket: TCPHealthCheckConfig | None = None
    """Probe by a TCP connection."""
    exec: ExecHealthCheckConfig | None = None
    """Probe by a command."""
    grpc: GrpcHealthCheckConfig | None = None
    """Probe by the gRPC health service."""


class WorkloadGroup(Message, frozen=True, kw_only=True):
    """Workloads that are alike: what a Deployment is to pods."""

    metadata: ObjectMeta | None = None
    """Labels and annotations of the WorkloadEntries of this group."""
    template: WorkloadEntryTemplate
    """What the WorkloadEntries of this group are made from, but for the address."""
    probe: ReadinessProbe | None = None
    """When a workload of this group is ready."""
