"""Names of pods, and connections to their ports."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web

from lateen.inspection.control_planes import ask_all, ask_first, control_planes, version_of
from lateen.inspection.forwarding import forwarding
from lateen.inspection.pods import NoPod, find_pods, find_proxy, label_selector
from lateen.inspection.port_forward import Pod, PodUnreachable, ask
from lateen.sources.kubernetes.access import Access
from lateen.sources.kubernetes.client import Client
from lateen.testing.fake_pods import FakePods


@pytest.fixture
async def pods() -> FakePods:
    found = FakePods()
    found.put_pod("web-1", labels={"app": "web"}, ready=False)
    found.put_pod("web-2", labels={"app": "web"})
    found.put_pod("web-3", labels={"app": "web"}, phase="Succeeded")
    found.put_pod("bare", "shop", init_containers=())
    found.put_pod("edge", "shop", containers=("istio-proxy",), init_containers=())
    found.put("Deployment", "web", spec={"selector": {"matchLabels": {"app": "web"}}})
    found.put("Service", "front", "default", spec={"selector": {"app": "web"}})
    found.put("Deployment", "idle", spec={"selector": {"matchLabels": {"app": "idle"}}})
    return found


@asynccontextmanager
async def client_of(pods: FakePods) -> AsyncIterator[Client]:
    async with pods.serving() as url, Client(Access(url)) as client:
        yield client


@pytest.mark.parametrize(
    ("text", "namespace", "found"),
    [
        ("web-1", "default", [Pod("default", "web-1")]),
        ("web-1.default", "elsewhere", [Pod("default", "web-1")]),
        ("pod/web-1", "default", [Pod("default", "web-1")]),
        ("deployment/web", "default", [Pod("default", "web-2"), Pod("default", "web-1")]),
        ("deploy/web.default", "elsewhere", [Pod("default", "web-2"), Pod("default", "web-1")]),
        ("svc/front", "default", [Pod("default", "web-2"), Pod("default", "web-1")]),
    ],
)
async def test_names(pods: FakePods, text: str, namespace: str, found: list[Pod]) -> None:
    async with client_of(pods) as client:
        assert await find_pods(client, text, namespace) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("web-11", "there is no pod web-11 in namespace default; did you mean web-1 or"),
        ("zzz", "there is no pod zzz in namespace default; there are web-1, web-2, web-3"),
        ("web-1.empty", "write web-1.NAMESPACE"),
        ("deploy/wb", "there is no deployment wb in namespace default; did you mean web?"),
        ("deploy/idle", "deployment idle in namespace default has no running pod"),
        ("config/web", "config is not a kind with pods"),
        ("web/../secrets", "is not a kind with pods"),
        ("pod/a?b", "lower-case letters"),
        ("deploy/", "KIND/NAME is expected"),
    ],
)
async def test_names_of_nothing(pods: FakePods, text: str, words: str) -> None:
    async with client_of(pods) as client:
        with pytest.raises(NoPod) as error:
            await find_pods(client, text, "default")
    assert words in str(error.value)


async def test_a_pod_without_a_proxy_is_told_how_to_get_one(pods: FakePods) -> None:
    async with client_of(pods) as client:
        assert await find_proxy(client, "edge", "shop") == Pod("shop", "edge")
        assert await find_proxy(client, "web-1", "default") == Pod("default", "web-1")
        with pytest.raises(NoPod, match="kubectl label namespace shop istio-injection=enabled"):
            await find_proxy(client, "bare", "shop")


def test_selectors_as_queries() -> None:
    selector = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]},
            {"key": "old", "operator": "DoesNotExist"},
            {"key": "new", "operator": "Exists"},
            {"key": "env", "operator": "NotIn", "values": ["test"]},
        ],
    }
    assert label_selector(selector) == "app=web,tier in (a,b),!old,new,env notin (test)"


@asynccontextmanager
async def site(text: str, status: int = 200) -> AsyncIterator[int]:
    async def page(request: web.Request) -> web.Response:
        said = f"{request.method} {request.path_qs} {await request.text()} {text}"
        return web.Response(status=status, text=text if request.path.startswith("/debug") else said)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", page)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_a_port_of_a_pod_is_asked(pods: FakePods) -> None:
    async with site("x" * 1_000_000) as port, client_of(pods) as client:
        pods.put_pod("web-1", ports={15000: port})
        answer = await ask(client, Pod("default", "web-1"), 15000, "/a?b=c")
        assert answer.decode() == f"GET /a?b=c  {'x' * 1_000_000}"
        answer = await ask(client, Pod("default", "web-1"), 15000, "/a", method="POST", body=b"body")
        assert answer.startswith(b"POST /a body x")


async def test_many_at_once(pods: FakePods) -> None:
    async with site("fine") as port, client_of(pods) as client:
        pods.put_pod("web-1", ports={15000: port})
        answers = await asyncio.gather(*(ask(client, Pod("default", "web-1"), 15000, f"/{n}") for n in range(10)))
    assert answers == [f"GET /{n}  fine".encode() for n in range(10)]


async def test_what_keeps_an_answer_away_is_told(pods: FakePods) -> None:
    async with site("no", 503) as port, client_of(pods) as client:
        pods.put_pod("web-1", ports={15000: port})
        pods.forbidden.add("shop/edge")
        for pod, asked, words in (
            (Pod("default", "web-1"), 15000, "GET /debug/x: 503 no"),
            (Pod("default", "web-1"), 15001, "failed to connect to localhost:15001"),
            (Pod("shop", "edge"), 15000, "`get` and `create` on pods/portforward is needed"),
            (Pod("shop", "absent"), 15000, "there is no pod absent in namespace shop"),
        ):
            with pytest.raises(PodUnreachable) as error:
                await ask(client, pod, asked, "/debug/x")
            assert words in str(error.value)


async def test_a_port_of_this_machine_leads_to_a_pod(pods: FakePods) -> None:
    said: list[str] = []
    async with site("hello") as port, client_of(pods) as client, ClientSession() as session:
        pods.put_pod("web-1", ports={15000: port})
        taken = port
        async with forwarding(client, Pod("default", "web-1"), 15000, "localhost", (taken, 0), said.append) as here:
            assert here not in (taken, 0)
            async with session.get(f"http://localhost:{here}/x") as answer:
                assert (await answer.text()).endswith("hello")
        async with forwarding(client, Pod("default", "web-1"), 15001, "localhost", (0,), said.append) as here:
            reader, writer = await asyncio.open_connection("127.0.0.1", here)
            assert await reader.read() == b""
            writer.close()
    assert said == ["failed to connect to localhost:15001"]


async def test_control_planes_are_found_and_asked(pods: FakePods) -> None:
    async with site('[{"proxy": "a.b"}]') as one, site("[]") as two, client_of(pods) as client:
        with pytest.raises(NoPod, match="no control plane runs in namespace istio-system"):
            await control_planes(client, "istio-system")
        pods.put_pod("istiod-0", "istio-system", labels={"app": "istiod"}, phase="Pending")
        with pytest.raises(NoPod, match="runs in namespace istio-system: istiod-0 is Pending; `kubectl describe pods"):
            await control_planes(client, "istio-system")
        for name, port, revision in (("istiod-1", one, "default"), ("istiod-2", two, "canary")):
            labels = {"app": "istiod", "istio.io/rev": revision}
            pods.put_pod(name, "istio-system", labels=labels, init_containers=(), ports={15014: port})
        found = await control_planes(client, "istio-system")
        pages: dict[Pod, Any] = await ask_all(client, found, "syncz")
        assert {pod.name: page for pod, page in pages.items()} == {"istiod-1": [{"proxy": "a.b"}], "istiod-2": []}
        assert [each.name for each in await control_planes(client, "istio-system", "canary")] == ["istiod-2"]
        first = await ask_first(client, found, "syncz")
        assert first == (found[0], b'[{"proxy": "a.b"}]')
        assert (await version_of(client, found[1])).endswith("[]")


async def test_a_control_plane_that_does_not_know_a_proxy_is_passed_over(pods: FakePods) -> None:
    async with site("gone", 404) as one, site("here") as two, client_of(pods) as client:
        for name, port in (("istiod-1", one), ("istiod-2", two)):
            pods.put_pod(name, "istio-system", labels={"app": "istiod"}, ports={15014: port})
        found = await control_planes(client, "istio-system")
        assert await ask_first(client, found, "config_dump") == (found[1], b"here")
        assert await ask_first(client, found[:1], "config_dump") is None
