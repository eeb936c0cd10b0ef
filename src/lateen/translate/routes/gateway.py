"""The route configurations of a gateway: one per plain text port, and one per HTTPS server that terminates TLS."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from envoy.config.route.v3 import route_components_pb2

from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model.domains import compliant, with_port
from lateen.model.gateways import GatewayServer, gateway_servers
from lateen.model.proxy import GatewayView
from lateen.model.route_targets import holder, missing_clusters
from lateen.model.virtual_services import Outline, virtual_services_of_gateway
from lateen.translate.resource import Recipe, Resource, resource_of_bytes
from lateen.translate.routes.exposure import Exposure
from lateen.translate.routes.http_routes import Routing, http_routes
from lateen.translate.routes.route_table import configuration_head
from lateen.translate.routes.routings import Routings
from lateen.translate.routes.settings import added_headers
from lateen.translate.routes.virtual_hosts import VIRTUAL_HOSTS
from lateen.translate.wire import embedded


class GatewayHost(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """All that makes a difference to a virtual host of a gateway."""

    hosts: tuple[str, ...]
    """Which share their routes, sorted."""
    port: int
    """Of the first server that exposes the first of the hosts, as declared."""
    routings: tuple[Routing, ...]
    """The VirtualServices, whose routes follow one another."""
    redirects: bool
    """To https."""
    counts_attempts: bool
    """`x-envoy-attempt-count` is added to requests."""


class GatewayTable(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """All that makes a difference to a route configuration."""

    hosts: tuple[GatewayHost, ...]
    port: int
    """Of the first server, as declared."""


@query
def listing(db: Reader, view: GatewayView) -> tuple[Recipe, ...]:
    """One route configuration per name that the listeners of the view use."""
    servers: dict[str, list[GatewayServer]] = {}
    for server in gateway_servers(db, view):
        if server.route_name:
            servers.setdefault(server.route_name, []).append(server)
    return tuple(
        Recipe(name, gateway_configuration, (name, gateway_table(db, view, tuple(servers[name]))))
        for name in sorted(servers)
    )


@query
def gateway_table(db: Reader, view: GatewayView, servers: tuple[GatewayServer, ...]) -> GatewayTable:
    """What the servers that share a route configuration expose, as far as VirtualServices route it."""
    client = holder(db, view)
    headers = added_headers(db, view.traits.settings)
    routings = Routings(db, client, view.namespace, view.labels, forwards_host=headers.forwards_host)
    bound = _bound(db, view, servers)
    found: dict[str, dict[Routing, None]] = {}
    ports: dict[str, int] = {}
    redirecting: set[str] = set()
    resolved: dict[tuple[Key, Key], Routing] = {}
    for index, server in enumerate(servers):
        for one, host in bound.get(index, ()):
            routing = resolved.get((one.key, server.gateway))
            if routing is None:
                missing = missing_clusters(db, one.key, server.number, client)
                gateway = _name(server.gateway)
                routing = routings.of(one.key, server.number, gateway, missing, tls=server.terminates_tls)
                resolved[one.key, server.gateway] = routing
            found.setdefault(host, {})[routing] = None
            ports.setdefault(host, server.number)
            if server.redirects_to_https:
                redirecting.add(host)
        if server.redirects_to_https:
            for each in server.hosts:
                found.setdefault(each.name, {})
                ports.setdefault(each.name, server.number)
                redirecting.add(each.name)
    hosts = _collapsed(found, redirecting, ports, counts_attempts=headers.counts_attempts)
    return GatewayTable(tuple(hosts), servers[0].number)


def _bound(db: Reader, view: GatewayView, servers: tuple[GatewayServer, ...]) -> dict[int, list[tuple[Outline, str]]]:
    """By server (its index): the VirtualServices with HTTP routes that it exposes, in order, with the hosts."""
    gateways: dict[Key, list[int]] = {}
    for index, server in enumerate(servers):
        gateways.setdefault(server.gateway, []).append(index)
    bound: dict[int, list[tuple[Outline, str]]] = {}
    for gateway, indices in gateways.items():
        exposure = Exposure((index, host) for index in indices for host in servers[index].hosts)
        for one in virtual_services_of_gateway(db, _name(gateway), view.namespace):
            if one.has_http:
                for index, host in exposure.of(one):
                    bound.setdefault(index, []).append((one, host))
    return bound


def _name(gateway: Key) -> str:
    return f"{gateway.namespace}/{gateway.name}"


def _collapsed(
    found: dict[str, dict[Routing, None]], redirecting: set[str], ports: dict[str, int], *, counts_attempts: bool
) -> Iterator[GatewayHost]:
    """Hosts with the same routes in one virtual host, sorted by the first of each."""
    together: dict[tuple[tuple[Routing, ...], bool], list[str]] = {}
    for host in sorted(found):
        together.setdefault((tuple(found[host]), host in redirecting), []).append(host)
    for (routings, redirects), members in together.items():
        yield GatewayHost(tuple(members), ports[members[0]], routings, redirects, counts_attempts)


@query
def gateway_configuration(db: Reader, name: str, table: GatewayTable) -> Resource:
    """The route configuration of a gateway's listener. Without any host, everything is not found."""
    body = b"".join([gateway_virtual_host(db, wanted) for wanted in table.hosts]) or _nothing(table.port)
    return resource_of_bytes(name, configuration_head(name, ignores_port=True) + body)


@query
def gateway_virtual_host(db: Reader, wanted: GatewayHost) -> bytes:
    """A `virtual_hosts` field of a route configuration; empty when nothing can be reached by it."""
    found = [http_routes(db, routing) for routing in wanted.routings]
    # What lets every request through must not hide the routes of another VirtualService.
    routes = b"".join([each.specific for each in found]) + next((e.catch_all for e in found if e.catch_all), b"")
    if not routes and not wanted.redirects:
        return b""
    host = route_components_pb2.VirtualHost(
        name=with_port(compliant(wanted.hosts[0]), wanted.port),
        domains=[compliant(host) for host in wanted.hosts],
        include_request_attempt_count=wanted.counts_attempts,
    )
    if wanted.redirects:
        host.require_tls = route_components_pb2.VirtualHost.ALL
    return embedded(VIRTUAL_HOSTS, bytes(host.SerializeToString(deterministic=True)) + routes)


def _nothing(port: int) -> bytes:
    host = route_components_pb2.VirtualHost(name=with_port("blackhole", port), domains=("*",))
    return embedded(VIRTUAL_HOSTS, bytes(host.SerializeToString(deterministic=True)))
