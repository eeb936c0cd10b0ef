"""The pages, over real sockets; Envoy and the application are stand-ins."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession, web

from lateen.agent import request, wait
from lateen.agent.log import Log
from lateen.agent.server.http_server import listening_socket, serving
from lateen.agent.server.message import Request
from lateen.agent.server.scrape_settings import BadScrape, Scrape, parse_scrapes
from lateen.agent.server.status_server import Pages, serve
from lateen.agent.settings import AgentSettings, CertificateSettings, DrainSettings, LogSettings
from lateen.agent.state import AgentState
from lateen.testing.free_port import free_port

READY = {
    "cluster_manager.cds.update_success": 1,
    "listener_manager.lds.update_rejected": 1,
    "server.state": 0,
    "listener_manager.workers_started": 1,
}
ENVOY_METRICS = "# TYPE envoy_istio_requests_total counter\nenvoy_istio_requests_total{} 5\nenvoy_server_live 1\n"


@asynccontextmanager
async def site(routes: Mapping[str, Callable[[web.Request], Any]], host: str = "127.0.0.1") -> AsyncIterator[int]:
    app = web.Application()
    for path, handler in routes.items():
        app.router.add_route("*", path, handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    # A port that nobody has at the other family's address either.
    await web.TCPSite(runner, host, free_port()).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@dataclass
class Pod:
    """An agent's server, and what it has to do with."""

    port: int
    state: AgentState
    statistics: dict[str, int]
    session: ClientSession
    envoy_requests: list[web.Request] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """What the lifecycle has been asked for."""

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str, Mapping[str, str]]:
        sent = {"Accept-Encoding": "identity"} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, f"http://127.0.0.1:{self.port}{path}", headers=sent) as answer:
            return answer.status, await answer.text(), answer.headers


def settings(admin: int, port: int = 0, role: str = "sidecar", compress: bool = True) -> AgentSettings:
    return AgentSettings(
        role=role, node_id="", admin=("127.0.0.1", admin), status_port=port, listen="127.0.0.1", dual_stack=False,
        addresses=("127.0.0.1",), envoy=(), compress_metrics=compress, directory="",
        certificates=CertificateSettings(), drain=DrainSettings(), log=LogSettings(level="none"),
    )  # fmt: skip


@asynccontextmanager
async def pod(
    environment: Mapping[str, str] | None = None,
    applications: tuple[Callable[[web.Request], Any], ...] = (),
    role: str = "sidecar",
    paths: str = "/metrics",
    hosts: tuple[str, ...] = ("127.0.0.1", "127.0.0.1"),
    compress: bool = True,
) -> AsyncIterator[Pod]:
    wishes: list[str] = []
    state = AgentState(lambda: wishes.append("quit"), lambda: wishes.append("drain"))
    state.certificate, state.envoy, state.obstacle = True, True, ""
    statistics = dict(READY)
    seen: list[web.Request] = []

    async def stats(asked: web.Request) -> web.Response:
        return web.Response(text="".join(f"{name}: {value}\n" for name, value in statistics.items()))

    async def prometheus(asked: web.Request) -> web.Response:
        seen.append(asked)
        return web.Response(text=ENVOY_METRICS)

    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(site({"/stats": stats, "/stats/prometheus": prometheus}))
        ports = [
            await stack.enter_async_context(site({"/metrics": each, "/own": each}, host))
            for each, host in zip(applications, hosts, strict=False)
        ]
        found = dict(environment or {})
        if ports:
            annotations = {"scrape": "true", "port": ",".join(map(str, ports)), "path": paths}
            found["ISTIO_PROMETHEUS_ANNOTATIONS"] = json.dumps(annotations)
        pages = Pages(state, settings(admin, role=role, compress=compress), found, Log(LogSettings(level="none")))
        listener = listening_socket("127.0.0.1", 0)
        port = listener.getsockname()[1]
        await stack.enter_async_context(serving(listener, pages.answer, Log(LogSettings(level="none"))))
        session = await stack.enter_async_context(ClientSession(auto_decompress=False))
        yield Pod(port, state, statistics, session, seen, wishes)


# --- readiness -----------------------------------------------------------------------------------------------------


async def test_ready() -> None:
    async with pod() as it:
        assert (await it.get("/healthz/ready"))[:2] == (200, "ready\n")


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        ({"cluster_manager.cds.update_success": 0}, "no clusters from the control plane yet"),
        ({"listener_manager.lds.update_rejected": 0}, "no listeners from the control plane yet"),
        ({"server.state": 2}, "Envoy is pre-initializing"),
        ({"server.state": 1}, "Envoy is draining"),
        ({"listener_manager.workers_started": 0}, "workers have not started"),
    ],
)
async def test_envoy_says_what_it_lacks(lacking: dict[str, int], words: str) -> None:
    async with pod() as it:
        it.statistics.update(lacking)
        status, text, _ = await it.get("/healthz/ready")
        assert status == 503
        assert words in text


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("certificate", False, "no certificate yet"),
        ("envoy", False, "Envoy is not running"),
        ("draining", True, "draining"),
    ],
)
async def test_the_agent_says_what_it_lacks(name: str, value: bool, words: str) -> None:
    async with pod() as it:
        setattr(it.state, name, value)
        it.state.obstacle = "the reason of it"
        status, text, _ = await it.get("/healthz/ready")
        assert status == 503
        assert words in text
        assert "the reason of it" in text


async def test_an_envoy_that_does_not_answer_is_not_ready() -> None:
    state = AgentState()
    state.certificate, state.envoy = True, True
    pages = Pages(state, settings(1), {}, Log(LogSettings(level="none")))
    answer = await pages.answer(Request("GET", "/healthz/ready", "", (), "10.0.0.1"))
    assert answer.status == 503


# --- metrics -------------------------------------------------------------------------------------------------------


async def own(asked: web.Request) -> web.Response:
    return web.Response(text="# TYPE mine counter\nmine 1\n")


async def open_metrics(asked: web.Request) -> web.Response:
    text = '# TYPE mine counter\nmine_total 1 # {trace_id="a"} 1\n# EOF\n'
    form = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    return web.Response(text=text, headers={"Content-Type": form})


@pytest.mark.parametrize("path", ["/stats/prometheus", "/metrics"])
async def test_metrics_of_all_are_merged(path: str) -> None:
    async with pod(applications=(own,)) as it:
        it.state.certificate_expires = 4e9
        status, text, headers = await it.get(path)
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = text.splitlines()
    assert "# TYPE istio_requests_total counter" in lines
    assert "istio_requests_total{} 5" in lines
    assert "envoy_server_live 1" in lines
    assert lines[-1] == "mine 1"
    assert "istio_agent_scrapes_total 1" in lines
    assert any(line.startswith("istio_agent_process_resident_memory_bytes ") for line in lines)
    assert any(line.startswith('istio_agent_cert_expiry_seconds{resource_name="default"} ') for line in lines)


async def test_what_the_scraper_says_goes_on() -> None:
    seen: list[web.Request] = []

    async def page(asked: web.Request) -> web.Response:
        seen.append(asked)
        return await own(asked)

    accept = "application/vnd.google.protobuf;q=0.9,application/openmetrics-text;version=1.0.0"
    async with pod(applications=(page,), paths="/own") as it:
        await it.get("/stats/prometheus?usedonly", Accept=accept, X_Prometheus_Scrape_Timeout_Seconds="5")
        assert it.envoy_requests[0].path_qs == "/stats/prometheus?usedonly"
        assert it.envoy_requests[0].headers["Accept"] == "text/plain"
    assert seen[0].path == "/own"
    assert seen[0].headers["Accept"] == "application/openmetrics-text;version=1.0.0"
    assert seen[0].headers["X-Prometheus-Scrape-Timeout-Seconds"] == "5"


async def test_open_metrics_ends_once_and_at_the_end() -> None:
    async with pod(applications=(open_metrics,)) as it:
        _, text, headers = await it.get("/stats/prometheus")
    assert headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert text.count("# EOF\n") == 1
    assert text.endswith("# EOF\n")
    assert 'mine_total 1 # {trace_id="a"} 1\n' in text
    assert "\n\n" not in text


async def test_several_ports_are_merged_as_text() -> None:
    async def other(asked: web.Request) -> web.Response:
        return web.Response(text=f'other{{accept="{asked.headers["Accept"]}"}} 1')

    async with pod(applications=(own, other)) as it:
        _, text, _ = await it.get("/stats/prometheus", Accept="application/openmetrics-text")
    assert text.splitlines()[-2:] == ["mine 1", 'other{accept="text/plain;version=0.0.4"} 1']


@pytest.mark.parametrize("role", ["router", "waypoint"])
async def test_a_gateway_has_no_application(role: str) -> None:
    async with pod(applications=(own,), role=role) as it:
        _, text, _ = await it.get("/stats/prometheus")
    assert "istio_requests_total{} 5" in text
    assert "mine" not in text


async def failing(asked: web.Request) -> web.Response:
    return web.Response(status=500)


async def silent(asked: web.Request) -> web.Response:
    await asyncio.sleep(60)
    raise AssertionError


async def endless(asked: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(asked)
    await answer.write(b"begun 1\nhalf")
    await asyncio.sleep(60)
    return answer


async def broken(asked: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "1000"})
    await answer.prepare(asked)
    await answer.write(b"begun 1\nhalf")
    assert asked.transport is not None
    asked.transport.close()
    return answer


@pytest.mark.parametrize("page", [failing, silent, endless, broken])
async def test_an_application_that_fails_does_not_spoil_the_rest(page: Callable[[web.Request], Any]) -> None:
    async with pod(applications=(page, own)) as it:
        status, text, _ = await it.get("/stats/prometheus", X_Prometheus_Scrape_Timeout_Seconds="6")
        assert status == 200
        assert "istio_requests_total{} 5\n" in text
        assert "half" not in text
        assert "mine 1\n" in text
        _, text, _ = await it.get("/stats/prometheus", X_Prometheus_Scrape_Timeout_Seconds="1")
        failures = next(x for x in text.splitlines() if x.startswith('istio_agent_scrape_failures_total{type="appl'))
        assert int(failures.split()[1]) >= 1


async def test_an_application_on_ipv6_alone_is_found() -> None:
    async with pod(applications=(own,), hosts=("::1",)) as it:
        assert "mine 1" in (await it.get("/stats/prometheus"))[1]


async def test_without_envoy_there_are_the_others_metrics() -> None:
    pages = Pages(AgentState(), settings(1), {}, Log(LogSettings(level="none")))
    async with serving(listener := listening_socket("127.0.0.1", 0), pages.answer, Log(LogSettings(level="none"))):
        port = listener.getsockname()[1]
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/stats/prometheus") as answer:
            assert "istio_agent_scrapes_total 1\n" in await answer.text()
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/stats/envoy/prometheus") as answer:
            assert answer.status == 503


async def test_envoys_own_page_has_exact_names_and_nothing_else() -> None:
    async with pod(applications=(own,)) as it:
        status, text, _ = await it.get("/stats/envoy/prometheus")
    assert status == 200
    assert text == ENVOY_METRICS.replace("envoy_istio_", "istio_")


async def test_answers_are_compressed_for_those_who_take_it() -> None:
    async with pod(applications=(own,)) as it:
        url = f"http://127.0.0.1:{it.port}/stats/prometheus"
        async with it.session.get(url, headers={"Accept-Encoding": "gzip;q=0.5, identity"}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(await answer.read()).decode().endswith("mine 1\n")
        async with it.session.get(url, headers={"Accept-Encoding": "gzip;q=0"}) as answer:
            assert "Content-Encoding" not in answer.headers


async def test_compression_may_be_off() -> None:
    async with pod(compress=False) as it:
        url = f"http://127.0.0.1:{it.port}/stats/prometheus"
        async with it.session.get(url, headers={"Accept-Encoding": "gzip"}) as answer:
            assert "Content-Encoding" not in answer.headers
            assert (await answer.read()).startswith(b"# TYPE")


async def test_heads_do_not_use_up_the_places_for_scrapes() -> None:
    async with pod() as it:
        for _ in range(10):
            assert (await it.get("/stats/prometheus", "HEAD"))[0] == 200
            assert (await it.get("/stats/prometheus", "HEAD", Accept_Encoding="gzip"))[0] == 200
        assert (await it.get("/stats/prometheus"))[0] == 200


async def test_metrics_may_be_for_this_pod_alone() -> None:
    environment = {"METRICS_LOCALHOST_ACCESS_ONLY": "true"}
    pages = Pages(AgentState(), settings(1), environment, Log(LogSettings(level="none")))
    answer = await pages.answer(Request("GET", "/stats/prometheus", "", (), "10.0.0.1"))
    assert answer.status == 403


@pytest.mark.parametrize(
    ("annotations", "found"),
    [
        ({}, (Scrape(80, "/metrics"),)),
        ({"scrape": "false", "port": "8080"}, ()),
        ({"scrape": "", "port": "8080", "path": "m"}, (Scrape(8080, "/m"),)),
        ({"port": "1,2", "path": "/a, /b"}, (Scrape(1, "/a"), Scrape(2, "/b"))),
    ],
)
def test_annotations(annotations: dict[str, str], found: tuple[Scrape, ...]) -> None:
    assert parse_scrapes(json.dumps(annotations), 15020) == found


@pytest.mark.parametrize(
    "annotations",
    ["{", "[]", '{"port": 1}', '{"port": "x"}', '{"port": "15020"}', '{"port": "1,2", "path": "/a,/b,/c"}',
     '{"path": "/a b"}'],
)  # fmt: skip
def test_annotations_that_make_no_sense_are_refused(annotations: str) -> None:
    with pytest.raises(BadScrape):
        parse_scrapes(annotations, 15020)


# --- the rest ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "wish"), [("/quitquitquit", "quit"), ("/drain", "drain")])
async def test_the_end_is_asked_for_by_post(path: str, wish: str) -> None:
    async with pod() as it:
        assert (await it.get(path))[0] == 405
        assert it.asked == []
        assert (await it.get(path, "POST"))[:2] == (200, "OK\n")
        assert it.asked == [wish]


@pytest.mark.parametrize("path", ["/quitquitquit", "/drain"])
@pytest.mark.parametrize("peer", ["10.0.0.1", "127.0.0.6", "::6", "2001:db8::1"])
async def test_others_may_not_ask_for_the_end(path: str, peer: str) -> None:
    wishes: list[None] = []
    state = AgentState(lambda: wishes.append(None), lambda: wishes.append(None))
    pages = Pages(state, settings(1), {}, Log(LogSettings(level="none")))
    assert (await pages.answer(Request("POST", path, "", (), peer))).status == 403
    assert wishes == []


async def test_unknown_pages_and_methods() -> None:
    async with pod() as it:
        assert (await it.get("/elsewhere"))[0] == 404
        assert (await it.get("/healthz/ready", "POST"))[0] == 405
        assert (await it.get("/app-health/web/livez"))[0] == 400


async def test_serve_listens_until_it_is_cancelled() -> None:
    port = free_port()
    task = asyncio.create_task(serve(AgentState(), settings(1, port), {}))
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0)
    writer.close()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


# --- commands ------------------------------------------------------------------------------------------------------


async def test_wait_ends_when_it_is_ready(capsys: pytest.CaptureFixture[str]) -> None:
    async with pod() as it:
        it.state.certificate = False
        arguments = [
            "--url",
            f"http://127.0.0.1:{it.port}/healthz/ready",
            "--periodMillis",
            "10",
            "--requestTimeoutMillis",
            "5000",
        ]
        late = await asyncio.to_thread(wait.main, [*arguments, "--timeoutSeconds", "3"])
        assert late == 1
        assert "no certificate yet" in capsys.readouterr().err
        it.state.certificate = True
        assert await asyncio.to_thread(wait.main, arguments) == 0


async def test_request_prints_what_envoy_answers(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    async def page(asked: web.Request) -> web.Response:
        body = await asked.text()
        return web.Response(status=404 if asked.path == "/no" else 200, text=f"{asked.method} {asked.path_qs} {body}")

    async with site({"/{path:.*}": page}) as port:
        port_flag = ["--debug-port", str(port)]
        assert await asyncio.to_thread(request.main, ["GET", "stats?filter=x", *port_flag]) == 0
        assert capfdbinary.readouterr().out == b"GET /stats?filter=x "
        assert await asyncio.to_thread(request.main, ["post", "/logging", "level=debug", *port_flag]) == 0
        assert capfdbinary.readouterr().out == b"POST /logging level=debug"
        assert await asyncio.to_thread(request.main, ["GET", "/no", *port_flag]) == 1
        assert b"404" in capfdbinary.readouterr().err
    assert await asyncio.to_thread(request.main, ["GET", "/", "--debug-port", "1"]) == 1
    assert b"is Envoy running?" in capfdbinary.readouterr().err
