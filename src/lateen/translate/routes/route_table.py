"""Route configurations, put together from the bytes of their virtual hosts."""

from __future__ import annotations

import msgspec
from envoy.config.route.v3 import route_components_pb2, route_pb2

from lateen.engine import Reader, query
from lateen.model.names import ALLOW_ANY, BLACK_HOLE_CLUSTER, BLOCK_ALL
from lateen.translate.metadata import destination_metadata
from lateen.translate.resource import Part, Resource, part, resource_of_parts
from lateen.translate.routes.action import set_limits
from lateen.translate.routes.match import everything
from lateen.translate.routes.settings import AddedHeaders
from lateen.translate.routes.virtual_hosts import VIRTUAL_HOSTS, VirtualHost, virtual_host
from lateen.translate.wire import embedded

_LARGEST_BODY = 1024 * 1024
_BAD_GATEWAY = 502


class Block(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Virtual hosts that route configurations share."""

    hosts: tuple[VirtualHost, ...]


class Remainder(msgspec.Struct, frozen=True):
    """What happens to requests for hosts that have no virtual host."""

    cluster: str = ""
    """Where they go; refused when empty."""
    headers: AddedHeaders = AddedHeaders()


class RouteTable(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """All that makes a difference to a route configuration. Views that agree on it share the resource."""

    blocks: tuple[Block, ...]
    remainder: Remainder | None = None
    """None: such requests are not found."""
    ignores_port: bool = True
    """Of the authority."""


@query
def block_part(db: Reader, block: Block) -> Part:
    """The `virtual_hosts` fields of a block."""
    return part(b"".join([virtual_host(db, wanted) for wanted in block.hosts]))


@query
def route_configuration(db: Reader, name: str, table: RouteTable) -> Resource:
    """The route configuration of a listener."""
    parts = [part(configuration_head(name, ignores_port=table.ignores_port))]
    parts += [block_part(db, block) for block in table.blocks]
    if table.remainder is not None:
        parts.append(remainder_part(db, table.remainder))
    return resource_of_parts(name, parts)


def configuration_head(name: str, *, ignores_port: bool) -> bytes:
    """A route configuration without its virtual hosts."""
    config = route_pb2.RouteConfiguration(name=name, ignore_port_in_host_matching=ignores_port)
    config.validate_clusters.value = False
    config.max_direct_response_body_size_bytes.value = _LARGEST_BODY
    return bytes(config.SerializeToString(deterministic=True))


@query
def remainder_part(db: Reader, remainder: Remainder) -> Part:
    """The virtual host of all other hosts."""
    name = ALLOW_ANY if remainder.cluster else BLOCK_ALL
    route = route_components_pb2.Route(name=name, match=everything())
    if remainder.cluster:
        route.route.cluster = remainder.cluster
        route.route.append_x_forwarded_host = remainder.headers.forwards_host
        set_limits(route.route, None)
    else:
        route.direct_response.status = _BAD_GATEWAY
        route.metadata.MergeFromString(destination_metadata(BLACK_HOLE_CLUSTER))
    host = route_components_pb2.VirtualHost(
        name=name, domains=("*",), routes=(route,), include_request_attempt_count=remainder.headers.counts_attempts
    )
    return part(embedded(VIRTUAL_HOSTS, bytes(host.SerializeToString(deterministic=True))))
