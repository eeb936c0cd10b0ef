"""/cookies, /cache, /etag, /response-headers: what clients and caches keep."""

from __future__ import annotations

import email.utils

from aiohttp import web

from lateen.samples.httpbin import facts
from lateen.samples.httpbin.answers import bounded, json_answer

_MAX_AGE = 365 * 86400


async def _cookies(request: web.Request) -> web.Response:
    given = dict(request.cookies)
    return json_answer(given if request.app[facts.STYLE] == "go" else {"cookies": given})


def _back_to_cookies() -> web.Response:
    return web.Response(status=302, headers={"Location": "/cookies"})


async def _set(request: web.Request) -> web.Response:
    response = _back_to_cookies()
    pairs = request.match_info if "name" in request.match_info else None
    chosen = {pairs["name"]: pairs["value"]} if pairs else dict(request.query)
    try:
        for name, value in chosen.items():
            response.set_cookie(name, value)
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"cookie: {error}\n") from error
    return response


async def _delete(request: web.Request) -> web.Response:
    response = _back_to_cookies()
    for name in request.query:
        response.del_cookie(name)
    return response


async def _cache(request: web.Request) -> web.Response:
    if "If-Modified-Since" in request.headers or "If-None-Match" in request.headers:
        return web.Response(status=304)
    response = json_answer(facts.short(request))
    response.headers["Last-Modified"] = email.utils.formatdate(usegmt=True)
    response.headers["ETag"] = '"lateen"'
    return response


async def _cache_for(request: web.Request) -> web.Response:
    seconds = int(bounded(request.match_info["seconds"], "seconds", 0, _MAX_AGE))
    response = json_answer(facts.short(request))
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
    return response


async def _etag(request: web.Request) -> web.Response:
    tag = f'"{request.match_info["tag"]}"'

    def lists(header: str) -> bool:
        named = [each.strip().removeprefix("W/") for each in request.headers.get(header, "").split(",")]
        return tag in named or "*" in named

    if lists("If-None-Match"):
        return web.Response(status=304, headers={"ETag": tag})
    if "If-Match" in request.headers and not lists("If-Match"):
        return web.Response(status=412)
    response = json_answer(facts.short(request))
    response.headers["ETag"] = tag
    return response


async def _response_headers(request: web.Request) -> web.Response:
    response = json_answer(facts.arguments(request))
    for name, value in request.query.items():
        if not name.isascii() or any(ord(character) < 32 for character in name + value):
            raise web.HTTPBadRequest(text=f"{name!r}: no header has such a name or value\n")
        if name.lower() == "content-type":
            response.headers[name] = value
        else:
            response.headers.add(name, value)
    return response


def add(router: web.UrlDispatcher) -> None:
    router.add_get("/cookies", _cookies)
    router.add_get("/cookies/set", _set)
    router.add_get("/cookies/set/{name}/{value}", _set)
    router.add_get("/cookies/delete", _delete)
    router.add_get("/cache", _cache)
    router.add_get("/cache/{seconds}", _cache_for)
    router.add_get("/etag/{tag:[\\w.-]+}", _etag)
    router.add_route("*", "/response-headers", _response_headers)
