"""/status, /delay, /redirect, ...: answers that fail, take their time or send elsewhere, as asked."""

from __future__ import annotations

import asyncio
import random
from http import HTTPStatus

from aiohttp import web

from lateen.samples.httpbin import facts
from lateen.samples.httpbin.answers import bounded, json_answer

_MAX_DELAY = 10.0
_MAX_REDIRECTS = 100
_TEAPOT = r"""
       .--.
   ____|__|___
  (          \__
   \   tea   / _/
    \_______/_/
"""


def _chosen(codes: str) -> int:
    """`200`, `200,500`, `200:0.9,500:0.1` (weights): one of them. Raises HTTPBadRequest."""
    choices, weights = [], []
    for part in codes.split(","):
        code, _, weight = part.partition(":")
        choices.append(int(bounded(code, "status", 100, 599)))
        weights.append(bounded(weight or "1", "weight", 0, 1e6))
    if sum(weights) == 0:
        raise web.HTTPBadRequest(text="weights are all 0; expected one at least above\n")
    return random.choices(choices, weights)[0]


async def _status(request: web.Request) -> web.Response:
    code = _chosen(request.match_info["codes"])
    if code < 200:
        raise web.HTTPBadRequest(text="status: an interim one is no answer; expected 200 to 599\n")
    if code in (301, 302, 303, 307, 308):
        return web.Response(status=code, headers={"Location": "/redirect/1"})
    if code == 401:
        return web.Response(status=code, headers={"WWW-Authenticate": 'Basic realm="Fake Realm"'})
    if code == HTTPStatus.IM_A_TEAPOT:
        return web.Response(status=code, text=f"I'm a teapot!\n{_TEAPOT}")
    return web.Response(status=code)


async def _delay(request: web.Request) -> web.Response:
    seconds = bounded(request.match_info["seconds"].removesuffix("s"), "delay", 0, _MAX_DELAY)
    await asyncio.sleep(seconds)
    return json_answer(await facts.whole(request))


async def _unstable(request: web.Request) -> web.Response:
    rate = bounded(request.query.get("failure_rate", "0.5"), "failure_rate", 0, 1)
    return web.Response(status=500 if random.random() < rate else 200)


async def _redirect(request: web.Request) -> web.Response:
    count = int(bounded(request.match_info["count"], "count", 1, _MAX_REDIRECTS))
    kind = request.match_info["kind"]
    base = f"{request.scheme}://{request.host}" if kind.startswith("absolute") else ""
    target = f"{base}/{kind}/{count - 1}" if count > 1 else f"{base}/get"
    return web.Response(status=302, headers={"Location": target})


async def _redirect_to(request: web.Request) -> web.Response:
    url = request.query.get("url", "")
    if not url or any(ord(character) < 33 for character in url):
        raise web.HTTPBadRequest(text="url: expected where to redirect to\n")
    status = int(bounded(request.query.get("status_code", "302"), "status_code", 300, 399))
    return web.Response(status=status, headers={"Location": url})


def add(router: web.UrlDispatcher) -> None:
    router.add_route("*", "/status/{codes}", _status)
    router.add_route("*", "/delay/{seconds}", _delay)
    router.add_route("*", "/unstable", _unstable)
    router.add_get("/{kind:redirect|relative-redirect|absolute-redirect}/{count}", _redirect)
    router.add_route("*", "/redirect-to", _redirect_to)
