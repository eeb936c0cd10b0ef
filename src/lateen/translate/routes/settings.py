"""What MeshConfig, or a proxy's own ProxyConfig, says about all routes."""

from __future__ import annotations

from typing import NamedTuple

from lateen.api.networking.virtual_service import HTTPRetry
from lateen.engine import Reader, query
from lateen.model.inputs import MESH_CONFIG
from lateen.model.proxy import ProxySettings


class AddedHeaders(NamedTuple):
    """The headers that routes of a proxy add by themselves."""

    counts_attempts: bool = True
    """`x-envoy-attempt-count` is added to requests."""
    forwards_host: bool = False
    """`x-forwarded-host` is added to requests whose authority is rewritten."""


@query
def added_headers(db: Reader, own: ProxySettings) -> AddedHeaders:
    """As proxyHeaders of the proxy or of MeshConfig.defaultConfig has it."""
    headers = own.headers or MESH_CONFIG.get(db).default_config.proxy_headers
    attempts = headers.attempt_count if headers is not None else None
    host = headers.x_forwarded_host if headers is not None else None
    return AddedHeaders(not (attempts is not None and attempts.disabled), host is not None and bool(host.enabled))


@query
def default_retries(db: Reader) -> HTTPRetry | None:
    """When requests are tried again where no route says so; None for the usual."""
    return MESH_CONFIG.get(db).default_http_retry_policy
