"""The filter chains of a gateway's port: HTTP by route name, byte streams by VirtualServices, each with its TLS."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lateen.api.networking.gateway import ServerTLSSettings, TLSmode
from lateen.api.networking.virtual_service import L4MatchAttributes, TLSMatchAttributes, VirtualService
from lateen.api.objects import Key
from lateen.engine import Reader
from lateen.model import hosts
from lateen.model.chain_conditions import server_names
from lateen.model.effective_routes import effective
from lateen.model.gateways import GatewayPort, GatewayServer
from lateen.model.names import sni_dnat_cluster
from lateen.model.outbound_clusters import outbound_clusters
from lateen.model.protocol import Protocol
from lateen.model.proxy import GatewayView
from lateen.model.services import service
from lateen.model.streams import StreamChain, Streams, stream_client, to_cluster
from lateen.model.virtual_services import virtual_services_of_gateway


class GatewayChain(msgspec.Struct, frozen=True, cache_hash=True):
    """One filter chain of a gateway's listener: HTTP (`route_name`) or bytes (`stream`)."""

    route_name: str = ""
    grpc_web: bool = False
    stream: StreamChain | None = None
    server_names: tuple[str, ...] = ()
    """Server names (SNI); empty for any."""
    tls: ServerTLSSettings | None = None
    """Terminated with these settings; None forwards bytes as they come."""
    mesh_only: bool = False
    """Only for connections of the mesh's own mutual TLS."""


def gateway_chains(db: Reader, view: GatewayView, port: GatewayPort) -> tuple[GatewayChain, ...]:
    """The filter chains of a port; none when it has only TCP or passthrough servers that nothing routes."""
    if port.servers[0].is_http:
        grpc_web = any(server.protocol is Protocol.GRPC_WEB for server in port.servers)
        return (GatewayChain(port.servers[0].route_name, grpc_web),)
    streams = Streams(db, stream_client(db, view))
    found = [chain for server in port.servers for chain in _chains(db, view, server, streams)]
    return tuple(_distinct(found))


def _chains(db: Reader, view: GatewayView, server: GatewayServer, streams: Streams) -> Iterator[GatewayChain]:
    tls = server.tls
    if server.is_https:
        yield GatewayChain(server.route_name, server_names=server.sni_hosts, tls=tls)
    elif tls is not None and tls.mode is TLSmode.AUTO_PASSTHROUGH:
        yield from _mesh_chains(db, view, server)
    elif tls is not None and not server.terminates_tls:
        yield from _passthrough_chains(db, view, server, streams)
    else:
        stream = _stream(db, view, server, streams)
        if stream is not None:
            yield GatewayChain(stream=stream, server_names=server.sni_hosts, tls=tls)


def _stream(db: Reader, view: GatewayView, server: GatewayServer, streams: Streams) -> StreamChain | None:
    """Where the first `tcp` route goes that is for this server."""
    for key, routed in _virtual_services(db, view, server):
        for route in routed.tcp:
            if not route.match or any(_applies(server, match) for match in route.match):
                target = streams.target(route.route, server.number, f"{key.name}.{key.namespace}")
                return StreamChain(target, server.protocol, source=key)
    return None


def _passthrough_chains(
    db: Reader, view: GatewayView, server: GatewayServer, streams: Streams
) -> Iterator[GatewayChain]:
    """A chain for each match of a `tls` route that is for this server."""
    for key, routed in _virtual_services(db, view, server):
        for route in routed.tls:
            for match in route.match:
                if _applies(server, match):
                    target = streams.target(route.route, server.number, f"{key.name}.{key.namespace}")
                    stream = StreamChain(target, server.protocol, source=key)
                    names = () if "*" in match.sni_hosts else server_names(match.sni_hosts)
                    if names or "*" in match.sni_hosts:
                        yield GatewayChain(stream=stream, server_names=names)


def _mesh_chains(db: Reader, view: GatewayView, server: GatewayServer) -> Iterator[GatewayChain]:
    """A chain for each cluster of the mesh that the server's hosts cover: clients name it in the server name."""
    patterns = [host.name for host in server.hosts]
    for cluster in outbound_clusters(db, view):
        hostname = cluster.service.hostname
        found = service(db, cluster.service)
        if found is None or found.mesh_external or not cluster.is_eds:
            continue
        if not any(hosts.covers(pattern, hostname) for pattern in patterns):
            continue
        name = sni_dnat_cluster(cluster.port, cluster.subset, hostname)
        stream = StreamChain(to_cluster(name), Protocol.TCP)
        yield GatewayChain(stream=stream, server_names=(name,), mesh_only=True)


def _virtual_services(db: Reader, view: GatewayView, server: GatewayServer) -> Iterator[tuple[Key, VirtualService]]:
    """Those bound to the server's Gateway for one of the server's hosts."""
    gateway = f"{server.gateway.namespace}/{server.gateway.name}"
    for outline in virtual_services_of_gateway(db, gateway, view.namespace):
        names = [host.name for host in server.hosts if host.namespace in ("", outline.key.namespace)]
        if not any(hosts.overlaps(name, host) for name in names for host in outline.hosts):
            continue
        found = effective(db, outline.key)
        if found is not None:
            yield outline.key, found


def _applies(server: GatewayServer, match: L4MatchAttributes | TLSMatchAttributes) -> bool:
    gateway = f"{server.gateway.namespace}/{server.gateway.name}"
    return match.port in (0, server.number) and (not match.gateways or gateway in match.gateways)


def _distinct(chains: list[GatewayChain]) -> Iterator[GatewayChain]:
    """Chains whose server names differ: of two for one name the first counts. Envoy refuses listeners otherwise."""
    taken: set[str] = set()
    for chain in chains:
        names = set(chain.server_names or ("",))
        if taken.isdisjoint(names):
            taken |= names
            yield chain
