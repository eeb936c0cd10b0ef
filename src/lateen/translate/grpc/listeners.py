"""The listeners of gRPC clients, which listen nowhere: each says where the routes of a target are."""

from __future__ import annotations

from typing import Any

from envoy.config.core.v3 import config_source_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from lateen.engine import Reader, query
from lateen.model.names import outbound_cluster
from lateen.model.proxy import GrpcClientView
from lateen.model.scope import scope_key
from lateen.translate.grpc.names import targets
from lateen.translate.resource import Recipe, Resource, resource
from lateen.translate.routes.faults import FAULT_FILTER

_ROUTER = "envoy.filters.http.router"


@query
def listing(db: Reader, view: GrpcClientView) -> tuple[Recipe, ...]:
    """One listener for every name of every port that the view sees."""
    found = targets(db, scope_key(db, view.sidecar), view.sidecar.namespace)
    return tuple(
        Recipe(name, listener, (name, outbound_cluster(to.port, "", to.service.hostname))) for name, to in found.items()
    )


@query
def listener(db: Reader, name: str, route: str) -> Resource:
    """What stands for a target: requests to it go by a route configuration."""
    manager = hcm_pb2.HttpConnectionManager()
    manager.rds.route_config_name = route
    manager.rds.config_source.ads.SetInParent()
    manager.rds.config_source.resource_api_version = config_source_pb2.ApiVersion.V3
    manager.http_filters.add(name=FAULT_FILTER).typed_config.Pack(fault_pb2.HTTPFault())
    add_router(manager)
    message = listener_pb2.Listener(name=name)
    message.api_listener.api_listener.Pack(manager, deterministic=True)
    return resource(name, message)


def add_router(manager: Any) -> None:
    """What the filters of a connection manager end with."""
    manager.http_filters.add(name=_ROUTER).typed_config.Pack(router_pb2.Router())
