"""/get, /post, /headers, /anything, ...: the request, told back."""

from __future__ import annotations

import socket

from aiohttp import web

from lateen.samples.httpbin import facts
from lateen.samples.httpbin.answers import json_answer


async def _get(request: web.Request) -> web.Response:
    return json_answer(facts.short(request))


async def _with_body(request: web.Request) -> web.Response:
    told = await facts.whole(request)
    if request.app[facts.STYLE] == "python":
        del told["method"]
    return json_answer(told)


async def _anything(request: web.Request) -> web.Response:
    return json_answer(await facts.whole(request))


async def _headers(request: web.Request) -> web.Response:
    return json_answer({"headers": facts.headers(request)})


async def _ip(request: web.Request) -> web.Response:
    return json_answer({"origin": facts.origin(request)})


async def _user_agent(request: web.Request) -> web.Response:
    return json_answer({"user-agent": request.headers.get("User-Agent", "")})


async def _hostname(_request: web.Request) -> web.Response:
    return json_answer({"hostname": socket.gethostname()})


async def _dump(request: web.Request) -> web.Response:
    lines = [f"{request.method} {request.raw_path} HTTP/1.1"]
    lines += [f"{facts.name_of(name)}: {value}" for name, value in request.headers.items()]
    return web.Response(
        body="\r\n".join(lines).encode() + b"\r\n\r\n" + await request.read(), content_type="text/plain"
    )


def add(router: web.UrlDispatcher) -> None:
    router.add_get("/get", _get)
    for method in ("post", "put", "patch", "delete"):
        router.add_route(method.upper(), f"/{method}", _with_body)
    router.add_route("*", "/anything", _anything)
    router.add_route("*", "/anything/{rest:.*}", _anything)
    router.add_get("/headers", _headers)
    router.add_get("/ip", _ip)
    router.add_get("/user-agent", _user_agent)
    router.add_get("/hostname", _hostname)
    router.add_route("*", "/dump/request", _dump)
