"""What MeshConfig says about all routes."""

from __future__ import annotations

import msgspec

from lateen.api.networking.virtual_service import HTTPRetry
from lateen.engine import Reader, query
from lateen.model.inputs import MESH_CONFIG


class RouteSettings(msgspec.Struct, frozen=True):
    counts_attempts: bool
    """`x-envoy-attempt-count` is added to requests."""
    forwards_host: bool
    """`x-forwarded-host` is added to requests whose authority is rewritten."""
    retries: HTTPRetry | None
    """When requests are tried again where no route says so; None for the usual."""


@query
def route_settings(db: Reader) -> RouteSettings:
    """Stays the same when MeshConfig changes in other respects."""
    mesh = MESH_CONFIG.get(db)
    headers = mesh.default_config.proxy_headers
    attempts = headers.attempt_count if headers is not None else None
    host = headers.x_forwarded_host if headers is not None else None
    return RouteSettings(
        not (attempts is not None and attempts.disabled),
        host is not None and bool(host.enabled),
        mesh.default_http_retry_policy,
    )
