"""EndpointSlices (discovery.k8s.io/v1)."""

from __future__ import annotations

from lateen.api.objects import Metadata
from lateen.api.schema.message import Lenient

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
"""Names the Service whose endpoints a slice holds."""


class EndpointConditions(Lenient, frozen=True):
    """Absent is unknown, which readers take for what Kubernetes says in each case."""

    ready: bool | None = None
    """Absent counts as true."""
    serving: bool | None = None
    """Ready, whether it terminates or not; absent counts as `ready`."""
    terminating: bool | None = None
    """Absent counts as false."""


class ForZone(Lenient, frozen=True):
    name: str = ""


class ForNode(Lenient, frozen=True):
    name: str = ""


class EndpointHints(Lenient, frozen=True):
    """Whose clients an endpoint should serve."""

    for_zones: tuple[ForZone, ...] = ()
    for_nodes: tuple[ForNode, ...] = ()


class ObjectReference(Lenient, frozen=True):
    kind: str = ""
    name: str = ""
    namespace: str = ""


class SliceEndpoint(Lenient, frozen=True):
    """`Endpoint` in Kubernetes' API: all ports of one backend."""

    addresses: tuple[str, ...] = ()
    """Interchangeable; readers use the first."""
    conditions: EndpointConditions = EndpointConditions()
    hostname: str | None = None
    node_name: str | None = None
    zone: str | None = None
    target_ref: ObjectReference | None = None
    hints: EndpointHints | None = None
    deprecated_topology: dict[str, str] | None = None


class SlicePort(Lenient, frozen=True):
    """`EndpointPort` in Kubernetes' API."""

    name: str | None = ""
    """Of the Service's port."""
    protocol: str = "TCP"
    port: int | None = None
    """Absent: any port."""
    app_protocol: str | None = None


class EndpointSlice(Lenient, frozen=True):
    """Some of the endpoints of a Service."""

    metadata: Metadata
    address_type: str = ""
    """IPv4, IPv6 or FQDN."""
    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[SlicePort, ...] = ()
