"""The inputs of the engine: one table per kind. Sources write them, queries read them.

Only valid values come in: what does not pass `lateen.api` never replaces the last good value, and is told of in
`REJECTED`. Every listing by namespace, host or selector that a query needs is an index here, so that a query depends on
the bucket it looked into and on nothing else.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from datetime import datetime
from typing import Any

from lateen.api.extensions.traffic_extension import TrafficExtension
from lateen.api.extensions.wasm_plugin import WasmPlugin
from lateen.api.kubernetes.config_map import ConfigMap
from lateen.api.kubernetes.endpoint_slice import SERVICE_NAME_LABEL, EndpointSlice
from lateen.api.kubernetes.namespace import Namespace
from lateen.api.kubernetes.node import Node
from lateen.api.kubernetes.pod import Pod
from lateen.api.kubernetes.secret import Secret
from lateen.api.kubernetes.service import NETWORK_LABEL, Service
from lateen.api.mesh.mesh_config import MeshConfig
from lateen.api.mesh.mesh_networks import MeshNetworks
from lateen.api.networking.destination_rule import DestinationRule, PortTrafficPolicy, TLSmode, TrafficPolicy
from lateen.api.networking.envoy_filter import EnvoyFilter
from lateen.api.networking.gateway import Gateway
from lateen.api.networking.proxy_config import ProxyConfig
from lateen.api.networking.service_entry import ServiceEntry
from lateen.api.networking.sidecar import Sidecar
from lateen.api.networking.virtual_service import HTTPRoute, TCPRoute, TLSRoute, VirtualService
from lateen.api.networking.workload_entry import WorkloadEntry
from lateen.api.networking.workload_group import WorkloadGroup
from lateen.api.objects import Key, Object, ObjectRef
from lateen.api.schema.fault import Fault
from lateen.api.security.authorization_policy import AuthorizationPolicy
from lateen.api.security.peer_authentication import PeerAuthentication
from lateen.api.security.request_authentication import RequestAuthentication
from lateen.api.telemetry.telemetry import Telemetry
from lateen.engine import Cell, Table
from lateen.model import hosts
from lateen.model.gateway_names import MESH, full_gateway_names


def _namespace(value: Any) -> tuple[Hashable, ...]:
    return (value.metadata.namespace,)


def _name(value: Service) -> tuple[Hashable, ...]:
    """The same name in several clusters is one service."""
    return ((value.metadata.namespace, value.metadata.name),)


def _external_name(value: Service) -> tuple[Hashable, ...]:
    return (value.spec.external_name,) if value.spec.type == "ExternalName" and value.spec.external_name else ()


def _is_alias(value: Service) -> tuple[Hashable, ...]:
    """Services that stand for others are all in one bucket."""
    return (True,) if _external_name(value) else ()


def _gateway_of_network(value: Service) -> tuple[Hashable, ...]:
    """Services that are gateways into a network are all in one bucket."""
    return (True,) if value.metadata.labels.get(NETWORK_LABEL) else ()


def _service_of_slice(value: EndpointSlice) -> tuple[Hashable, ...]:
    name = value.metadata.labels.get(SERVICE_NAME_LABEL)
    return ((value.metadata.namespace, name),) if name else ()


def _pod_addresses(value: Pod) -> tuple[Hashable, ...]:
    return value.addresses


def _hosts(value: Object[Any]) -> tuple[Hashable, ...]:
    """Hosts exactly as written; short names are relative to the object's namespace."""
    return tuple(dict.fromkeys(value.spec.hosts))


def _host(value: Object[DestinationRule]) -> tuple[Hashable, ...]:
    return (value.spec.host,)


def _credentials(value: Object[Gateway]) -> tuple[Hashable, ...]:
    """Names of the Secrets with certificates that its servers name, whatever their namespace."""
    return _secret_names(
        name
        for server in value.spec.servers
        if server.tls is not None
        for name in (server.tls.credential_name, *server.tls.credential_names)
    )


def _authorities(value: Object[Gateway]) -> tuple[Hashable, ...]:
    """Names of the Secrets with authorities alone."""
    return _secret_names(server.tls.ca_cert_credential_name for server in value.spec.servers if server.tls is not None)


def _secret_names(references: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.rpartition("/")[2] for name in references if name))


def _exported_to(value: Object[DestinationRule]) -> tuple[Hashable, ...]:
    """Namespaces by name."""
    given = value.spec.export_to
    return tuple([namespace for namespace in dict.fromkeys(given) if namespace not in ("*", ".")]) if given else ()


def _asks_for_hashing(value: Object[DestinationRule]) -> tuple[Hashable, ...]:
    """Whether any policy balances by consistent hashing, for which requests need a hash."""
    for policy in (value.spec.traffic_policy, *[subset.traffic_policy for subset in value.spec.subsets]):
        if policy is not None:
            parts: tuple[TrafficPolicy | PortTrafficPolicy, ...] = (policy, *policy.port_level_settings)
            for settings in parts:
                if settings.load_balancer is not None and settings.load_balancer.consistent_hash is not None:
                    return (True,)
    return ()


def _routed_hosts(value: Object[VirtualService]) -> tuple[Hashable, ...]:
    """Where `hosts.bucket` looks for them."""
    namespace = value.metadata.namespace
    return tuple(dict.fromkeys([hosts.bucket(host.lower(), namespace) for host in value.spec.hosts]))


def _has_wildcards(value: Object[VirtualService]) -> tuple[Hashable, ...]:
    for host in value.spec.hosts:
        if host.startswith("*"):
            return (True,)
    return ()


def _gateways(value: Object[VirtualService]) -> tuple[Hashable, ...]:
    """Gateways in full; a delegate has none of its own."""
    return full_gateway_names(value.spec.gateways, value.metadata.namespace) if value.spec.hosts else ()


def _delegates(value: Object[VirtualService]) -> tuple[Hashable, ...]:
    """Namespace and name of those it delegates to."""
    found = [route.delegate for route in value.spec.http if route.delegate is not None]
    return tuple(dict.fromkeys((d.namespace or value.metadata.namespace, d.name) for d in found))


def _originates_tls(value: Object[DestinationRule]) -> tuple[Hashable, ...]:
    """True for those that have TLS of the user's (SIMPLE, MUTUAL) anywhere."""
    for policy in (value.spec.traffic_policy, *[subset.traffic_policy for subset in value.spec.subsets]):
        if policy is not None:
            parts: tuple[TrafficPolicy | PortTrafficPolicy, ...] = (policy, *policy.port_level_settings)
            for settings in parts:
                if settings.tls is not None and settings.tls.mode in (TLSmode.SIMPLE, TLSmode.MUTUAL):
                    return (True,)
    return ()


def _asks_for_clients(value: Object[VirtualService]) -> tuple[Hashable, ...]:
    """True for those, delegates included, whose matches ask for clients' namespaces or labels."""
    spec = value.spec
    routes: tuple[HTTPRoute | TLSRoute | TCPRoute, ...] = (*spec.http, *spec.tls, *spec.tcp)
    for route in routes:
        for match in route.match:
            if match.source_labels or match.source_namespace:
                return (True,)
    return ()


def _nearness(value: Object[DestinationRule]) -> tuple[Hashable, ...]:
    """What in it has clients prefer near endpoints: `locality` settings, detection of `outliers` (failover)."""
    found: dict[Hashable, None] = {}
    for policy in (value.spec.traffic_policy, *[subset.traffic_policy for subset in value.spec.subsets]):
        if policy is None:
            continue
        for balancer in (policy.load_balancer, *[port.load_balancer for port in policy.port_level_settings]):
            if balancer is not None and balancer.locality_lb_setting is not None:
                found["locality"] = None
        for outliers in (policy.outlier_detection, *[port.outlier_detection for port in policy.port_level_settings]):
            if outliers is not None:
                found["outliers"] = None
    return tuple(found)


def _routes_streams(value: Object[VirtualService]) -> tuple[Hashable, ...]:
    """True for those that route byte streams of sidecars."""
    spec = value.spec
    return (True,) if (spec.tcp or spec.tls) and (not spec.gateways or MESH in spec.gateways) else ()


# --- Kubernetes: of every cluster the mesh reads ----------------------------------------------------------------

NAMESPACES: Table[Key, Namespace] = Table("namespaces")
NODES: Table[Key, Node] = Table("nodes")
SERVICES: Table[Key, Service] = Table(
    "services",
    indexes={
        "namespace": _namespace,
        "name": _name,
        "external_name": _external_name,
        "alias": _is_alias,
        "network": _gateway_of_network,
    },
)
ENDPOINT_SLICES: Table[Key, EndpointSlice] = Table("endpointslices", indexes={"service": _service_of_slice})
PODS: Table[Key, Pod] = Table("pods", indexes={"namespace": _namespace, "address": _pod_addresses})
SECRETS: Table[Key, Secret] = Table("secrets")
CONFIG_MAPS: Table[Key, ConfigMap] = Table("configmaps")

# --- the mesh's own kinds -----------------------------------------------------------------------------------------

VIRTUAL_SERVICES: Table[Key, Object[VirtualService]] = Table(
    "virtualservices",
    indexes={
        "namespace": _namespace,
        "host": _routed_hosts,
        "wildcard": _has_wildcards,
        "gateway": _gateways,
        "delegate": _delegates,
        "asks_for_clients": _asks_for_clients,
        "routes_streams": _routes_streams,
    },
)
DESTINATION_RULES: Table[Key, Object[DestinationRule]] = Table(
    "destinationrules",
    indexes={
        "namespace": _namespace,
        "host": _host,
        "exported_to": _exported_to,
        "originates_tls": _originates_tls,
        "hashing": _asks_for_hashing,
        "nearness": _nearness,
    },
)
GATEWAYS: Table[Key, Object[Gateway]] = Table(
    "gateways", indexes={"namespace": _namespace, "credential": _credentials, "authorities": _authorities}
)
SERVICE_ENTRIES: Table[Key, Object[ServiceEntry]] = Table(
    "serviceentries", indexes={"namespace": _namespace, "host": _hosts}
)
SIDECARS: Table[Key, Object[Sidecar]] = Table("sidecars", indexes={"namespace": _namespace})
WORKLOAD_ENTRIES: Table[Key, Object[WorkloadEntry]] = Table("workloadentries", indexes={"namespace": _namespace})
WORKLOAD_GROUPS: Table[Key, Object[WorkloadGroup]] = Table("workloadgroups", indexes={"namespace": _namespace})
PROXY_CONFIGS: Table[Key, Object[ProxyConfig]] = Table("proxyconfigs", indexes={"namespace": _namespace})
ENVOY_FILTERS: Table[Key, Object[EnvoyFilter]] = Table("envoyfilters", indexes={"namespace": _namespace})
PEER_AUTHENTICATIONS: Table[Key, Object[PeerAuthentication]] = Table(
    "peerauthentications", indexes={"namespace": _namespace}
)
REQUEST_AUTHENTICATIONS: Table[Key, Object[RequestAuthentication]] = Table(
    "requestauthentications", indexes={"namespace": _namespace}
)
AUTHORIZATION_POLICIES: Table[Key, Object[AuthorizationPolicy]] = Table(
    "authorizationpolicies", indexes={"namespace": _namespace}
)
TELEMETRIES: Table[Key, Object[Telemetry]] = Table("telemetries", indexes={"namespace": _namespace})
WASM_PLUGINS: Table[Key, Object[WasmPlugin]] = Table("wasmplugins", indexes={"namespace": _namespace})
TRAFFIC_EXTENSIONS: Table[Key, Object[TrafficExtension]] = Table("trafficextensions", indexes={"namespace": _namespace})

# --- mesh-wide ----------------------------------------------------------------------------------------------------

MESH_CONFIG: Cell[MeshConfig] = Cell("meshconfig", MeshConfig())
MESH_NETWORKS: Cell[MeshNetworks] = Cell("meshnetworks", MeshNetworks())
CLUSTER_ID: Cell[str] = Cell("clusterid", "Kubernetes")
"""What the control plane's own cluster is called (endpoints of `Key.cluster == ""` carry it)."""
DOMAIN: Cell[str] = Cell("domain", "cluster.local")
"""Suffix of Kubernetes service names."""
HOUR: Cell[datetime | None] = Cell("hour", None)
"""The time, in whole hours (UTC); None when nobody tells it. For findings: no configuration depends on it."""
SCOPE_GATEWAYS_TO_NAMESPACE: Cell[bool] = Cell("scopegateways", False)
"""Gateways select proxies of their own namespace alone (PILOT_SCOPE_GATEWAY_TO_NAMESPACE)."""

# --- what did not come in -----------------------------------------------------------------------------------------

REJECTED: Table[ObjectRef, tuple[Fault, ...]] = Table("rejected")
"""Faults of the newest version of an object, where that version was rejected."""
WARNINGS: Table[ObjectRef, tuple[Fault, ...]] = Table("warnings")
"""What validation warned about in objects that were taken."""
REJECTED_GENERATIONS: Table[ObjectRef, int] = Table("rejectedgenerations")
"""`metadata.generation` of the versions that `REJECTED` tells of: status says which version it is about."""
