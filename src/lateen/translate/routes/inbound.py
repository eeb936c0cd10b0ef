"""The route configuration of a workload's own port, inline in its listener."""

from __future__ import annotations

from typing import Any

from envoy.config.route.v3 import route_components_pb2, route_pb2

from lateen.api.schema.duration import Duration
from lateen.model.protocol import Protocol
from lateen.translate.routes.default_route import NAME
from lateen.translate.routes.durations import set_duration
from lateen.translate.routes.match import everything

_RETRIES = 2
_NO_LIMIT = Duration(0)


def inbound_route(cluster: str, port: int, operation: str, protocol: Protocol) -> Any:
    """A RouteConfiguration that sends everything to the workload.

    `port` is the service's, `operation` what traces call it (`reviews.default.svc.cluster.local:9080/*`).
    """
    route = route_components_pb2.Route(name=NAME, match=everything())
    route.decorator.operation = operation
    action = route.route
    action.cluster = cluster
    set_duration(action.timeout, _NO_LIMIT)
    set_duration(action.max_stream_duration.max_stream_duration, _NO_LIMIT)
    set_duration(action.max_stream_duration.grpc_timeout_header_max, _NO_LIMIT)
    if protocol not in (Protocol.GRPC, Protocol.GRPC_WEB):
        # A connection that the workload closed just then; streams of gRPC cannot be sent twice.
        action.retry_policy.retry_on = "reset-before-request"
        action.retry_policy.num_retries.value = _RETRIES
    host = route_components_pb2.VirtualHost(name=f"inbound|http|{port}", domains=("*",), routes=(route,))
    config = route_pb2.RouteConfiguration(name=cluster, virtual_hosts=(host,))
    config.validate_clusters.value = False
    return config
