"""HTTPRedirect and HTTPDirectResponse: answers without an upstream."""

from __future__ import annotations

from typing import Any

from envoy.config.route.v3 import route_components_pb2

from lateen.api.networking.virtual_service import HTTPDirectResponse, HTTPRedirect, RedirectPortSelection

_CODES = {
    301: route_components_pb2.RedirectAction.MOVED_PERMANENTLY,
    302: route_components_pb2.RedirectAction.FOUND,
    303: route_components_pb2.RedirectAction.SEE_OTHER,
    307: route_components_pb2.RedirectAction.TEMPORARY_REDIRECT,
    308: route_components_pb2.RedirectAction.PERMANENT_REDIRECT,
}
_USUAL_PORTS = {"http": 80, "https": 443}


def set_redirect(out: Any, redirect: HTTPRedirect, port: int, *, tls: bool) -> None:
    """Fills a RedirectAction for requests that arrive at a port, over TLS or not.

    Codes that Envoy does not have become 301, of which validation warns.
    """
    if redirect.authority:
        out.host_redirect = redirect.authority
    if redirect.uri:
        out.path_redirect = redirect.uri
    if redirect.scheme:
        out.scheme_redirect = redirect.scheme
    wanted = redirect.port or 0
    if redirect.derive_port is RedirectPortSelection.FROM_REQUEST_PORT:
        # Envoy cannot take it from the request, but each route is made for one port.
        wanted = port
    scheme = redirect.scheme or ("https" if tls else "http")
    if wanted != _USUAL_PORTS[scheme]:
        out.port_redirect = wanted
    out.response_code = _CODES.get(redirect.redirect_code, route_components_pb2.RedirectAction.MOVED_PERMANENTLY)
    out.SetInParent()


def set_direct_response(out: Any, response: HTTPDirectResponse) -> None:
    """Fills a DirectResponseAction."""
    out.status = response.status
    if response.body is None:
        return
    if response.body.string is not None:
        out.body.inline_string = response.body.string
    elif response.body.bytes is not None:
        out.body.inline_bytes = response.body.bytes
