"""Clusters by which a sidecar hands inbound traffic to its own application, one per port of the workload."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from envoy.config.cluster.v3 import cluster_pb2

from lateen.api.mesh.mesh_config import InboundTrafficPolicyMode
from lateen.api.networking.destination_rule import ConnectionPoolSettings
from lateen.api.networking.sidecar import IstioIngressListener
from lateen.api.objects import Key, ObjectRef
from lateen.engine import Reader, query
from lateen.model.destination_rules import Rules, destination_rules, rule_client
from lateen.model.inbound_ports import InboundPort, inbound_plan
from lateen.model.inputs import MESH_CONFIG, SIDECARS
from lateen.model.names import inbound_cluster
from lateen.model.protocol import Protocol
from lateen.model.proxy import InboundView
from lateen.model.service import Service, ServicePort
from lateen.model.services import service
from lateen.model.traffic_policy import effective_policy
from lateen.model.workloads import WorkloadPort, workload_ports
from lateen.translate.clusters import fixed
from lateen.translate.clusters.connection_pool import apply_connection_pool, apply_http_options, http_version
from lateen.translate.clusters.local_address import bind_locally
from lateen.translate.clusters.mesh_defaults import mesh_defaults
from lateen.translate.clusters.stat_names import DELIMITER, stat_name
from lateen.translate.endpoints.wire_form import address
from lateen.translate.metadata import ServiceName, cluster_metadata
from lateen.translate.resource import Recipe, Resource, resource_of_bytes
from lateen.translate.wire import embedded, text

_LOOPBACK: Final = ("127.0.0.1", "::1")
_FOREVER: Final = 9_223_372_035
"""Seconds; about 292 years: an address of the workload's own is never forgotten."""

_Cluster = cluster_pb2.Cluster


class InboundCluster(msgspec.Struct, frozen=True):
    """All that the cluster of one port is made of."""

    number: int
    """Of the workload, as it is connected to."""
    protocol: Protocol
    services: tuple[WorkloadPort, ...]
    """Those that send to the port; the first decides where they differ."""
    sidecar: Key | None
    """The workload's Sidecar."""
    rules: Rules
    """DestinationRules of the first service: their limits hold at the server as well."""
    address: str
    """Where the application listens: an IP address or `unix://` path; empty for where the caller was connecting to."""
    port: int
    """With `address`; 0 for a unix socket."""
    ipv4: bool
    ipv6: bool

    @property
    def service_port(self) -> int:
        return self.services[0].port.port if self.services else self.number


@query
def listing(db: Reader, view: InboundView) -> tuple[Recipe, ...]:
    """Every cluster of a sidecar's inbound side; the same for all replicas of a workload."""
    traits = view.traits
    found = [_resolved(db, view, port) for port in inbound_plan(db, view).ports]
    recipes = [Recipe(inbound_cluster(each.number), cluster, (each,)) for each in found]
    return (*recipes, fixed.inbound_passthrough_recipe(traits.ipv4, traits.ipv6))


@query
def cluster(db: Reader, each: InboundCluster) -> Resource:
    """The cluster of one port."""
    name = inbound_cluster(each.number)
    mesh = mesh_defaults(db)
    pool, follows_rule = _pool(db, each)
    message = _Cluster(name=name, alt_stat_name=_stat_name(db, each))
    apply_connection_pool(message, pool, mesh)
    version = http_version(each.protocol, pool, mesh_upgrades=False, is_gateway=False)
    apply_http_options(message, version, pool)
    message.common_lb_config.SetInParent()
    if each.address:
        message.type = _Cluster.STATIC
        message.lb_policy = _Cluster.ROUND_ROBIN
    else:
        message.type = _Cluster.ORIGINAL_DST
        message.lb_policy = _Cluster.CLUSTER_PROVIDED
        message.cleanup_interval.FromSeconds(_FOREVER)
    if each.address not in _LOOPBACK and not each.address.startswith("unix://"):
        bind_locally(message, ipv4=each.ipv4, ipv6=each.ipv6)
    body = bytes(message.SerializeToString(deterministic=True))
    rule = ObjectRef("DestinationRule", each.rules[0]) if follows_rule else None
    metadata = cluster_metadata(_service_names(db, each), config=rule)
    return resource_of_bytes(name, body + embedded(25, metadata) + _assignment(name, each))


def _resolved(db: Reader, view: InboundView, port: InboundPort) -> InboundCluster:
    services = tuple(each for each in workload_ports(db, view) if each.number == port.number)
    rules: Rules = ()
    if services:
        # Rules with a selector are about clients, not about the server.
        key = services[0].service
        rules = destination_rules(db, key.hostname, key.namespace, rule_client(db, view.namespace, ()))
    where, number = _application(db, view, port)
    return InboundCluster(
        number=port.number,
        protocol=port.protocol,
        services=services,
        sidecar=view.sidecar,
        rules=rules,
        address=where,
        port=number,
        ipv4=view.traits.ipv4,
        ipv6=view.traits.ipv6,
    )


def _application(db: Reader, view: InboundView, port: InboundPort) -> tuple[str, int]:
    """Where the application listens: address and port."""
    if port.sidecar is None:
        if MESH_CONFIG.get(db).inbound_traffic_policy.mode is InboundTrafficPolicyMode.LOCALHOST:
            return (_LOOPBACK[0] if view.traits.ipv4 else _LOOPBACK[1]), port.number
        return "", 0
    listener = _ingress(db, port.sidecar, port.number)
    endpoint = listener.default_endpoint if listener is not None else ""
    if not endpoint:
        return "", 0
    if endpoint.startswith("unix://"):
        return endpoint, 0
    host, _, number = endpoint.rpartition(":")
    return _workload_address(view, host.strip("[]")), int(number)


def _workload_address(view: InboundView, host: str) -> str:
    """The address that `defaultEndpoint` means: a wildcard is the workload's own address of that family; loopback is
    that of the family the workload has."""
    if host == "0.0.0.0":
        return next((each for each in view.addresses if ":" not in each), _LOOPBACK[0])
    if host == "::":
        return next((each for each in view.addresses if ":" in each), _LOOPBACK[1])
    if host == _LOOPBACK[1]:
        return _LOOPBACK[1] if view.traits.ipv6 or not view.traits.ipv4 else _LOOPBACK[0]
    return _LOOPBACK[0] if view.traits.ipv4 or not view.traits.ipv6 else _LOOPBACK[1]


def _ingress(db: Reader, sidecar: Key | None, number: int) -> IstioIngressListener | None:
    found = SIDECARS.get(db, sidecar) if sidecar is not None else None
    if found is None:
        return None
    return next((each for each in found.spec.ingress if each.port.number == number), None)


def _pool(db: Reader, each: InboundCluster) -> tuple[ConnectionPoolSettings | None, bool]:
    """The limits of connections to the application, and whether DestinationRules say anything of the service: the
    Sidecar's of the port, else the Sidecar's, else those of the rules."""
    policy = effective_policy(db, each.rules, each.service_port, "") if each.rules else None
    declared = policy.connection_pool if policy is not None else None
    sidecar = SIDECARS.get(db, each.sidecar) if each.sidecar is not None else None
    if sidecar is not None:
        listener = _ingress(db, each.sidecar, each.number)
        own = listener.connection_pool if listener is not None else None
        declared = own or sidecar.spec.inbound_connection_pool or declared
    return declared, policy is not None


def _service_names(db: Reader, each: InboundCluster) -> tuple[ServiceName, ...]:
    found = (service(db, key) for key in dict.fromkeys(port.service for port in each.services))
    names = tuple(_name_of(one) for one in found if one is not None)
    if names or each.sidecar is None:
        return names
    return (ServiceName(f"{each.sidecar.name}.{each.sidecar.namespace}", each.sidecar.name, each.sidecar.namespace),)


def _name_of(found: Service) -> ServiceName:
    return ServiceName(found.hostname, found.name, found.namespace)


def _stat_name(db: Reader, each: InboundCluster) -> str:
    pattern = mesh_defaults(db).inbound_stat_name
    first = service(db, each.services[0].service) if pattern and each.services else None
    if first is None:
        return inbound_cluster(each.number) + DELIMITER
    return stat_name(pattern, inbound_cluster(each.number), first, _port_of(each), target=each.number)


def _port_of(each: InboundCluster) -> ServicePort:
    return each.services[0].port


def _assignment(name: str, each: InboundCluster) -> bytes:
    """A cluster's `load_assignment` of the one address."""
    if not each.address:
        return b""
    endpoint: Any = embedded(1, embedded(1, address(each.address, each.port)))
    return embedded(33, text(1, name) + embedded(2, embedded(2, endpoint)))
