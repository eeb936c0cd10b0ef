"""The inbound listeners of sidecars: the one that redirected connections come to, and those of single ports."""

from __future__ import annotations

from typing import Any

import msgspec
from envoy.config.core.v3 import base_pb2
from envoy.config.listener.v3 import listener_pb2

from lateen.api.objects import ObjectRef
from lateen.api.security.peer_authentication import MutualTLSMode
from lateen.engine import Reader, query
from lateen.model.authorization import Authorization, authorization_of
from lateen.model.inbound_ports import InboundPort, inbound_plan
from lateen.model.listen_form import listen_form
from lateen.model.names import INBOUND_PASSTHROUGH_CLUSTER, VIRTUAL_INBOUND, inbound_cluster
from lateen.model.protocol import Protocol
from lateen.model.proxy import Certificates, InboundView, Interception, ProxySettings
from lateen.model.proxy_ports import proxy_ports
from lateen.model.services import service
from lateen.model.streams import BLACK_HOLE, Target, WeightedCluster, to_cluster
from lateen.translate.clusters.mesh_defaults import mesh_defaults
from lateen.translate.clusters.stat_names import DELIMITER, stat_name
from lateen.translate.filters.http_connection_manager import Place, http_connection_manager
from lateen.translate.filters.http_settings import http_settings
from lateen.translate.filters.listener_filters import (
    add_http_inspector,
    add_original_destination,
    add_original_source,
    add_tls_inspector,
)
from lateen.translate.filters.network import Forwarding, add_manager, add_terminal
from lateen.translate.filters.rbac import http_rbac, network_rbac
from lateen.translate.listeners.addresses import set_addresses
from lateen.translate.listeners.inbound_matches import TLS, ChainMatch, chain_matches, own_tls_matches
from lateen.translate.listeners.outbound import PLAINTEXT_HTTP_ALPN, detection_timeout
from lateen.translate.metadata import NAMESPACE as METADATA
from lateen.translate.metadata import config_path
from lateen.translate.resource import Recipe, Resource, resource
from lateen.translate.routes.inbound import inbound_route
from lateen.translate.telemetry.access_log import add_listener_log
from lateen.translate.telemetry.labels import Destination
from lateen.translate.telemetry.loggers import add_request_logs, server_request_logs, server_stream_logs
from lateen.translate.telemetry.peer_facts import add_peer_facts
from lateen.translate.tls.downstream import (
    HTTP_ALPN,
    mesh_context,
    server_context,
    server_demands,
    transport_socket,
)


class Common(msgspec.Struct, frozen=True, cache_hash=True):
    """What all ports of a workload have in common."""

    certificates: Certificates | None
    authorization: Authorization
    settings: ProxySettings


class VirtualInbound(msgspec.Struct, frozen=True, cache_hash=True):
    """The listener that redirected connections come to: all that it is made of."""

    addresses: tuple[str, ...]
    transparent: bool
    """Connections keep their addresses (TPROXY)."""
    common: Common
    ports: tuple[InboundPort, ...]
    mode: MutualTLSMode
    """Of all other ports."""
    other_modes: tuple[tuple[int, MutualTLSMode], ...]


@query
def listing(db: Reader, view: InboundView) -> tuple[Recipe, ...]:
    """The inbound listeners of a workload; the same for all its replicas."""
    plan = inbound_plan(db, view)
    common = Common(view.traits.certificates, authorization_of(db, view), view.traits.settings)
    recipes = []
    if view.traits.interception is not Interception.NONE:
        virtual = VirtualInbound(
            listen_form(view.traits, view.cluster_id).wildcards,
            view.traits.interception is Interception.TPROXY,
            common,
            tuple(port for port in plan.ports if not port.binds),
            plan.mode,
            plan.other_modes,
        )
        recipes.append(Recipe(VIRTUAL_INBOUND, virtual_inbound, (virtual,)))
    recipes += [Recipe(_name(port), bound_inbound, (port, common)) for port in plan.ports if port.binds]
    return tuple(recipes)


@query
def virtual_inbound(db: Reader, virtual: VirtualInbound) -> Resource:
    """Takes redirected connections to the workload: a set of filter chains per port, and one for all other ports."""
    own_port = proxy_ports(db).inbound
    message = _listener(db, VIRTUAL_INBOUND, virtual.addresses, own_port)
    if virtual.transparent:
        message.transparent.value = True
    # Who connects to the proxy's own port would be connected to it again, and again.
    black_hole = message.filter_chains.add(name=f"{VIRTUAL_INBOUND}-blackhole")
    black_hole.filter_chain_match.destination_port.value = own_port
    add_terminal(black_hole, Forwarding(BLACK_HOLE))
    inspected = _Inspected()
    for number, mode in ((0, virtual.mode), *virtual.other_modes):
        chains = _Chains(db, virtual.common, INBOUND_PASSTHROUGH_CLUSTER, Protocol.UNSUPPORTED)
        has_identity = virtual.common.certificates is not None
        for match in chain_matches(mode, Protocol.UNSUPPORTED, has_identity=has_identity):
            name = f"{VIRTUAL_INBOUND}-catchall-http" if match.is_http else VIRTUAL_INBOUND
            chains.add(message, match, name=name, port=number)
            inspected.note(number, match)
    for port in virtual.ports:
        _add_port(db, message, port, virtual.common, inspected, port.number)
    add_original_destination(message)
    if virtual.transparent:
        add_original_source(message)
    inspected.add_to(message)
    add_listener_log(db, message)
    return resource(VIRTUAL_INBOUND, message)


@query
def bound_inbound(db: Reader, port: InboundPort, common: Common) -> Resource:
    """A port of the workload that the proxy itself listens on."""
    message = _listener(db, _name(port), port.addresses, port.number)
    inspected = _Inspected()
    _add_port(db, message, port, common, inspected, 0)
    inspected.add_to(message)
    add_listener_log(db, message)
    return resource(_name(port), message)


def _listener(db: Reader, name: str, addresses: tuple[str, ...], port: int) -> Any:
    message = listener_pb2.Listener(
        name=name, traffic_direction=base_pb2.INBOUND, continue_on_listener_filters_timeout=True
    )
    set_addresses(message, addresses, port)
    message.listener_filters_timeout.FromNanoseconds(detection_timeout(db).nanoseconds)
    return message


def _add_port(
    db: Reader, message: Any, port: InboundPort, common: Common, inspected: _Inspected, matched_port: int
) -> None:
    chains = _Chains(db, common, inbound_cluster(port.number), port.protocol, port)
    if port.tls is not None:
        matches = own_tls_matches(port.protocol)
    else:
        matches = chain_matches(port.mode, port.protocol, has_identity=common.certificates is not None)
    for match in matches:
        chains.add(message, match, name=_name(port), port=matched_port)
        inspected.note(matched_port, match)


def _name(port: InboundPort) -> str:
    return f"{port.addresses[0]}_{port.number}"


class _Chains:
    """Builds the filter chains that lead to one cluster."""

    def __init__(
        self, db: Reader, common: Common, cluster: str, protocol: Protocol, port: InboundPort | None = None
    ) -> None:
        self._db = db
        self._certificates = common.certificates
        self._authorization = common.authorization
        self._settings = common.settings
        self._cluster = cluster
        self._protocol = protocol
        self._port = port

    def add(self, message: Any, match: ChainMatch, *, name: str, port: int) -> None:
        """Adds the chain for callers who arrive in one way at a port (0 for any)."""
        chain = message.filter_chains.add(name=name)
        if port:
            chain.filter_chain_match.destination_port.value = port
        chain.filter_chain_match.transport_protocol = match.transport
        chain.filter_chain_match.application_protocols.extend(match.alpn)
        if match.terminates:
            transport_socket(chain, self._context(match))
        if self._port is not None and self._port.sidecar is not None:
            path = config_path(ObjectRef("Sidecar", self._port.sidecar))
            chain.metadata.filter_metadata[METADATA].update({"config": path})
        if match.refuses:
            add_terminal(chain, Forwarding(BLACK_HOLE))
            return
        authenticated = match.terminates and (self._port is None or self._port.tls is None)
        if authenticated:
            add_peer_facts(chain)
        if match.is_http:
            manager = self._manager(name)
            add_request_logs(manager, server_request_logs(self._db, self._destination(), authenticated))
            add_manager(chain, manager)
        else:
            rbac = network_rbac(self._db, self._authorization)
            logs = server_stream_logs(self._db, self._destination(), authenticated)
            to = Forwarding(self._target(), logs=logs, after_handshake=authenticated)
            add_terminal(chain, to, self._protocol, rbac)

    def _context(self, match: ChainMatch) -> Any:
        alpn = HTTP_ALPN if match.is_http else ()
        demands = server_demands(self._db)
        if self._port is not None and self._port.tls is not None:
            return server_context(self._port.tls, self._certificates, demands, alpn)
        assert self._certificates is not None, "terminates the mesh's TLS without certificates"
        return mesh_context(self._certificates, demands, alpn)

    def _destination(self) -> Destination:
        """What telemetry says of the service that the port is of."""
        port = self._port
        if port is None:
            return Destination(name=self._cluster)
        found = service(self._db, port.service) if port.service is not None else None
        if found is not None:
            return Destination(found.hostname, found.name)
        return Destination(port.hostname, port.sidecar.name if port.sidecar is not None else "")

    def _target(self) -> Target:
        """The cluster, under its name in statistics or what MeshConfig makes of it."""
        port = self._port
        pattern = mesh_defaults(self._db).inbound_stat_name
        found = service(self._db, port.service) if pattern and port is not None and port.service is not None else None
        service_port = found.port(port.service_port) if found is not None and port is not None else None
        if port is None or found is None or service_port is None:
            return to_cluster(self._cluster)
        prefix = stat_name(pattern, self._cluster, found, service_port, target=port.number)
        return Target((WeightedCluster(self._cluster, 1),), prefix)

    def _manager(self, name: str) -> Any:
        port = self._port
        service_port = port.service_port if port is not None else 0
        operation = f"{port.hostname if port is not None else ''}:{service_port}/*"
        return http_connection_manager(
            Place.INBOUND,
            (f"inbound_{name}" if port is not None else self._cluster) + DELIMITER,
            http_settings(self._db, self._settings),
            routes=inbound_route(self._cluster, service_port, operation, self._protocol),
            http2=self._protocol.is_http2,
            grpc_web=self._protocol is Protocol.GRPC_WEB,
            authorization=http_rbac(self._db, self._authorization),
        )


class _Inspected:
    """Which ports have to be looked into; 0 stands for those that are not known."""

    def __init__(self) -> None:
        self._tls: dict[int, bool] = {}
        self._http: dict[int, bool] = {}

    def note(self, port: int, match: ChainMatch) -> None:
        self._tls[port] = self._tls.get(port, False) or match.transport == TLS
        self._http[port] = self._http.get(port, False) or match.alpn == PLAINTEXT_HTTP_ALPN

    def add_to(self, message: Any) -> None:
        """Adds the inspectors that some port needs, turned off at the ports that do not: a server that speaks first
        would wait for its client's first bytes, and the client for the server's."""
        if any(self._tls.values()):
            known = {port for port in self._tls if port}
            if self._tls.get(0, False):
                add_tls_inspector(message, except_ports={port for port in known if not self._tls[port]})
            else:
                add_tls_inspector(message, only_ports={port for port in known if self._tls[port]})
        if any(self._http.values()):
            add_http_inspector(
                message, except_ports={port for port, needed in self._http.items() if port and not needed}
            )
