"""ConsistentHashLB to Envoy's hash policy: by what of a request its endpoint is chosen."""

from __future__ import annotations

from typing import Any

from envoy.config.route.v3 import route_components_pb2

from lateen.api.networking.destination_rule import ConsistentHashLB
from lateen.translate.routes.durations import set_duration


def hash_policy(consistent: ConsistentHashLB) -> Any | None:
    """A RouteAction.HashPolicy; None when no key is named."""
    out = route_components_pb2.RouteAction.HashPolicy()
    if consistent.http_header_name:
        out.header.header_name = consistent.http_header_name
    elif consistent.http_cookie is not None:
        cookie = consistent.http_cookie
        out.cookie.name = cookie.name
        out.cookie.path = cookie.path
        set_duration(out.cookie.ttl, cookie.ttl)
        for attribute in cookie.attributes:
            out.cookie.attributes.add(name=attribute.name, value=attribute.value)
    elif consistent.use_source_ip:
        out.connection_properties.source_ip = True
    elif consistent.http_query_parameter_name:
        out.query_parameter.name = consistent.http_query_parameter_name
    else:
        return None
    return out
