"""Probes against real sockets: HTTP, TLS, gRPC."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from aiohttp import web

from lateen.agent.log import Log
from lateen.agent.server.message import Request, Response
from lateen.agent.server.probe_settings import BadProbe, GrpcProbe, HttpProbe, Probe, parse_probes
from lateen.agent.server.probes import MAX_BODY, Prober
from lateen.agent.settings import LogSettings
from lateen.testing.certificates import Authority
from lateen.testing.free_port import free_port

PATH = "/app-health/web/readyz"


async def probe(action: dict[str, Any], *headers: tuple[str, str], host: str = "127.0.0.1", **more: Any) -> Response:
    probes = parse_probes(json.dumps({PATH: {"timeoutSeconds": 30, **action, **more}}))
    prober = Prober(probes, host, 15020, Log(LogSettings(level="none")))
    given = headers if any(name == "Host" for name, _ in headers) else (("Host", "10.0.0.9:15020"), *headers)
    return await prober.answer(Request("GET", PATH, "", given, "10.0.0.1"))


@asynccontextmanager
async def application(handler: Callable[[web.Request], Any], tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_the_application_sees_what_the_kubelet_would_have_sent_from_an_address_that_is_not_captured() -> None:
    seen: list[web.Request] = []

    async def page(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(status=203, text="fine")

    async with application(page) as port:
        action = {"httpGet": {"path": "ready?x=1", "port": port}}
        answer = await probe(action, ("X-Custom", "yes"), ("User-Agent", "kube-probe/1.33"), ("Connection", "close"))
    assert (answer.status, answer.body) == (203, b"fine")
    (request,) = seen
    assert request.path_qs == "/ready?x=1"
    assert request.headers["Host"] == f"10.0.0.9:{port}"
    assert request.headers["X-Custom"] == "yes"
    assert request.headers["User-Agent"] == "kube-probe/1.33"
    assert request.remote == "127.0.0.6"


async def test_a_host_header_of_the_probes_own_is_kept() -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text=request.headers["Host"])

    async with application(page) as port:
        answer = await probe({"httpGet": {"port": port}}, ("Host", "shop.example"))
    assert answer.body == b"shop.example"


async def test_a_failure_is_passed_on_with_the_beginning_of_its_words() -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(status=503, text="x" * 3 * MAX_BODY)

    async with application(page) as port:
        answer = await probe({"httpGet": {"port": port}})
    assert answer.status == 503
    assert answer.body == b"x" * MAX_BODY


async def test_a_certificate_is_not_verified(tmp_path: Path) -> None:
    pair = Authority().issue("web.example")
    (tmp_path / "pem").write_text(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem")

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=request.scheme)

    async with application(page, context) as port:
        answer = await probe({"httpGet": {"port": port, "scheme": "HTTPS"}}, ("Host", "unknown.example"))
    assert (answer.status, answer.body) == (200, b"https")


@pytest.mark.parametrize(
    ("location", "status", "requests"),
    [
        ("/there", 200, 2),
        ("http://elsewhere.example/there", 200, 1),
        ("", 200, 1),
        ("https://127.0.0.1/", 200, 1),
        ("/loop", 500, 10),
    ],
)
async def test_redirects_on_the_same_host_are_followed(location: str, status: int, requests: int) -> None:
    seen: list[str] = []

    async def page(request: web.Request) -> web.Response:
        seen.append(request.path)
        if request.path == "/there":
            return web.Response(text="arrived")
        return web.Response(status=302, headers={"Location": location})

    async with application(page) as port:
        answer = await probe({"httpGet": {"port": port, "path": "/here"}})
    assert answer.status == status
    assert len(seen) == requests


async def test_an_application_that_does_not_answer_in_time_fails_its_probe() -> None:
    async def page(request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        raise AssertionError

    async with application(page) as port:
        probes = {PATH: Probe(HttpProbe(port, "/", False), 0.05)}
        prober = Prober(probes, "127.0.0.1", 15020, Log(LogSettings(level="none")))
        answer = await prober.answer(Request("GET", PATH, "", (("Host", "h"),), "10.0.0.1"))
    assert answer.status == 500
    assert b"no answer within 0.05 s" in bytes(answer.body)


async def test_tcp() -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response()

    async with application(page) as port:
        assert (await probe({"tcpSocket": {"port": port}})).status == 200
    answer = await probe({"tcpSocket": {"port": free_port()}})
    assert answer.status == 500


async def test_ipv6_works_where_the_proxys_own_address_is_not_there() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "::1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert (await probe({"tcpSocket": {"port": port}}, host="::1")).status == 200


class Health(grpc.GenericRpcHandler):
    """grpc.health.v1.Health: what each service is, by number."""

    def __init__(self, services: dict[str, int]) -> None:
        self._services = services

    def service(self, details: Any) -> Any:
        if details.method != "/grpc.health.v1.Health/Check":
            return None
        return grpc.unary_unary_rpc_method_handler(self._check)

    async def _check(self, request: bytes, context: Any) -> bytes:
        name = request[3 if len(request) > 129 else 2 :].decode()
        if name not in self._services:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        state = self._services[name]
        return b"\x08" + bytes((state,)) if state else b""


@asynccontextmanager
async def grpc_server(*handlers: Any) -> AsyncIterator[int]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(handlers)
    port: int = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


@pytest.mark.parametrize(
    ("service", "status", "words"),
    [
        (None, 200, b"SERVING"),
        ("shop", 200, b"SERVING"),
        ("down", 500, b"NOT_SERVING"),
        ("vague", 500, b"UNKNOWN"),
        ("absent", 500, b"no answer of the health protocol"),
        ("x" * 1000, 200, b"SERVING"),
    ],
)
async def test_grpc_health(service: str | None, status: int, words: bytes) -> None:
    health = Health({"": 1, "shop": 1, "down": 2, "vague": 0, "x" * 1000: 1})
    async with grpc_server(health) as port:
        answer = await probe({"grpc": {"port": port, "service": service}}, ("User-Agent", "kube-probe/1.33"))
    assert answer.status == status
    assert words in bytes(answer.body)


async def test_a_grpc_server_without_health_fails() -> None:
    async with grpc_server() as port:
        answer = await probe({"grpc": {"port": port}})
    assert answer.status == 500


async def test_what_is_no_grpc_server_fails() -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response()

    async with application(page) as port:
        assert (await probe({"grpc": {"port": port}})).status == 500


async def test_an_unknown_probe_is_refused() -> None:
    prober = Prober({}, "127.0.0.1", 15020, Log(LogSettings(level="none")))
    assert (await prober.answer(Request("GET", PATH, "", (), "10.0.0.1"))).status == 400


def test_settings_as_the_injector_writes_them() -> None:
    found = parse_probes(
        json.dumps(
            {
                "/app-health/a/livez": {"httpGet": {"path": "/l", "port": 80, "scheme": "HTTPS"}, "timeoutSeconds": 3},
                "/app-health/a/startupz": {"grpc": {"port": 81, "service": None}},
                "/app-lifecycle/a/prestopz": {"httpGet": {"port": 82, "host": ""}},
            }
        )
    )
    assert found == {
        "/app-health/a/livez": Probe(HttpProbe(80, "/l", True), 3.0),
        "/app-health/a/startupz": Probe(GrpcProbe(81, ""), 1.0),
        "/app-lifecycle/a/prestopz": Probe(HttpProbe(82, "/", False), 3600.0),
    }
    assert parse_probes("") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "by path"),
        ('{"/elsewhere": {"tcpSocket": {"port": 1}}}', "/app-health/CONTAINER"),
        ('{"/app-health/a/livez": {}}', "one of httpGet"),
        ('{"/app-health/a/livez": {"tcpSocket": {"port": 1}, "grpc": {"port": 1}}}', "one of httpGet"),
        ('{"/app-health/a/livez": {"tcpSocket": {"port": "http"}}}', "port number"),
        ('{"/app-health/a/livez": {"tcpSocket": {"port": 65536}}}', "port number"),
        ('{"/app-health/a/livez": {"httpGet": {"port": 1, "path": "/a b"}}}', "not a path"),
        ('{"/app-health/a/livez": {"httpGet": {"port": 1, "path": "/a\\r\\nx: y"}}}', "not a path"),
        ('{"/app-health/a/livez": {"httpGet": {"port": 1, "scheme": "ftp"}}}', "HTTP or HTTPS"),
        ('{"/app-health/a/livez": {"grpc": {"port": 1}, "timeoutSeconds": -1}}', "timeoutSeconds"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(BadProbe, match=words):
        parse_probes(text)
