"""httpbin's endpoints over HTTP, in both shapes of JSON."""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import zlib
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientResponse, FormData, web
from aiohttp.test_utils import TestClient, TestServer

from lateen.samples.httpbin.app import httpbin
from lateen.samples.httpbin.gunicorn import parser, port_of

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def go() -> AsyncIterator[Client]:
    async with TestClient(TestServer(httpbin("go"))) as client:
        yield client


@pytest.fixture
async def python() -> AsyncIterator[Client]:
    async with TestClient(TestServer(httpbin("python"))) as client:
        yield client


async def _ask(client: Client, method: str, path: str, **options: Any) -> tuple[ClientResponse, bytes]:
    async with client.request(method, path, allow_redirects=False, **options) as response:
        return response, await response.read()


async def _json(client: Client, path: str, method: str = "GET", **options: Any) -> Any:
    response, body = await _ask(client, method, path, **options)
    assert response.status == 200
    assert response.content_type == "application/json"
    return json.loads(body)


async def test_get_tells_the_request_in_lists(go: Client) -> None:
    sent = {"x-forwarded-client-cert": "By=spiffe://a", "X-Forwarded-For": "10.1.2.3,10.0.0.9", "User-Agent": "me"}
    told = await _json(go, "/get?a=1&a=2&b=3", headers=sent)
    assert told["args"] == {"a": ["1", "2"], "b": ["3"]}
    assert told["headers"]["X-Forwarded-Client-Cert"] == ["By=spiffe://a"]
    assert told["headers"]["User-Agent"] == ["me"]
    assert told["origin"] == "10.1.2.3"
    assert told["method"] == "GET"
    assert told["url"].endswith("/get?a=1&a=2&b=3")


async def test_get_tells_the_request_in_strings(python: Client) -> None:
    sent = {"x-request-id": "r1", "X-Forwarded-Proto": "https", "Host": "httpbin.example.com"}
    told = await _json(python, "/get?a=1&a=2&b=3", headers=sent)
    assert told["args"] == {"a": ["1", "2"], "b": "3"}
    assert told["headers"]["X-Request-Id"] == "r1"
    assert told["origin"] == "127.0.0.1"
    assert told["url"] == "https://httpbin.example.com/get?a=1&a=2&b=3"
    assert set(told) == {"args", "headers", "origin", "url"}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
async def test_bodies_are_told_back(go: Client, python: Client, method: str) -> None:
    told = await _json(python, f"/{method}", method, data='{"a": [1]}', headers={"Content-Type": "application/json"})
    assert (told["data"], told["json"], told["form"]) == ('{"a": [1]}', {"a": [1]}, {})
    told = await _json(python, f"/{method}", method, data={"x": "1"})
    assert (told["form"], told["data"], told["json"]) == ({"x": "1"}, "", None)
    told = await _json(go, f"/{method}", method, data={"x": "1"})
    assert (told["form"], told["method"]) == ({"x": ["1"]}, method.upper())
    told = await _json(go, f"/{method}", method, data=b"\xff\x00")
    assert told["data"] == "data:application/octet-stream;base64,/wA="


async def test_files_are_told_back(python: Client) -> None:
    form = FormData()
    form.add_field("file", b"content", filename="f.txt")
    form.add_field("name", "value")
    told = await _json(python, "/post", "POST", data=form)
    assert (told["files"], told["form"]) == ({"file": "content"}, {"name": "value"})


async def test_a_body_beyond_the_bound_is_refused(go: Client) -> None:
    assert (await _ask(go, "POST", "/post", data=b"x" * ((10 << 20) + 1)))[0].status == 413


async def test_anything_takes_every_method_and_path(python: Client) -> None:
    told = await _json(python, "/anything/deep/down?q=1", "REPORT", data="hello")
    assert (told["method"], told["data"], told["args"]) == ("REPORT", "hello", {"q": "1"})


async def test_small_facts(go: Client) -> None:
    assert await _json(go, "/ip") == {"origin": "127.0.0.1"}
    assert await _json(go, "/user-agent", headers={"User-Agent": "sailor/1"}) == {"user-agent": "sailor/1"}
    assert (await _json(go, "/headers", headers={"x-a": "1"}))["headers"]["X-A"] == ["1"]
    assert (await _json(go, "/hostname"))["hostname"]
    _, body = await _ask(go, "POST", "/dump/request", data="body", headers={"x-a": "1"})
    assert body.startswith(b"POST /dump/request HTTP/1.1\r\n")
    assert b"X-A: 1\r\n" in body
    assert body.endswith(b"\r\n\r\nbody")


async def test_status_is_the_one_asked_for(go: Client) -> None:
    for code in (200, 204, 404, 418, 500, 503):
        assert (await _ask(go, "GET", f"/status/{code}"))[0].status == code
    assert b"teapot" in (await _ask(go, "GET", "/status/418"))[1]
    assert (await _ask(go, "PUT", "/status/302"))[0].headers["Location"] == "/redirect/1"
    seen = Counter([(await _ask(go, "GET", "/status/200:0.5,503:0.5"))[0].status for _ in range(100)])
    assert set(seen) == {200, 503}
    for bad in ("abc", "99", "600", "101", "200:x", "200:0"):
        assert (await _ask(go, "GET", f"/status/{bad}"))[0].status == 400


async def test_delay_waits_and_is_bounded(go: Client) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await _ask(go, "GET", "/delay/0.2"))[0].status == 200
    assert loop.time() - began >= 0.2
    for bad in ("11", "-1", "nan", "soon"):
        assert (await _ask(go, "GET", f"/delay/{bad}"))[0].status == 400


async def test_unstable_fails_as_often_as_asked(go: Client) -> None:
    assert (await _ask(go, "GET", "/unstable?failure_rate=1"))[0].status == 500
    assert (await _ask(go, "GET", "/unstable?failure_rate=0"))[0].status == 200


async def test_redirects_lead_to_get(go: Client) -> None:
    for kind in ("redirect", "relative-redirect", "absolute-redirect"):
        async with go.get(f"/{kind}/3") as response:
            assert (response.status, response.url.path, len(response.history)) == (200, "/get", 3)
    response, _ = await _ask(go, "GET", "/redirect-to?url=http://elsewhere.example/&status_code=307")
    assert (response.status, response.headers["Location"]) == (307, "http://elsewhere.example/")
    assert (await _ask(go, "GET", "/redirect-to?url=http://e/%0d%0ax:1"))[0].status == 400


async def test_bytes_and_streams(go: Client) -> None:
    first, again = [(await _ask(go, "GET", "/bytes/100?seed=1"))[1] for _ in range(2)]
    assert len(first) == 100
    assert first == again
    assert len((await _ask(go, "GET", "/stream-bytes/25000"))[1]) == 25000
    _, lines = await _ask(go, "GET", "/stream/3")
    assert [json.loads(line)["id"] for line in lines.splitlines()] == [0, 1, 2]
    assert (await _ask(go, "GET", "/drip?numbytes=3&duration=0&code=201"))[1] == b"***"
    for bad in ("/bytes/99999999", "/stream/0", "/stream-bytes/10?chunk_size=0", "/drip?duration=1000"):
        assert (await _ask(go, "GET", bad))[0].status == 400


async def test_compressed_answers() -> None:
    async with TestClient(TestServer(httpbin("go")), auto_decompress=False) as client:
        response, body = await _ask(client, "GET", "/gzip")
        assert response.headers["Content-Encoding"] == "gzip"
        assert json.loads(gzip.decompress(body))["gzipped"] is True
        response, body = await _ask(client, "GET", "/deflate")
        assert json.loads(zlib.decompress(body))["deflate"] is True


async def test_documents(go: Client) -> None:
    assert (await _json(go, "/json"))["slideshow"]["title"]
    for path, kind, part in (
        ("/html", "text/html", b"<h1>"),
        ("/xml", "application/xml", b"<?xml"),
        ("/robots.txt", "text/plain", b"Disallow: /deny"),
        ("/encoding/utf8", "text/html", "帆".encode()),
        ("/base64/bGF0ZWVu", "text/plain", b"lateen"),
        ("/", "text/html", b"/status/{codes}"),
        ("/deny", "text/plain", b"stay out"),
    ):
        response, body = await _ask(go, "GET", path)
        assert (response.status, response.content_type) == (200, kind)
        assert part in body
    assert len((await _json(go, "/uuid"))["uuid"]) == 36
    assert (await _ask(go, "GET", "/base64/*"))[0].status == 400


async def test_authentication(python: Client) -> None:
    right, wrong = (f"Basic {b64encode(pair.encode()).decode()}" for pair in ("jason:p ä", "jason:x"))
    path = "/basic-auth/jason/p%20ä"
    response, body = await _ask(python, "GET", path, headers={"Authorization": right})
    assert (response.status, json.loads(body)) == (200, {"authenticated": True, "user": "jason"})
    for headers in ({}, {"Authorization": wrong}, {"Authorization": "Basic !"}, {"Authorization": "Bearer x"}):
        response, _ = await _ask(python, "GET", path, headers=headers)
        assert (response.status, response.headers["WWW-Authenticate"]) == (401, 'Basic realm="Fake Realm"')
        hidden = path.replace("/basic", "/hidden-basic")
        assert (await _ask(python, "GET", hidden, headers=headers))[0].status == 404
    told = await _json(python, "/bearer", headers={"Authorization": "Bearer t0"})
    assert told == {"authenticated": True, "token": "t0"}
    assert (await _ask(python, "GET", "/bearer"))[0].status == 401


async def test_cookies_come_and_go(python: Client) -> None:
    async with python.get("/cookies/set?a=1&b=2") as response:
        assert (await response.json())["cookies"] == {"a": "1", "b": "2"}
    async with python.get("/cookies/set/c/3"):
        pass
    async with python.get("/cookies/delete?a=") as response:
        assert (await response.json())["cookies"] == {"b": "2", "c": "3"}


async def test_caches(go: Client) -> None:
    response, _ = await _ask(go, "GET", "/cache")
    assert response.headers["ETag"]
    assert (await _ask(go, "GET", "/cache", headers={"If-None-Match": "x"}))[0].status == 304
    assert (await _ask(go, "GET", "/cache/60"))[0].headers["Cache-Control"] == "public, max-age=60"
    assert (await _ask(go, "GET", "/etag/t1"))[0].headers["ETag"] == '"t1"'
    assert (await _ask(go, "GET", "/etag/t1", headers={"If-None-Match": 'W/"t0", "t1"'}))[0].status == 304
    assert (await _ask(go, "GET", "/etag/t1", headers={"If-Match": '"t0"'}))[0].status == 412


async def test_response_headers_are_those_asked_for(go: Client) -> None:
    response, _ = await _ask(go, "GET", "/response-headers?x-a=1&x-a=2&Content-Type=text/plain")
    assert response.headers.getall("x-a") == ["1", "2"]
    assert response.headers.getall("Content-Type") == ["text/plain"]
    assert (await _ask(go, "GET", "/response-headers?x=a%0d%0ab:c"))[0].status == 400


async def test_browsers_of_other_origins_are_let_in(go: Client) -> None:
    response, _ = await _ask(go, "GET", "/get", headers={"Origin": "http://shop.example"})
    assert response.headers["Access-Control-Allow-Origin"] == "http://shop.example"
    asked = {"Origin": "http://shop.example", "Access-Control-Request-Headers": "x-a"}
    response, _ = await _ask(go, "OPTIONS", "/get", headers=asked)
    assert (response.status, response.headers["Access-Control-Allow-Headers"]) == (200, "x-a")


def test_the_command_line_of_the_python_httpbin_is_understood() -> None:
    chosen = parser().parse_args(["-b", "0.0.0.0:8080", "-b", "[::]:80", "httpbin:app", "-k", "gevent"])
    assert chosen.bind == [8080, 80]
    assert parser().parse_args(["--access-logfile", "-", "-b", "0.0.0.0:80", "httpbin:app"]).bind == [80]
    for bad in ("127.0.0.1:80", "80", "unix:/x", "0.0.0.0:99999"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected"):
            port_of(bad)
    with pytest.raises(SystemExit):
        parser().parse_args(["--reload", "httpbin:app"])
