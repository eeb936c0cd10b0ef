"""/json, /html, /bytes, /stream, /gzip, ...: bodies of every kind, bounded in size and time."""

from __future__ import annotations

import asyncio
import base64
import binascii
import gzip
import json
import random
import uuid
import zlib

from aiohttp import web

from lateen.samples.httpbin import facts
from lateen.samples.httpbin.answers import bounded, json_answer

_MAX_BYTES = 10 << 20
_MAX_LINES = 100
_MAX_SECONDS = 60.0
_CHUNK = 10 << 10
_JSON = {
    "slideshow": {
        "author": "The harbour master",
        "date": "date of publication",
        "slides": [{"title": "Setting sail", "type": "all"}, {"title": "Ropes", "type": "all", "items": ["a", "b"]}],
        "title": "Sample Slide Show",
    }
}
_HTML = """<!DOCTYPE html>
<html lang="en"><head><title>A page</title></head>
<body><h1>The wind and the lateen</h1><p>A sail that can be set across the wind goes where it will.</p></body></html>
"""
_XML = """<?xml version="1.0" encoding="utf-8"?>
<slideshow title="Sample Slide Show"><slide type="all"><title>Setting sail</title></slide></slideshow>
"""


def _random(request: web.Request, size: int) -> bytes:
    seed = request.query.get("seed")
    return (random.Random(seed) if seed is not None else random.Random()).randbytes(size)


async def _bytes(request: web.Request) -> web.Response:
    size = int(bounded(request.match_info["size"], "size", 0, _MAX_BYTES))
    return web.Response(body=_random(request, size), content_type="application/octet-stream")


async def _stream_bytes(request: web.Request) -> web.StreamResponse:
    size = int(bounded(request.match_info["size"], "size", 0, _MAX_BYTES))
    chunk = int(bounded(request.query.get("chunk_size", str(_CHUNK)), "chunk_size", 1, _MAX_BYTES))
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    data = _random(request, size)
    for start in range(0, size, chunk):
        await response.write(data[start : start + chunk])
    await response.write_eof()
    return response


async def _stream(request: web.Request) -> web.StreamResponse:
    count = int(bounded(request.match_info["count"], "count", 1, _MAX_LINES))
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    told = facts.short(request)
    for number in range(count):
        await response.write(json.dumps({"id": number, **told}).encode() + b"\n")
    await response.write_eof()
    return response


async def _drip(request: web.Request) -> web.StreamResponse:
    """`numbytes` bytes spread over `duration` seconds, after `delay` seconds."""
    size = int(bounded(request.query.get("numbytes", "10"), "numbytes", 1, _MAX_BYTES))
    duration = bounded(request.query.get("duration", "2"), "duration", 0, _MAX_SECONDS)
    delay = bounded(request.query.get("delay", "0"), "delay", 0, _MAX_SECONDS)
    code = int(bounded(request.query.get("code", "200"), "code", 200, 599))
    await asyncio.sleep(delay)
    response = web.StreamResponse(status=code, headers={"Content-Length": str(size)})
    await response.prepare(request)
    for number in range(size):
        await response.write(b"*")
        if number < size - 1 and duration:
            await asyncio.sleep(duration / (size - 1))
    await response.write_eof()
    return response


async def _encoded(request: web.Request) -> web.Response:
    encoding = request.path.removeprefix("/")
    told = {encoding if encoding == "deflate" else "gzipped": True, **facts.short(request), "method": request.method}
    text = json.dumps(told, indent=2).encode()
    body = gzip.compress(text) if encoding == "gzip" else zlib.compress(text)
    return web.Response(body=body, content_type="application/json", headers={"Content-Encoding": encoding})


async def _json(_request: web.Request) -> web.Response:
    return json_answer(_JSON)


async def _html(_request: web.Request) -> web.Response:
    return web.Response(text=_HTML, content_type="text/html")


async def _xml(_request: web.Request) -> web.Response:
    return web.Response(text=_XML, content_type="application/xml")


async def _utf8(_request: web.Request) -> web.Response:
    return web.Response(text="<h1>Ένα ιστίο, парус, 帆, ⛵</h1>\n", content_type="text/html")


async def _robots(_request: web.Request) -> web.Response:
    return web.Response(text="User-agent: *\nDisallow: /deny\n")


async def _deny(_request: web.Request) -> web.Response:
    return web.Response(text="robots.txt asked you to stay out.\n")


async def _uuid(_request: web.Request) -> web.Response:
    return json_answer({"uuid": str(uuid.uuid4())})


async def _base64(request: web.Request) -> web.Response:
    try:
        decoded = base64.b64decode(request.match_info["text"], altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise web.HTTPBadRequest(text="expected text in base64\n") from None
    return web.Response(body=decoded, content_type="text/plain")


def add(router: web.UrlDispatcher) -> None:
    router.add_get("/bytes/{size}", _bytes)
    router.add_get("/stream-bytes/{size}", _stream_bytes)
    router.add_get("/stream/{count}", _stream)
    router.add_get("/drip", _drip)
    router.add_get("/gzip", _encoded)
    router.add_get("/deflate", _encoded)
    router.add_get("/json", _json)
    router.add_get("/html", _html)
    router.add_get("/xml", _xml)
    router.add_get("/encoding/utf8", _utf8)
    router.add_get("/robots.txt", _robots)
    router.add_get("/deny", _deny)
    router.add_get("/uuid", _uuid)
    router.add_get("/base64/{text}", _base64)
