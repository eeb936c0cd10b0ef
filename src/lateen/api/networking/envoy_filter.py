"""networking.istio.io EnvoyFilter: patches of the configuration that is generated for Envoy."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from lateen.api.networking.workload_selector import WorkloadSelector
from lateen.api.schema.message import AnyStruct, Int32, Message, Rule, UInt32
from lateen.api.type.selector import PolicyTargetReference


class ApplyTo(Enum):
    """EnvoyFilter.ApplyTo: what kind of thing is patched."""

    INVALID = "INVALID"
    LISTENER = "LISTENER"
    FILTER_CHAIN = "FILTER_CHAIN"
    NETWORK_FILTER = "NETWORK_FILTER"
    HTTP_FILTER = "HTTP_FILTER"
    """A filter inside an HTTP connection manager."""
    ROUTE_CONFIGURATION = "ROUTE_CONFIGURATION"
    """All but its virtual hosts; MERGE only."""
    VIRTUAL_HOST = "VIRTUAL_HOST"
    HTTP_ROUTE = "HTTP_ROUTE"
    CLUSTER = "CLUSTER"
    EXTENSION_CONFIG = "EXTENSION_CONFIG"
    """A filter's configuration that is delivered by itself (ECDS)."""
    BOOTSTRAP = "BOOTSTRAP"
    """What Envoy starts with; MERGE only. Takes effect when the workload restarts."""
    LISTENER_FILTER = "LISTENER_FILTER"


class PatchContext(Enum):
    """EnvoyFilter.PatchContext: whose configuration, and in which direction."""

    ANY = "ANY"
    SIDECAR_INBOUND = "SIDECAR_INBOUND"
    SIDECAR_OUTBOUND = "SIDECAR_OUTBOUND"
    GATEWAY = "GATEWAY"
    WAYPOINT = "WAYPOINT"


class Operation(Enum):
    """EnvoyFilter.Patch.Operation."""

    INVALID = "INVALID"
    MERGE = "MERGE"
    """The value is merged in: scalars replace, lists are appended to, messages are merged."""
    ADD = "ADD"
    """The value is added at the end."""
    REMOVE = "REMOVE"
    """What matches is removed; there is no value."""
    INSERT_BEFORE = "INSERT_BEFORE"
    """The value is put before what matches; without a match condition, first."""
    INSERT_AFTER = "INSERT_AFTER"
    """The value is put after what matches; without a match condition, last."""
    INSERT_FIRST = "INSERT_FIRST"
    """The value is put first; with a match condition, only where it matches."""
    REPLACE = "REPLACE"
    """The value takes the place of what matches."""
    MERGE_AND_REPLACE_LIST = "MERGE_AND_REPLACE_LIST"
    """As MERGE, but lists replace lists; those in the configuration of a filter or a transport socket, too."""

    @property
    def is_merge(self) -> bool:
        return self in (Operation.MERGE, Operation.MERGE_AND_REPLACE_LIST)

    @property
    def is_insert(self) -> bool:
        return self in (Operation.INSERT_BEFORE, Operation.INSERT_AFTER, Operation.INSERT_FIRST)


class FilterClass(Enum):
    """EnvoyFilter.Patch.FilterClass: where ADD puts an HTTP or network filter."""

    UNSPECIFIED = "UNSPECIFIED"
    """Where the operation says."""
    AUTHN = "AUTHN"
    """After authentication."""
    AUTHZ = "AUTHZ"
    """After authorization."""
    STATS = "STATS"
    """Before statistics."""


class RouteAction(Enum):
    """EnvoyFilter.RouteConfigurationMatch.RouteMatch.Action."""

    ANY = "ANY"
    ROUTE = "ROUTE"
    REDIRECT = "REDIRECT"
    DIRECT_RESPONSE = "DIRECT_RESPONSE"


class ProxyMatch(Message, frozen=True, kw_only=True):
    proxy_version: str = ""
    """Regular expression (RE2) found in the node metadata `ISTIO_VERSION`."""
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    """Node metadata that must have exactly these values."""


class ClusterMatch(Message, frozen=True, kw_only=True):
    port_number: UInt32 = 0
    """Port of the service; any when 0."""
    service: str = ""
    """Host of the service; any when empty."""
    subset: str = ""
    """Subset; any when empty."""
    name: str = ""
    """Exact name of the cluster, in place of all else."""


class RouteMatch(Message, frozen=True, kw_only=True):
    name: str = ""
    """Name of the route: that of the VirtualService's route, or `default`."""
    action: RouteAction = RouteAction.ANY
    """What the route does."""


class VirtualHostMatch(Message, frozen=True, kw_only=True):
    name: str = ""
    """Name of the virtual host: `host:port`."""
    domain_name: str = ""
    """One of its domains."""
    route: RouteMatch | None = None
    """Which of its routes."""


class RouteConfigurationMatch(Message, frozen=True, kw_only=True):
    port_number: UInt32 = 0
    """Port of the service or of the gateway's server; any when 0."""
    port_name: str = ""
    """Name of the gateway's server port (HTTPS servers)."""
    gateway: str = ""
    """`namespace/name` of the Gateway (HTTPS servers)."""
    vhost: VirtualHostMatch | None = None
    """Which virtual host."""
    name: str = ""
    """Name of the route configuration."""


class SubFilterMatch(Message, frozen=True, kw_only=True):
    name: str = ""
    """Name of the HTTP filter."""


class FilterMatch(Message, frozen=True, kw_only=True):
    name: str = ""
    """Name of the network filter."""
    sub_filter: SubFilterMatch | None = None
    """A filter within it."""


class FilterChainMatch(Message, frozen=True, kw_only=True):
    name: str = ""
    """Name of the filter chain."""
    sni: str = ""
    """One of the server names that it matches."""
    transport_protocol: str = ""
    """The transport protocol that it matches: `raw_buffer` or `tls`."""
    application_protocols: str = ""
    """Application protocols that it matches, separated by commas."""
    filter: FilterMatch | None = None
    """A filter in it."""
    destination_port: UInt32 = 0
    """The destination port that it matches."""


class ListenerMatch(Message, frozen=True, kw_only=True):
    port_number: UInt32 = 0
    """Port of the listener; at inbound listeners, that of the filter chain."""
    port_name: str = ""
    """Not implemented by Istio either."""
    filter_chain: FilterChainMatch | None = None
    """Which filter chain."""
    listener_filter: str = ""
    """Name of a listener filter."""
    name: str = ""
    """Name of the listener."""


class WaypointFilterMatch(Message, frozen=True, kw_only=True):
    """EnvoyFilter.WaypointMatch.FilterMatch."""

    name: str = ""
    """Name of the network filter."""
    sub_filter: SubFilterMatch | None = None
    """A filter within it."""


class WaypointRouteMatch(Message, frozen=True, kw_only=True):
    """EnvoyFilter.WaypointMatch.RouteMatch."""

    name: str = ""
    """Name of the route."""


class WaypointMatch(Message, frozen=True, kw_only=True):
    port_number: UInt32 = 0
    """Port of the service."""
    service: str = ""
    """Host of the service."""
    filter: WaypointFilterMatch | None = None
    """Which filter."""
    route: WaypointRouteMatch | None = None
    """Which route."""


class EnvoyConfigObjectMatch(Message, frozen=True, kw_only=True):
    """Where a patch applies."""

    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = (("listener", "route_configuration", "cluster", "waypoint"),)

    context: PatchContext = PatchContext.ANY
    """Whose configuration."""
    proxy: ProxyMatch | None = None
    """Which proxies."""
    listener: ListenerMatch | None = None
    """Which listeners, filter chains and filters."""
    route_configuration: RouteConfigurationMatch | None = None
    """Which route configurations, virtual hosts and routes."""
    cluster: ClusterMatch | None = None
    """Which clusters."""
    waypoint: WaypointMatch | None = None
    """What of a waypoint."""


class Patch(Message, frozen=True, kw_only=True):
    """What is done."""

    operation: Operation = Operation.INVALID
    """How the value is applied."""
    value: AnyStruct | None = None
    """Envoy's configuration as JSON: the whole object for ADD, INSERT and REPLACE, a part of it for MERGE."""
    filter_class: FilterClass = FilterClass.UNSPECIFIED
    """With ADD: where the filter goes."""


class EnvoyConfigObjectPatch(Message, frozen=True, kw_only=True):
    apply_to: ApplyTo = ApplyTo.INVALID
    """What kind of thing is patched."""
    match: EnvoyConfigObjectMatch | None = None
    """Where; everywhere when absent."""
    patch: Patch | None = None
    """What is done."""


class EnvoyFilter(Message, frozen=True, kw_only=True):
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "(has(self.workloadSelector) ? 1 : 0) + (has(self.targetRefs) ? 1 : 0) <= 1",
            "only one of targetRefs or workloadSelector can be set",
        ),
    )

    workload_selector: WorkloadSelector | None = None
    """Workloads of the namespace it applies to (of every namespace, in the root namespace); all when absent."""
    target_refs: Annotated[tuple[PolicyTargetReference, ...], Meta(max_length=16)] = ()
    """Gateways or waypoints it applies to, in place of a selector."""
    config_patches: tuple[EnvoyConfigObjectPatch, ...] = ()
    """What is patched, in this order."""
    priority: Int32 = 0
    """Order among the patches of a namespace: the lowest first; then by age, then by name."""
