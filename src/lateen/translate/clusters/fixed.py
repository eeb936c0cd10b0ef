"""Clusters that every proxy has: where traffic goes that is for no service."""

from __future__ import annotations

from typing import Any, Final

from envoy.config.cluster.v3 import cluster_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2

from lateen.engine import Reader, query
from lateen.model.names import BLACK_HOLE_CLUSTER, INBOUND_PASSTHROUGH_CLUSTER, PASSTHROUGH_CLUSTER
from lateen.translate.clusters.connection_pool import HTTP_OPTIONS, apply_connection_pool
from lateen.translate.clusters.local_address import bind_locally
from lateen.translate.clusters.mesh_defaults import mesh_defaults
from lateen.translate.clusters.stat_names import DELIMITER
from lateen.translate.metadata import destination_metadata
from lateen.translate.resource import Recipe, Resource, resource

_IDLE_SECONDS: Final = 300
"""Connections to unknown destinations are not kept for long."""

_Cluster = cluster_pb2.Cluster


def black_hole_recipe() -> Recipe:
    return Recipe(BLACK_HOLE_CLUSTER, black_hole, ())


def passthrough_recipe() -> Recipe:
    return Recipe(PASSTHROUGH_CLUSTER, passthrough, ())


def inbound_passthrough_recipe(ipv4: bool, ipv6: bool) -> Recipe:
    return Recipe(INBOUND_PASSTHROUGH_CLUSTER, inbound_passthrough, (ipv4, ipv6))


@query
def black_hole(db: Reader) -> Resource:
    """Has no endpoints: whatever is sent there fails."""
    cluster = _named(BLACK_HOLE_CLUSTER, _Cluster.STATIC, _Cluster.ROUND_ROBIN)
    cluster.connect_timeout.FromNanoseconds(mesh_defaults(db).connect_timeout.nanoseconds)
    return resource(cluster.name, cluster)


@query
def passthrough(db: Reader) -> Resource:
    """Sends traffic where it was going, as the client spoke it."""
    return resource(PASSTHROUGH_CLUSTER, _passthrough(db, PASSTHROUGH_CLUSTER))


@query
def inbound_passthrough(db: Reader, ipv4: bool, ipv6: bool) -> Resource:
    """Hands traffic for undeclared ports to the application."""
    cluster = _passthrough(db, INBOUND_PASSTHROUGH_CLUSTER)
    bind_locally(cluster, ipv4=ipv4, ipv6=ipv6)
    return resource(cluster.name, cluster)


def _passthrough(db: Reader, name: str) -> Any:
    cluster = _named(name, _Cluster.ORIGINAL_DST, _Cluster.CLUSTER_PROVIDED)
    apply_connection_pool(cluster, None, mesh_defaults(db))
    options = http_protocol_options_pb2.HttpProtocolOptions()
    options.common_http_protocol_options.idle_timeout.FromSeconds(_IDLE_SECONDS)
    options.use_downstream_protocol_config.http_protocol_options.SetInParent()
    options.use_downstream_protocol_config.http2_protocol_options.SetInParent()
    cluster.typed_extension_protocol_options[HTTP_OPTIONS].Pack(options, deterministic=True)
    return cluster


def _named(name: str, type_: Any, balancing: Any) -> Any:
    cluster = _Cluster(name=name, alt_stat_name=name + DELIMITER, type=type_, lb_policy=balancing)
    cluster.metadata.MergeFromString(destination_metadata(name))
    return cluster
