"""The Kubernetes source against a fake API server that misbehaves on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from lateen.api.objects import Key
from lateen.sources.backoff import BackoffLimits
from lateen.sources.kubernetes.access import Access
from lateen.sources.kubernetes.client import Client
from lateen.sources.kubernetes.reflector import Timing
from lateen.sources.kubernetes.source import KubernetesSource
from lateen.sources.kubernetes.watched_kind import WatchedKind
from lateen.sources.source import KindName
from lateen.testing.fake_api_server import FakeApiServer, Resource
from lateen.testing.recording_sink import RecordingSink
from lateen.testing.until import until

POD, ROUTES = KindName("", "Pod"), KindName("networking.istio.io", "VirtualService")
PODS = Resource("", "v1", "pods", "Pod")
ROUTES_V1 = Resource("networking.istio.io", "v1", "virtualservices", "VirtualService")
ROUTES_V1BETA1 = ROUTES_V1._replace(version="v1beta1")
KINDS = (
    WatchedKind(POD, "pods", ("v1",)),
    WatchedKind(ROUTES, "virtualservices", ("v1", "v1beta1")),
)
TIMING = Timing(
    page=3,
    retry=BackoffLimits(first=0.001, limit=0.02),
    forbidden_retry=BackoffLimits(0.02, 0.02),
    absent_poll=0.02,
    absent_grace=0.1,
)


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer([PODS, ROUTES_V1]) as found:
        yield found


@asynccontextmanager
async def following(server: FakeApiServer, timing: Timing = TIMING, **options: str) -> AsyncIterator[RecordingSink]:
    """What a source tells of the server, once everything was told."""
    sink = RecordingSink()
    async with Client(Access(server.url)) as client:
        source = KubernetesSource(client, KINDS, timing=timing, **options)
        task = asyncio.create_task(source.run(sink))
        try:
            await sink.until(lambda: sink.synced_kinds == {POD, ROUTES})
            yield sink
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_lists_in_pages_and_then_watches(server: FakeApiServer) -> None:
    for number in range(8):
        server.put(PODS, f"p{number}")
    async with following(server) as sink:
        assert sink.names("Pod") == {f"p{number}" for number in range(8)}
        assert sum("limit=3" in query for _, query in server.requests if query.startswith(PODS.path)) == 3
        server.put(PODS, "new")
        server.delete(PODS, "p0")
        server.put(PODS, "p1", spec={"nodeName": "n"})
        await sink.until(lambda: "new" in sink.names("Pod") and "p0" not in sink.names("Pod"))
        await sink.until(lambda: sink.objects[POD, Key("default", "p1")].get("spec") == {"nodeName": "n"})


async def test_objects_say_what_they_are_and_where_they_are_from(server: FakeApiServer) -> None:
    server.put(ROUTES_V1, "a")
    async with following(server, cluster="west") as sink:
        raw = sink.objects[ROUTES, Key("default", "a", "west")]
        assert (raw["apiVersion"], raw["kind"]) == ("networking.istio.io/v1", "VirtualService")


async def test_the_best_version_that_both_sides_have(server: FakeApiServer) -> None:
    server.resources = [PODS, ROUTES_V1BETA1, ROUTES_V1BETA1._replace(version="v9")]
    server.put(ROUTES_V1BETA1, "a")
    async with following(server) as sink:
        assert sink.objects[ROUTES, Key("default", "a")]["apiVersion"] == "networking.istio.io/v1beta1"


async def test_what_changes_while_disconnected_is_caught_up_with(server: FakeApiServer) -> None:
    server.put(PODS, "a")
    async with following(server) as sink:
        for round_ in range(5):
            server.disconnect()
            server.put(PODS, f"b{round_}")
            await sink.until(lambda name=f"b{round_}": name in sink.names("Pod"))


async def test_a_lost_history_leaves_no_gap(server: FakeApiServer) -> None:
    server.put(PODS, "a")
    server.put(PODS, "b")
    async with following(server) as sink:
        await server.stop()
        server.delete(PODS, "a")
        server.put(PODS, "c")
        server.forget()
        await server.start()
        await sink.until(lambda: sink.names("Pod") == {"b", "c"})


async def test_a_history_that_is_lost_between_list_and_watch(server: FakeApiServer) -> None:
    """Answering 410 again and again must neither lose anything nor spin."""
    server.put(PODS, "a")
    gone = 3

    def refuse(request: web.Request) -> int | None:
        nonlocal gone
        if request.path == PODS.path and request.query.get("watch") and gone:
            gone -= 1
            return 410
        return None

    server.refuse = refuse
    async with following(server) as sink:
        server.put(PODS, "b")
        await sink.until(lambda: sink.names("Pod") == {"a", "b"})
        await until(lambda: gone == 0)
        server.put(PODS, "c")
        await sink.until(lambda: sink.names("Pod") == {"a", "b", "c"})


async def test_a_continuation_that_expires_is_taken_again_in_one_piece(server: FakeApiServer) -> None:
    for number in range(8):
        server.put(PODS, f"p{number}")
    server.refuse = lambda request: 410 if request.query.get("continue") else None
    async with following(server) as sink:
        assert sink.names("Pod") == {f"p{number}" for number in range(8)}


@pytest.mark.parametrize("status", [410, 500, 504])
async def test_a_watch_that_ends_with_an_error(server: FakeApiServer, status: int) -> None:
    server.put(PODS, "a")
    async with following(server) as sink:
        server.end_watches(status)
        server.put(PODS, "b")
        await sink.until(lambda: sink.names("Pod") == {"a", "b"} and not sink.problems)


async def test_a_server_that_no_longer_knows_our_version_is_listed_anew(server: FakeApiServer) -> None:
    """Restored from a backup: its versions are behind ours, and it refuses to watch from the future."""
    for number in range(5):
        server.put(PODS, f"p{number}")
    async with following(server) as sink:
        await server.stop()
        server.objects.clear()
        server.forget()
        server.version = server.oldest = 10
        server.put(PODS, "restored")
        ahead = 50
        server.refuse = lambda request: 504 if int(request.query.get("resourceVersion") or 0) > ahead else None
        await server.start()
        await sink.until(lambda: sink.names("Pod") == {"restored"})


async def test_the_server_is_reported_while_it_is_away(server: FakeApiServer) -> None:
    async with following(server) as sink:
        await server.stop()
        await sink.until(lambda: "Pod" in sink.problems)
        assert sink.problems["Pod"].startswith("cannot reach the API server")
        await server.start()
        await sink.until(lambda: not sink.problems)


async def test_slow_down_is_heeded(server: FakeApiServer) -> None:
    refused = 3

    def refuse(request: web.Request) -> int | None:
        nonlocal refused
        if request.path == PODS.path and refused:
            refused -= 1
            return 429
        return None

    server.refuse = refuse
    server.put(PODS, "a")
    async with following(server) as sink:
        assert sink.names("Pod") == {"a"}
        assert any("refused" in problem for _, problem in sink.told)


# --- permissions ------------------------------------------------------------------------------------------------


async def test_a_kind_that_may_not_be_read_is_told_once_and_delays_no_other(server: FakeApiServer) -> None:
    server.denied.add("virtualservices")
    server.put(PODS, "a")
    async with following(server) as sink:
        await sink.until(lambda: sink.names("Pod") == {"a"})
        assert sink.unreadable == {ROUTES}
        asked = len(server.requests)
        await _until_requests(server, asked + 6)
        assert sink.told == [
            ("VirtualService.networking.istio.io", "not permitted: virtualservices is forbidden"),
        ]
        server.denied.clear()
        server.put(ROUTES_V1, "r")
        await sink.until(lambda: sink.names("VirtualService") == {"r"} and not sink.problems)


async def test_a_permission_that_is_withdrawn_keeps_what_is_held(server: FakeApiServer) -> None:
    server.put(ROUTES_V1, "r")
    async with following(server) as sink:
        server.denied.add("virtualservices")
        server.disconnect()
        await sink.until(lambda: sink.unreadable == {ROUTES})
        assert sink.names("VirtualService") == {"r"}


# --- kinds that come and go -------------------------------------------------------------------------------------


async def test_a_kind_that_appears_later_is_picked_up(server: FakeApiServer) -> None:
    server.resources = [PODS]
    async with following(server) as sink:
        assert sink.problems == {}
        server.resources = [PODS, ROUTES_V1]
        server.put(ROUTES_V1, "r")
        await sink.until(lambda: sink.names("VirtualService") == {"r"})


async def test_a_kind_that_vanishes_takes_its_objects_along(server: FakeApiServer) -> None:
    server.put(ROUTES_V1, "r")
    async with following(server) as sink:
        server.resources = [PODS]
        server.disconnect()
        await sink.until(lambda: not sink.names("VirtualService"))
        server.resources = [PODS, ROUTES_V1]
        await sink.until(lambda: sink.names("VirtualService") == {"r"})


async def test_a_kind_that_is_only_not_served_yet_keeps_its_objects(server: FakeApiServer) -> None:
    """A server that has just started may not have loaded the definitions that it holds."""
    server.put(ROUTES_V1, "r")
    async with following(server) as sink:
        definition = "/customresourcedefinitions/virtualservices."
        server.refuse = lambda request: 404 if "networking" in request.path and definition not in request.path else None
        server.disconnect()
        asked = len([1 for _, path in server.requests if definition in path])
        await until(lambda: len([1 for _, path in server.requests if definition in path]) > asked + 3)
        assert sink.names("VirtualService") == {"r"}


async def test_without_access_to_definitions_a_kind_counts_as_gone_after_a_while(server: FakeApiServer) -> None:
    server.put(ROUTES_V1, "r")
    server.defined_readable = False
    async with following(server) as sink:
        server.resources = [PODS]
        server.disconnect()
        await sink.until(lambda: not sink.names("VirtualService"))


# --- resources of bad faith -------------------------------------------------------------------------------------


async def test_objects_without_a_name_are_passed_over(server: FakeApiServer) -> None:
    server.objects[PODS, "default", "!"] = {"metadata": {}}
    server.objects[PODS, "default", "?"] = {"metadata": "words"}
    server.put(PODS, "a")
    async with following(server) as sink:
        assert sink.names("Pod") == {"a"}


async def test_a_large_object_comes_in_many_pieces(server: FakeApiServer) -> None:
    async with following(server) as sink:
        server.put(PODS, "large", metadata={"annotations": {"x": "y" * 3_000_000}})
        server.put(PODS, "small")
        await sink.until(lambda: sink.names("Pod") == {"large", "small"})


async def _until_requests(server: FakeApiServer, count: int) -> None:
    await until(lambda: len(server.requests) >= count)
