"""The outbound listeners of sidecars: one per planned listener, and the one that redirected connections come to."""

from __future__ import annotations

from typing import Any

import msgspec
from envoy.config.core.v3 import base_pb2
from envoy.config.listener.v3 import listener_components_pb2, listener_pb2

from lateen.api.objects import ObjectRef
from lateen.api.schema.duration import Duration
from lateen.engine import Reader, query
from lateen.model.inputs import MESH_CONFIG
from lateen.model.listen_form import ListenForm, listen_form
from lateen.model.listeners import HttpChain, PlannedListener, outbound_plan
from lateen.model.names import HTTP_PROXY_ROUTE, VIRTUAL_OUTBOUND
from lateen.model.proxy import Interception, OutboundView, ProxySettings
from lateen.model.proxy_ports import proxy_ports
from lateen.model.streams import BLACK_HOLE, StreamChain, StreamClient, Streams, Target, stream_client
from lateen.translate.clusters.dns import AddressFamilies, families_of
from lateen.translate.clusters.stat_names import DELIMITER
from lateen.translate.filters.http_connection_manager import Place, http_connection_manager
from lateen.translate.filters.http_settings import http_settings
from lateen.translate.filters.listener_filters import add_http_inspector, add_tls_inspector
from lateen.translate.filters.network import (
    Forwarding,
    add_manager,
    add_terminal,
    forwarding,
    is_resolved_by_server_name,
)
from lateen.translate.listeners.addresses import add_prefixes, set_addresses
from lateen.translate.metadata import NAMESPACE as METADATA
from lateen.translate.metadata import config_path
from lateen.translate.resource import Recipe, Resource, resource
from lateen.translate.telemetry.access_log import add_listener_log
from lateen.translate.telemetry.loggers import add_request_logs, client_request_logs

PLAINTEXT_HTTP_ALPN = ("http/1.1", "h2c")
"""What the HTTP inspector calls what it finds."""
RAW_BUFFER = "raw_buffer"
_PASSTHROUGH_CHAIN = "PassthroughFilterChain"


class OutboundListener(msgspec.Struct, frozen=True, cache_hash=True):
    """One outbound listener for one kind of client: all that it is made of."""

    name: str
    addresses: tuple[str, ...]
    port: int
    binds: bool
    http: HttpChain | None
    streams: tuple[StreamChain, ...]
    settings: ProxySettings
    families: AddressFamilies


@query
def listing(db: Reader, view: OutboundView) -> tuple[Recipe, ...]:
    """The outbound listeners of a view. Endpoints do not matter, but for those of headless services of byte streams."""
    traits = view.traits
    transparent = traits.interception is Interception.TPROXY
    form = listen_form(traits, view.cluster_id)
    return client_listing(db, stream_client(db, view), form, transparent, traits.settings)


@query
def client_listing(
    db: Reader, client: StreamClient, form: ListenForm, transparent: bool, settings: ProxySettings
) -> tuple[Recipe, ...]:
    """The outbound listeners of all clients that agree."""
    streams = Streams(db, client)
    unknown = streams.unknown()
    listeners = outbound_plan(db, client.scope, form).listeners
    families = families_of(form)
    recipes = [_recipe(streams, planned, unknown, settings, families) for planned in listeners]
    http_proxy = proxy_ports(db).http_proxy
    if http_proxy:
        chain = HttpChain(HTTP_PROXY_ROUTE, is_proxy=True)
        planned = PlannedListener(form.loopbacks, http_proxy, True, chain)
        recipes.append(_recipe(streams, planned, unknown, settings, families))
    if form.captured:
        recipes.append(Recipe(VIRTUAL_OUTBOUND, virtual_outbound, (form.wildcards, transparent, unknown, families)))
    return tuple(recipes)


def _recipe(
    streams: Streams, planned: PlannedListener, unknown: Target, settings: ProxySettings, families: AddressFamilies
) -> Recipe:
    chains = tuple(found for chain in planned.streams for found in streams.chains(chain, planned.port))
    listener = OutboundListener(
        planned.name,
        planned.addresses,
        planned.port,
        planned.binds,
        planned.http,
        _distinct(chains),
        settings,
        families,
    )
    return Recipe(planned.name, outbound_listener, (listener, unknown))


def _distinct(chains: tuple[StreamChain, ...]) -> tuple[StreamChain, ...]:
    """Chains whose conditions differ: of two for the same the first counts. Envoy refuses listeners otherwise."""
    taken: set[tuple[str, str]] = set()
    found = []
    for chain in chains:
        conditions = {(prefix, name) for prefix in chain.prefixes or ("",) for name in chain.server_names or ("",)}
        if taken.isdisjoint(conditions):
            taken |= conditions
            found.append(chain)
    return tuple(found)


@query
def detection_timeout(db: Reader) -> Duration:
    """MeshConfig.protocolDetectionTimeout: how long a client's first bytes are waited for; 0: for ever."""
    return MESH_CONFIG.get(db).protocol_detection_timeout or Duration(0)


@query
def outbound_listener(db: Reader, listener: OutboundListener, unknown: Target) -> Resource:
    """One outbound listener. `unknown` is where connections go that none of its chains is for."""
    message = listener_pb2.Listener(
        name=listener.name,
        traffic_direction=base_pb2.OUTBOUND,
        continue_on_listener_filters_timeout=True,
    )
    set_addresses(message, listener.addresses, listener.port)
    if not listener.binds:
        message.bind_to_port.value = False
    sniffed = listener.http is not None and listener.http.sniffed
    if sniffed or any(_wants_server_name(db, chain) for chain in listener.streams):
        add_tls_inspector(message)
    if sniffed:
        add_http_inspector(message)
        message.listener_filters_timeout.FromNanoseconds(detection_timeout(db).nanoseconds)
    else:
        message.listener_filters_timeout.SetInParent()
    for stream in listener.streams:
        _add_stream(db, message, stream, listener.families)
    if listener.http is not None:
        _add_http(db, message, listener, listener.http)
    _finish(db, message, unknown, listener.families)
    add_listener_log(db, message)
    return resource(listener.name, message)


def _wants_server_name(db: Reader, chain: StreamChain) -> bool:
    return bool(chain.server_names) or is_resolved_by_server_name(db, chain.target)


def _add_stream(db: Reader, message: Any, stream: StreamChain, families: AddressFamilies) -> None:
    chain = listener_components_pb2.FilterChain()
    if stream.source is not None:
        path = config_path(ObjectRef("VirtualService", stream.source))
        chain.metadata.filter_metadata[METADATA].update({"config": path})
    add_terminal(chain, forwarding(db, stream.target, families), stream.protocol)
    if not stream.prefixes and not stream.server_names:
        message.default_filter_chain.CopyFrom(chain)
        return
    add_prefixes(chain.filter_chain_match, stream.prefixes)
    chain.filter_chain_match.server_names.extend(stream.server_names)
    message.filter_chains.append(chain)


def _add_http(db: Reader, message: Any, listener: OutboundListener, http: HttpChain) -> None:
    manager = http_connection_manager(
        Place.OUTBOUND,
        f"outbound_{listener.name}{DELIMITER}",
        http_settings(db, listener.settings),
        route_name=http.route_name,
        grpc_web=http.grpc_web,
        absolute_url=http.is_proxy,
        announce_http=http.announced,
    )
    add_request_logs(manager, client_request_logs(db, True))
    if not http.sniffed:
        add_manager(message.default_filter_chain, manager)
        return
    chain = message.filter_chains.add()
    chain.filter_chain_match.transport_protocol = RAW_BUFFER
    chain.filter_chain_match.application_protocols.extend(PLAINTEXT_HTTP_ALPN)
    add_manager(chain, manager)


def _finish(db: Reader, message: Any, unknown: Target, families: AddressFamilies) -> None:
    """What matches nothing goes to the default chain; a default chain alone is the only chain."""
    if not message.HasField("default_filter_chain"):
        message.default_filter_chain.name = _PASSTHROUGH_CHAIN
        add_terminal(message.default_filter_chain, forwarding(db, unknown, families))
    elif not message.filter_chains:
        message.filter_chains.append(message.default_filter_chain)
        message.ClearField("default_filter_chain")


@query
def virtual_outbound(
    db: Reader, addresses: tuple[str, ...], transparent: bool, unknown: Target, families: AddressFamilies
) -> Resource:
    """Takes redirected connections, hands them to the listener of their original destination, and keeps the rest."""
    port = proxy_ports(db).outbound
    message = listener_pb2.Listener(name=VIRTUAL_OUTBOUND, traffic_direction=base_pb2.OUTBOUND)
    set_addresses(message, addresses, port)
    message.use_original_dst.value = True
    if transparent:
        message.transparent.value = True
    # Who connects to the proxy's own port would be connected to it again, and again.
    black_hole = message.filter_chains.add(name=f"{VIRTUAL_OUTBOUND}-blackhole")
    black_hole.filter_chain_match.destination_port.value = port
    add_terminal(black_hole, Forwarding(BLACK_HOLE))
    add_terminal(message.filter_chains.add(name=f"{VIRTUAL_OUTBOUND}-catchall-tcp"), forwarding(db, unknown, families))
    add_listener_log(db, message)
    return resource(VIRTUAL_OUTBOUND, message)
