"""The route configurations of gRPC clients: one for every port of a service, with its routes alone."""

from __future__ import annotations

from typing import NamedTuple

from envoy.config.route.v3 import route_pb2

from lateen.engine import Reader, query
from lateen.model.names import outbound_cluster
from lateen.model.proxy import GrpcClientView
from lateen.model.scope import scope_key, scope_of
from lateen.translate.grpc.names import Destination, destinations
from lateen.translate.grpc.reduced_routes import reduced
from lateen.translate.resource import Recipe, Resource, resource
from lateen.translate.routes.outbound_hosts import Client, Place, lone_block, route_client
from lateen.translate.routes.route_table import Block, block_part
from lateen.translate.routes.virtual_hosts import DomainForm


class Target(NamedTuple):
    """What routes are for."""

    client: Client
    to: Destination


@query
def listing(db: Reader, view: GrpcClientView) -> tuple[Recipe, ...]:
    """One route configuration for every port of every service that the view sees, named as the cluster."""
    client = route_client(db, view.sidecar)
    found = []
    for to in destinations(db, scope_key(db, view.sidecar)):
        name = outbound_cluster(to.port, "", to.service.hostname)
        found.append(Recipe(name, route_configuration, (name, Target(client, to))))
    return tuple(found)


@query
def route_configuration(db: Reader, name: str, target: Target) -> Resource:
    """The routes of a sidecar to a service, as far as gRPC knows them."""
    block = service_routes(db, target)
    made = route_pb2.RouteConfiguration()
    if block is not None:
        made.MergeFromString(block_part(db, block).body)
    found = route_pb2.RouteConfiguration(name=name)
    for host in made.virtual_hosts:
        into = found.virtual_hosts.add(name=host.name, domains=("*",))
        into.routes.extend(each for route in host.routes for each in reduced(route))
    return resource(name, found)


@query
def service_routes(db: Reader, target: Target) -> Block | None:
    """The virtual host of a service; stays the same when others come and go."""
    client, (key, port) = target
    scope = scope_of(db, client.holder.scope)
    deciding = scope.listener_for(port)
    for index, listener in enumerate(scope.listeners):
        if listener is deciding:
            return lone_block(db, Place(client, index, port, DomainForm.ANY), key.hostname)
    return None
