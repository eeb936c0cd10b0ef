"""networking.istio.io ServiceEntry: a service that the platform's registry does not know."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, ClassVar

from msgspec import Meta

from lateen.api.networking.workload_entry import WorkloadEntry
from lateen.api.networking.workload_selector import WorkloadSelector
from lateen.api.schema.message import Message, Rule, UInt32, map_keys, rules

_PORT_RANGE = rules(("0 < self && self <= 65535", "port must be between 1-65535"))


class Location(Enum):
    """Whether the service's workloads have mesh identities."""

    MESH_EXTERNAL = "MESH_EXTERNAL"
    MESH_INTERNAL = "MESH_INTERNAL"


class Resolution(Enum):
    """How a proxy gets from the host to addresses."""

    NONE = "NONE"
    STATIC = "STATIC"
    DNS = "DNS"
    DNS_ROUND_ROBIN = "DNS_ROUND_ROBIN"
    DYNAMIC_DNS = "DYNAMIC_DNS"


class ServicePort(Message, frozen=True, kw_only=True):
    """One port of the service."""

    number: Annotated[UInt32, _PORT_RANGE]
    """The port that clients use."""
    protocol: Annotated[str, Meta(max_length=256)] = ""
    """HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP, TLS, ...; when empty, the proxy looks at the first bytes."""
    name: Annotated[str, Meta(max_length=256)]
    """Label of the port, unique in the service."""
    target_port: Annotated[UInt32, _PORT_RANGE] = 0
    """The port of the endpoints; `number` when not given."""


class ServiceEntry(Message, frozen=True):
    """A service by its hosts."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "(has(self.workloadSelector) ? 1 : 0) + (has(self.endpoints) ? 1 : 0) <= 1",
            "only one of WorkloadSelector or Endpoints can be set",
        ),
        Rule(
            "!((has(self.addresses) ? self.addresses : []).exists(k, k.contains('/')) && "
            "!((has(self.resolution) ? self.resolution : 'NONE') in ['STATIC', 'NONE']))",
            "CIDR addresses are allowed only for NONE/STATIC resolution types",
        ),
        Rule(
            "(has(self.resolution) ? self.resolution : 'NONE') == 'NONE' ? !has(self.endpoints) : true",
            "NONE mode cannot set endpoints",
        ),
        Rule(
            "(has(self.resolution) ? self.resolution : '') == 'DNS_ROUND_ROBIN' ? "
            "(has(self.endpoints) ? self.endpoints : []).size() <= 1 : true",
            "DNS_ROUND_ROBIN mode cannot have multiple endpoints",
        ),
    )

    hosts: Annotated[
        tuple[Annotated[str, rules(("self != '*'", "hostname cannot be wildcard"))], ...],
        Meta(min_length=1, max_length=256),
    ]
    """DNS names, with `*.` in front for all names below. Where a Kubernetes Service has the same name, it keeps its own
    endpoints, and takes `subjectAltNames` from here."""
    addresses: Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=256)] = ()
    """Virtual addresses or CIDRs by which TCP traffic is told to be this service's; without any, one is given
    automatically where the proxy answers DNS, and the port alone decides elsewhere."""
    ports: Annotated[
        tuple[ServicePort, ...],
        Meta(max_length=256),
        map_keys("name"),
        rules(("self.all(l1, self.exists_one(l2, l1.number == l2.number))", "port number cannot be duplicated")),
    ] = ()
    """Ports of the service."""
    location: Location = Location.MESH_EXTERNAL
    """Whether the service is in the mesh: external services get no mutual TLS by themselves."""
    resolution: Resolution = Resolution.NONE
    """NONE: the address the application dialled. STATIC: the endpoints' addresses. DNS, DNS_ROUND_ROBIN: names that the
    proxy resolves. DYNAMIC_DNS: the name that the request carries."""
    endpoints: Annotated[tuple[WorkloadEntry, ...], Meta(max_length=4096)] = ()
    """The endpoints. Not together with `workload_selector`."""
    workload_selector: WorkloadSelector | None = None
    """Selects WorkloadEntries and Pods of this namespace as endpoints."""
    export_to: tuple[str, ...] = ()
    """Namespaces that see the service: names, `.` for this one, `*` for all. MeshConfig's default when empty."""
    subject_alt_names: tuple[str, ...] = ()
    """Names of which the server's certificate must have one."""
