"""/basic-auth, /hidden-basic-auth, /bearer: what a server asks of a client that says who it is."""

from __future__ import annotations

import base64
import binascii
import hmac

from aiohttp import web

from lateen.samples.httpbin import facts
from lateen.samples.httpbin.answers import json_answer


def _is_user(request: web.Request) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    try:
        credentials = base64.b64decode(given.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    right = f"{request.match_info['user']}:{request.match_info['password']}".encode()
    return hmac.compare_digest(credentials, right) and scheme.lower() == "basic"


def _welcome(request: web.Request) -> web.Response:
    accepted = "authorized" if request.app[facts.STYLE] == "go" else "authenticated"
    return json_answer({accepted: True, "user": request.match_info["user"]})


async def _basic(request: web.Request) -> web.Response:
    if not _is_user(request):
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="Fake Realm"'})
    return _welcome(request)


async def _hidden(request: web.Request) -> web.Response:
    return _welcome(request) if _is_user(request) else web.Response(status=404)


async def _bearer(request: web.Request) -> web.Response:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
    return json_answer({"authenticated": True, "token": token})


def add(router: web.UrlDispatcher) -> None:
    router.add_get("/basic-auth/{user}/{password}", _basic)
    router.add_get("/hidden-basic-auth/{user}/{password}", _hidden)
    router.add_get("/bearer", _bearer)
