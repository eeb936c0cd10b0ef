"""What a proxy holds, and that it is whole: whatever a resource names is there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from google.protobuf import any_pb2
from google.protobuf.message import Message

from lateen.model.fault import ConfigError
from lateen.model.proxy import Proxy
from lateen.testing.envoy import decoded
from lateen.testing.mesh import Mesh
from lateen.translate.envoy_types import message_class
from lateen.translate.resource import Resource, ResourceType

Held = Mapping[ResourceType, Mapping[str, Resource]]


def held(mesh: Mesh, proxy: Proxy) -> Held:
    """What a proxy that has just connected is given: what cannot be made is left out."""
    found: dict[ResourceType, dict[str, Resource]] = {}
    for type_ in ResourceType:
        found[type_] = {}
        for name, recipe in mesh.recipes(type_, proxy).items():
            with contextlib.suppress(ConfigError):
                found[type_][name] = mesh.make(recipe)
    return found


def _messages(message: Any) -> Iterator[Any]:
    """A message and all within it, `Any`s unpacked."""
    yield message
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE:
            continue
        for item in value.values() if _is_map(field) else value if _is_repeated(field) else (value,):
            if isinstance(item, Message):
                yield from _messages(_unpacked(item))


def _is_repeated(field: Any) -> bool:
    return bool(field.is_repeated)


def _is_map(field: Any) -> bool:
    return bool(_is_repeated(field) and field.message_type.GetOptions().map_entry)


def _unpacked(item: Any) -> Any:
    if not isinstance(item, any_pb2.Any):
        return item
    found = message_class(item.TypeName())
    assert found is not None, item.type_url
    return found.FromString(item.value)


class References(NamedTuple):
    """What a resource names of others."""

    clusters: frozenset[str]
    routes: frozenset[str]
    """Route configurations."""


def references(type_: ResourceType, resource: Resource) -> References:
    """Of a listener or a route configuration."""
    clusters, routes = set(), set()
    for message in _messages(decoded(type_, resource)):
        kind = message.DESCRIPTOR.full_name
        if kind.endswith((".RouteAction", ".TcpProxy", ".RequestMirrorPolicy")):
            clusters.add(message.cluster)
        elif kind.endswith(".WeightedCluster.ClusterWeight"):
            clusters.add(message.name)
        elif kind.endswith(".Rds"):
            routes.add(message.route_config_name)
    return References(frozenset(clusters - {""}), frozenset(routes))


def assignment_of(cluster: Resource) -> str:
    """The name of the load assignment that a cluster takes from EDS; empty when it takes none."""
    message = decoded(ResourceType.CDS, cluster)
    if message.WhichOneof("cluster_discovery_type") != "type" or message.type != message.EDS:
        return ""
    return str(message.eds_cluster_config.service_name or cluster.name)


def check_references(found: Held) -> None:
    """No route or listener names a cluster that is not there, no listener a missing route, no EDS cluster lacks its
    assignment, and every assignment has its cluster."""
    for type_ in (ResourceType.RDS, ResourceType.LDS):
        for name, resource in found[type_].items():
            named = references(type_, resource)
            assert not (missing := named.clusters - found[ResourceType.CDS].keys()), f"{type_.name} {name}: {missing}"
            assert not (missing := named.routes - found[ResourceType.RDS].keys()), f"{type_.name} {name}: {missing}"
    by_eds = {assignment_of(resource) for resource in found[ResourceType.CDS].values()} - {""}
    assert by_eds == set(found[ResourceType.EDS])
