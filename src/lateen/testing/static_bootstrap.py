"""All that a proxy holds as one static bootstrap: a real Envoy acts on it without any control plane."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2
from google.protobuf import json_format

from lateen.model.proxy import Proxy
from lateen.testing.envoy import decoded
from lateen.testing.mesh import Mesh
from lateen.translate.resource import ResourceType


def static_bootstrap(*held: tuple[Mesh, Proxy]) -> dict[str, Any]:
    """The bootstrap of one Envoy that stands for several proxies, each with what it holds of its own mesh.

    What a proxy would ask for later (routes, endpoints, secrets) is put in place. Of clusters and secrets of one name
    the first counts.
    """
    clusters: dict[str, dict[str, Any]] = {}
    listeners: list[dict[str, Any]] = []
    secrets: dict[str, dict[str, Any]] = {}
    for index, (mesh, proxy) in enumerate(held):
        made = {
            type_: {name: decoded(type_, found) for name, found in mesh.resources(type_, proxy).items()}
            for type_ in (ResourceType.CDS, ResourceType.EDS, ResourceType.LDS, ResourceType.RDS, ResourceType.SDS)
        }
        for name, cluster in made[ResourceType.CDS].items():
            _place_endpoints(cluster, made[ResourceType.EDS])
            clusters.setdefault(name, _plain(cluster))
        for listener in made[ResourceType.LDS].values():
            listener.name = f"{index}/{listener.name}"
            _place_routes(listener, made[ResourceType.RDS])
            listeners.append(_plain(listener))
        for name, secret in made[ResourceType.SDS].items():
            secrets.setdefault(name, _plain(secret))
    return {
        "node": {"id": "test", "cluster": "test"},
        "static_resources": {
            "clusters": list(clusters.values()),
            "listeners": listeners,
            "secrets": list(secrets.values()),
        },
    }


def _plain(message: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json_format.MessageToJson(message))
    return data


def _place_endpoints(cluster: Any, assignments: Mapping[str, Any]) -> None:
    if cluster.type == cluster_pb2.Cluster.EDS:
        name = cluster.eds_cluster_config.service_name or cluster.name
        cluster.type = cluster_pb2.Cluster.STATIC
        cluster.ClearField("eds_cluster_config")
        cluster.load_assignment.cluster_name = name
        if name in assignments:
            cluster.load_assignment.CopyFrom(assignments[name])


def _place_routes(listener: Any, routes: Mapping[str, Any]) -> None:
    for chain in (*listener.filter_chains, listener.default_filter_chain):
        for filter_ in chain.filters:
            manager = hcm_pb2.HttpConnectionManager()
            if filter_.typed_config.Unpack(manager) and manager.HasField("rds"):
                manager.route_config.CopyFrom(routes[manager.rds.route_config_name])
                filter_.typed_config.Pack(manager)
        context = tls_pb2.DownstreamTlsContext()
        if chain.transport_socket.typed_config.Unpack(context):
            common = context.common_tls_context
            references = [*common.tls_certificate_sds_secret_configs]
            references.append(common.combined_validation_context.validation_context_sds_secret_config)
            for reference in references:
                if reference.sds_config.HasField("ads"):
                    # Without a source it is the static secret of this name.
                    reference.ClearField("sds_config")
            chain.transport_socket.typed_config.Pack(context)
    if not listener.default_filter_chain.filters:
        listener.ClearField("default_filter_chain")
