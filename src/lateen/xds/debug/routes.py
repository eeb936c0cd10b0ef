"""Mounts the debug endpoints on a web application."""

from __future__ import annotations

import html
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from lateen.api.addresses import unmapped
from lateen.engine import Engine
from lateen.xds.connection import Connection
from lateen.xds.debug.config_dump import config_dump
from lateen.xds.debug.mesh import configz, endpointz, registryz
from lateen.xds.debug.proxies import adsz, connections_page, find, syncz
from lateen.xds.debug.push import engine_page, push_status
from lateen.xds.server import XdsServer

Pages = Mapping[str, tuple[str, Callable[[web.Request], Any]]]
"""Below `/debug/`: what each is for, and what makes its data."""

Admit = Callable[[web.Request], Awaitable[bool]]
"""Whether a caller may look."""

_NOT_HERE = "The proxy is not connected to this instance; it may be connected to another one.\n"


async def from_this_machine(request: web.Request) -> bool:
    """Admits callers of the loopback interface, such as a port forwarding of kubectl."""
    try:
        return ipaddress.ip_address(unmapped(request.remote or "")).is_loopback
    except ValueError:
        return False


def routes(
    engine: Engine, server: XdsServer, admit: Admit = from_this_machine, more: Pages | None = None
) -> list[web.RouteDef]:
    """`GET /debug` lists all, and `more` among them. Callers who are not admitted get 401. `?pretty` indents."""
    pages: dict[str, tuple[str, Callable[[web.Request], Any]]] = {
        "syncz": ("Whether connected proxies have what they should", lambda _: syncz(server.connections())),
        "adsz": ("Connected proxies and what they watch", lambda request: adsz(_selected(server, request))),
        "connections": ("Connected proxies", lambda _: connections_page(server.connections())),
        "config_dump": ("What ?proxyID= was sent, as Envoy shows it", lambda request: _dump(server, request)),
        "registryz": ("Services", lambda _: registryz(engine)),
        "endpointz": ("Endpoints of services", lambda _: endpointz(engine)),
        "configz": ("The mesh's resources in force", lambda _: configz(engine)),
        "push_status": ("What could not be made, and what proxies rejected", lambda _: push_status(server)),
        "engine": ("Counters of the engine, collections and pushes", lambda _: engine_page(engine, server)),
        **(more or {}),
    }
    found = [web.get(f"/debug/{name}", _handler(page, admit)) for name, (_, page) in pages.items()]
    listed = {f"/debug/{name}": help for name, (help, _) in pages.items()}
    return [*found, web.get("/debug", _index(listed, admit)), web.get("/debug/list", _handler(lambda _: listed, admit))]


def _handler(page: Callable[[web.Request], Any], admit: Admit) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        if not await admit(request):
            return web.Response(status=401, text="not admitted\n")
        text = json.dumps(page(request), indent=2 if "pretty" in request.query else None)
        return web.Response(text=text, content_type="application/json")

    return handle


def _index(listed: dict[str, str], admit: Admit) -> Callable[[web.Request], Awaitable[web.Response]]:
    rows = "".join(f'<li><a href="{path}">{path}</a> {html.escape(help)}</li>' for path, help in listed.items())

    async def handle(request: web.Request) -> web.Response:
        if not await admit(request):
            return web.Response(status=401, text="not admitted\n")
        return web.Response(text=f"<!doctype html><title>Debug</title><ul>{rows}</ul>\n", content_type="text/html")

    return handle


def _selected(server: XdsServer, request: web.Request) -> tuple[Connection, ...]:
    proxy_id = request.query.get("proxyID", "")
    return (_found(server, proxy_id),) if proxy_id else tuple(server.connections())


def _dump(server: XdsServer, request: web.Request) -> dict[str, Any]:
    proxy_id = request.query.get("proxyID", "")
    if not proxy_id:
        raise web.HTTPBadRequest(text="?proxyID=NAME.NAMESPACE is needed\n")
    return config_dump(_found(server, proxy_id), endpoints=request.query.get("include_eds") == "true")


def _found(server: XdsServer, proxy_id: str) -> Connection:
    connection = find(server.connections(), proxy_id)
    if connection is None:
        raise web.HTTPNotFound(text=_NOT_HERE)
    return connection
