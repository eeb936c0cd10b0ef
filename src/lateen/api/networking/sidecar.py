"""networking.istio.io Sidecar: what a sidecar listens on, and what it sees of the mesh."""

from __future__ import annotations

from enum import Enum

from lateen.api.networking.destination_rule import ConnectionPoolSettings
from lateen.api.networking.gateway import ServerTLSSettings
from lateen.api.networking.virtual_service import Destination
from lateen.api.networking.workload_selector import WorkloadSelector
from lateen.api.schema.message import Message, UInt32


class CaptureMode(Enum):
    """How traffic gets to a listener that is bound to an IP."""

    DEFAULT = "DEFAULT"
    IPTABLES = "IPTABLES"
    NONE = "NONE"


class OutboundTrafficPolicyMode(Enum):
    """What happens to traffic for destinations that the mesh does not know."""

    REGISTRY_ONLY = "REGISTRY_ONLY"
    ALLOW_ANY = "ALLOW_ANY"


class SidecarPort(Message, frozen=True):
    """A port that the sidecar listens on."""

    number: UInt32 = 0
    """Port number; 0 with a unix domain socket."""
    protocol: str = ""
    """HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP, TLS, ..."""
    name: str = ""
    """Label of the port."""
    target_port: UInt32 = 0
    """Without effect here; rejected when set."""


class OutboundTrafficPolicy(Message, frozen=True):
    """What to do with unknown destinations."""

    mode: OutboundTrafficPolicyMode = OutboundTrafficPolicyMode.REGISTRY_ONLY
    """REGISTRY_ONLY refuses them, ALLOW_ANY lets them through."""
    egress_proxy: Destination | None = None
    """With ALLOW_ANY: a service that unknown traffic is sent to, instead of where it was going."""


class IstioIngressListener(Message, frozen=True):
    """A port on which the workload takes traffic."""

    port: SidecarPort
    """The port that clients reach."""
    bind: str = ""
    """IP address to listen on; chosen automatically when empty."""
    capture_mode: CaptureMode = CaptureMode.DEFAULT
    """How traffic gets to the listener."""
    default_endpoint: str = ""
    """Where the application listens: `127.0.0.1:PORT`, `[::1]:PORT`, `0.0.0.0:PORT` (the workload's own address),
    `[::]:PORT` or `unix:///path`; the same port when empty."""
    tls: ServerTLSSettings | None = None
    """TLS that the sidecar terminates on this port, for clients outside of the mesh."""
    connection_pool: ConnectionPoolSettings | None = None
    """Limits of connections from the sidecar to the application on this port, instead of the Sidecar's."""


class IstioEgressListener(Message, frozen=True, kw_only=True):
    """What the workload reaches, in general or by one port."""

    port: SidecarPort | None = None
    """The port this is about; every port that no other listener names, when not given."""
    bind: str = ""
    """IP address or `unix://` path to listen on; needs `port`."""
    capture_mode: CaptureMode = CaptureMode.DEFAULT
    """How traffic gets to the listener."""
    hosts: tuple[str, ...]
    """What is seen, as `namespace/name`. The namespace is a name, `*`, `.` for this one or `~` for none; the name is a
    host, one with `*.` in front, or `*`."""


class Sidecar(Message, frozen=True):
    """Configuration of the sidecars that it selects."""

    workload_selector: WorkloadSelector | None = None
    """Which workloads of the namespace; all of them when not given. In the root namespace, a Sidecar without a selector
    is the default of all namespaces."""
    ingress: tuple[IstioIngressListener, ...] = ()
    """Inbound listeners, instead of those that follow from the services of the workload."""
    egress: tuple[IstioEgressListener, ...] = ()
    """What the workload sees; everything when empty."""
    outbound_traffic_policy: OutboundTrafficPolicy | None = None
    """What happens to unknown destinations; MeshConfig's choice when not given."""
    inbound_connection_pool: ConnectionPoolSettings | None = None
    """Limits of connections from the sidecar to the application."""
