"""All of httpbin as one application."""

from __future__ import annotations

from aiohttp import web

from lateen.samples.httpbin import authenticating, behaving, bodies, facts, inspecting, remembering
from lateen.samples.serving import application

_MAX_BODY = 10 << 20
_GROUPS = (inspecting, behaving, bodies, authenticating, remembering)


async def _index(request: web.Request) -> web.Response:
    """What there is to ask for."""
    paths = sorted({resource.canonical for resource in request.app.router.resources()})
    rows = "".join(f"<li><code>{path}</code></li>" for path in paths)
    return web.Response(
        text=f"<!DOCTYPE html><html lang='en'><title>httpbin</title><h1>httpbin</h1><ul>{rows}</ul></html>\n",
        content_type="text/html",
    )


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _open_to_all(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.setdefault("Access-Control-Allow-Origin", request.headers.get("Origin", "*"))
    response.headers.setdefault("Access-Control-Allow-Credentials", "true")


async def _preflight(request: web.Request) -> web.Response:
    allowed = {
        "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, PATCH, OPTIONS",
        "Access-Control-Max-Age": "3600",
    }
    if asked := request.headers.get("Access-Control-Request-Headers"):
        allowed["Access-Control-Allow-Headers"] = asked
    return web.Response(headers=allowed)


def httpbin(style: facts.Style) -> web.Application:
    """`style` is the shape of the JSON, as the package says."""
    app = application(max_body=_MAX_BODY)
    app[facts.STYLE] = style
    app.on_response_prepare.append(_open_to_all)
    for group in _GROUPS:
        group.add(app.router)
    app.router.add_get("/", _index)
    app.router.add_get("/healthz", _health)
    app.router.add_route("OPTIONS", "/{rest:.*}", _preflight)
    return app
