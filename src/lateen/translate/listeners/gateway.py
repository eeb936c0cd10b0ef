"""The listeners of gateways: one per address and port, a filter chain per server."""

from __future__ import annotations

from typing import Any

import msgspec
from envoy.config.core.v3 import base_pb2
from envoy.config.listener.v3 import listener_pb2

from lateen.api.objects import ObjectRef
from lateen.engine import Reader, query
from lateen.model.authorization import Authorization, authorization_of
from lateen.model.gateway_chains import GatewayChain, gateway_chains
from lateen.model.gateways import gateway_ports
from lateen.model.listen_form import listen_form
from lateen.model.proxy import Certificates, GatewayView, ProxySettings
from lateen.model.streams import BLACK_HOLE
from lateen.translate.clusters.dns import AddressFamilies, families_of
from lateen.translate.clusters.stat_names import DELIMITER
from lateen.translate.filters.http_connection_manager import Place, http_connection_manager
from lateen.translate.filters.http_settings import http_settings
from lateen.translate.filters.listener_filters import add_proxy_protocol, add_tls_inspector
from lateen.translate.filters.network import (
    Forwarding,
    add_manager,
    add_terminal,
    forwarding,
    is_resolved_by_server_name,
)
from lateen.translate.filters.rbac import http_rbac, network_rbac
from lateen.translate.listeners.addresses import set_addresses
from lateen.translate.metadata import NAMESPACE as METADATA
from lateen.translate.metadata import config_path
from lateen.translate.resource import Recipe, Resource, resource
from lateen.translate.telemetry.access_log import add_listener_log
from lateen.translate.telemetry.loggers import add_request_logs, client_request_logs
from lateen.translate.tls.alpn import MESH_ALPN
from lateen.translate.tls.downstream import HTTP_ALPN, can_terminate, server_context, server_demands, transport_socket

_LOWEST_PORT = 1024


class GatewayListener(msgspec.Struct, frozen=True, cache_hash=True):
    """One listener of a gateway: all that it is made of."""

    name: str
    addresses: tuple[str, ...]
    port: int
    chains: tuple[GatewayChain, ...]
    certificates: Certificates | None
    authorization: Authorization
    settings: ProxySettings
    families: AddressFamilies


@query
def listing(db: Reader, view: GatewayView) -> tuple[Recipe, ...]:
    """The listeners of a gateway. A port with nothing behind it has none; neither has one that may not be bound."""
    wildcards = listen_form(view.traits, view.cluster_id).wildcards
    authorization = authorization_of(db, view)
    recipes = []
    for port in gateway_ports(db, view):
        if 0 < port.listen_port < _LOWEST_PORT and not view.traits.privileged_ports:
            continue
        chains = gateway_chains(db, view, port)
        if chains:
            addresses = (port.bind,) if port.bind else wildcards
            name = f"{addresses[0]}_{port.listen_port}"
            listener = GatewayListener(
                name,
                addresses,
                port.listen_port,
                chains,
                view.traits.certificates,
                authorization,
                view.traits.settings,
                families_of(view.traits),
            )
            recipes.append(Recipe(name, gateway_listener, (listener,)))
    return tuple(recipes)


@query
def gateway_listener(db: Reader, listener: GatewayListener) -> Resource:
    """One listener of a gateway."""
    message = listener_pb2.Listener(name=listener.name, traffic_direction=base_pb2.OUTBOUND)
    set_addresses(message, listener.addresses, listener.port)
    # Clients of a gateway speak first wherever something is inspected: there is no reason to give up.
    message.listener_filters_timeout.SetInParent()
    if http_settings(db, listener.settings).proxy_protocol:
        add_proxy_protocol(message)
    if any(_wants_server_name(db, chain) for chain in listener.chains):
        add_tls_inspector(message)
    for chain in listener.chains:
        _add_chain(db, message, listener, chain)
    add_listener_log(db, message)
    return resource(listener.name, message)


def _wants_server_name(db: Reader, chain: GatewayChain) -> bool:
    if chain.tls is not None or chain.server_names:
        return True
    return chain.stream is not None and is_resolved_by_server_name(db, chain.stream.target)


def _add_chain(db: Reader, message: Any, listener: GatewayListener, given: GatewayChain) -> None:
    chain = message.filter_chains.add()
    chain.filter_chain_match.server_names.extend(given.server_names)
    if given.mesh_only:
        chain.filter_chain_match.application_protocols.extend(MESH_ALPN)
    if given.tls is not None and not can_terminate(given.tls, listener.certificates):
        # Closed at once: plain text is not what clients of the server expect.
        add_terminal(chain, Forwarding(BLACK_HOLE))
        return
    if given.tls is not None:
        alpn = HTTP_ALPN if given.route_name else ()
        transport_socket(chain, server_context(given.tls, listener.certificates, server_demands(db), alpn))
    if given.stream is None:
        manager = http_connection_manager(
            Place.GATEWAY,
            f"outbound_{listener.name}{DELIMITER}",
            http_settings(db, listener.settings),
            route_name=given.route_name,
            grpc_web=given.grpc_web,
            authorization=http_rbac(db, listener.authorization),
        )
        # Anybody can ask a gateway for any host: its own services alone are told apart.
        add_request_logs(manager, client_request_logs(db, False))
        add_manager(chain, manager)
        return
    if given.stream.source is not None:
        path = config_path(ObjectRef("VirtualService", given.stream.source))
        chain.metadata.filter_metadata[METADATA].update({"config": path})
    # What workloads of two networks say to one another is theirs to judge: here there is but the server name.
    rbac = () if given.mesh_only else network_rbac(db, listener.authorization)
    add_terminal(chain, forwarding(db, given.stream.target, listener.families), given.stream.protocol, rbac)
