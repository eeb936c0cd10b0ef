"""Proxies that misbehave in every way we know, beside a real Envoy under load: it notices nothing, istiod stays small,
and what happened is on the debug endpoints."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from lateen.testing.certificates import Authority, Pair
from lateen.testing.live_mesh import LiveMesh, live_mesh
from lateen.testing.raw_ads import RawStream, delta_request, raw_stream
from lateen.translate.resource import ResourceType
from lateen.xds.limits import Limits

pytestmark = pytest.mark.asyncio(loop_scope="module")

CDS, EDS, LDS, RDS = ResourceType.CDS, ResourceType.EDS, ResourceType.LDS, ResourceType.RDS
SMALL = 80_000_000
"""Bytes by which istiod may grow, however badly it is treated: what gRPC and Python keep of what passed through."""

LIMITS = Limits()
AUTHORITY = Authority()


def node(name: str) -> str:
    return f"sidecar~10.0.0.9~{name}.shop~shop.svc.cluster.local"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveMesh]:
    directory = tmp_path_factory.mktemp("mesh")
    async with live_mesh(directory, certificates(directory)) as found:
        yield found


def certificates(directory: Path) -> list[str]:
    server = AUTHORITY.issue("127.0.0.1")
    for name, text in (("cert", server.certificate), ("key", server.key), ("roots", AUTHORITY.root)):
        (directory / name).write_text(text)
    return [part for name in ("cert", "key", "roots") for part in (f"--tls-{name}", str(directory / name))]


def address(mesh: LiveMesh) -> str:
    return mesh.istiod.addresses["xds"]


def counters(mesh: LiveMesh) -> dict[str, Any]:
    found: dict[str, Any] = mesh.istiod.debug("engine")["server"]
    return found


@contextlib.asynccontextmanager
async def unharmed(mesh: LiveMesh) -> AsyncIterator[None]:
    """During what is done inside and after it configuration and requests go on, and istiod stays small."""
    before = mesh.istiod.memory()
    yield
    await mesh.goes_on()
    grown = mesh.istiod.memory() - before
    assert grown < SMALL, f"istiod has grown by {grown / 1e6:.0f} MB"


GARBAGE = {
    "random bytes": os.urandom(1000),
    "a message cut short": delta_request(node=node("cut"))[:-3],
    "nothing": b"",
    "nobody": delta_request(),
    "an id of no form": delta_request(node="me"),
    "an id that is no name": delta_request(node="sidecar~10.0.0.9~../../etc.shop~x"),
    "an unknown role": delta_request(node="president~10.0.0.9~a.shop~x"),
    "no address": delta_request(node="sidecar~nowhere~a.shop~x"),
    "a huge id": delta_request(node="sidecar~10.0.0.9~" + "a" * 100_000 + ".shop~x"),
    "a name of a megabyte": delta_request(node=node("long"), subscribe=["n" * 1_000_000]),
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_ends_its_own_stream(mesh: LiveMesh, name: str) -> None:
    before = counters(mesh)["ended"].get("INVALID_ARGUMENT", 0)
    async with raw_stream(address(mesh), GARBAGE[name]) as stream:
        assert await asyncio.wait_for(stream.status(), 60) is grpc.StatusCode.INVALID_ARGUMENT
    assert counters(mesh)["ended"]["INVALID_ARGUMENT"] == before + 1
    await mesh.load.more()


async def test_what_is_not_even_grpc(mesh: LiveMesh) -> None:
    async with unharmed(mesh):
        for bytes_ in (
            b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
            os.urandom(4096),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 999,
        ):
            with socket.create_connection(address_of(mesh), timeout=60) as connected:
                connected.sendall(bytes_)
        async with raw_stream(address(mesh), method="/no.such.Service/Method") as stream:
            assert await stream.status() is grpc.StatusCode.UNIMPLEMENTED
        async with raw_stream(address(mesh), bytes(5 * 1024 * 1024)) as stream:
            # Which one depends on how much was written when the server had seen enough.
            assert await stream.status() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL)


async def test_nonsense_that_is_well_formed_harms_nobody(mesh: LiveMesh) -> None:
    """Types nobody knows, nonces nobody gave, names nobody has."""
    async with unharmed(mesh):
        async with raw_stream(
            address(mesh), delta_request("type.googleapis.com/no.such.Type", node=node("odd"))
        ) as odd:
            await odd.send(
                delta_request(CDS, nonce="never given", error="x" * 1_000_000),
                delta_request(CDS, nonce="never given"),
                delta_request(EDS, subscribe=["*"], unsubscribe=["*", "nobody"]),
                delta_request(RDS, subscribe=["", "\x00", "a\nb", "*"]),
                delta_request(LDS, unsubscribe=["never asked for"]),
            )
            assert (await odd.read()) is not None
        assert "type.googleapis.com/no.such.Type" in counters(mesh)["unknown_types"]


async def test_a_flood_of_requests_is_read_at_its_pace(mesh: LiveMesh) -> None:
    """Each asks for something else, so that each has to be answered."""
    async with unharmed(mesh):
        before, began = counters(mesh)["requests"], time.monotonic()
        async with flood(mesh, "flood", *(delta_request(RDS, subscribe=[str(n)]) for n in range(200))) as flooding:
            for _ in range(5):
                await mesh.goes_on()
            assert not flooding.done(), "it was all read at once"
        assert counters(mesh)["requests"] - before < readable(began) + FEW


async def test_a_flood_of_large_requests_is_read_at_its_pace(mesh: LiveMesh) -> None:
    versions = {f"outbound|80||service-{number}.shop.svc.cluster.local": "0123456789abcdef" for number in range(40_000)}
    large = delta_request(CDS, versions=versions)
    assert 2_500_000 < len(large) < 4_000_000
    async with unharmed(mesh):
        before, began = counters(mesh)["requests"], time.monotonic()
        async with flood(mesh, "large", large):
            for _ in range(5):
                await mesh.goes_on()
        assert counters(mesh)["requests"] - before < readable(began) / (len(large) / LIMITS.request_unit) + FEW


FEW = 100
"""Requests of the Envoy beside, for five changes."""


def readable(began: float) -> float:
    """How many requests of one stream the server may have read since a moment: so many at once, so many a second."""
    return LIMITS.request_burst + LIMITS.requests_per_second * (time.monotonic() - began)


@contextlib.asynccontextmanager
async def flood(mesh: LiveMesh, name: str, *requests: bytes) -> AsyncIterator[asyncio.Task[None]]:
    """Sends requests as fast as they are taken, reads nothing, acknowledges nothing."""
    async with raw_stream(address(mesh), delta_request(CDS, node=node(name))) as stream:

        async def run() -> None:
            while await stream.send(*requests):
                pass

        task = asyncio.create_task(run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_who_never_acknowledges_is_waited_for_and_then_sent_the_latest(mesh: LiveMesh) -> None:
    """However much changes meanwhile."""
    async with unharmed(mesh):
        routes = delta_request(RDS, subscribe=[str(mesh.port)])
        began = time.monotonic()
        async with raw_stream(address(mesh), delta_request(CDS, node=node("mute")), delta_request(LDS), routes) as mute:
            bodies: list[bytes] = []

            async def read() -> None:
                while (response := await mute.read()) is not None:
                    if response.type_url == RDS.value:
                        bodies.extend(each.resource.value for each in response.resources)

            task = asyncio.create_task(read())
            edits = 0
            while not 0 < len(bodies) < edits:
                await mesh.goes_on()
                edits += 1
            assert len(bodies) <= (time.monotonic() - began) / LIMITS.patience
            assert any(f"turn {mesh.turn - ago}".encode() in bodies[-1] for ago in (0, 1))
            (told,) = [each for each in mesh.istiod.debug("syncz") if each["proxy"] == "mute.shop"]
            assert told["cluster_sent"]
            assert not told.get("cluster_acked")
            task.cancel()
        await mesh.until(lambda: not any(each["proxy"] == "mute.shop" for each in mesh.istiod.debug("syncz")))


async def test_who_asks_for_a_hundred_thousand_names_is_refused(mesh: LiveMesh) -> None:
    names = [f"outbound|80||service-{number}.shop.svc" for number in range(100_000)]
    async with unharmed(mesh):
        for type_ in (CDS, EDS, RDS):
            async with raw_stream(
                address(mesh), delta_request(type_, node=node("greedy"), subscribe=names[:90_000])
            ) as greedy:
                assert await greedy.status() is grpc.StatusCode.INVALID_ARGUMENT
        # Little by little it comes no further. Who still writes then may not get to see the status.
        before = counters(mesh)["ended"]["INVALID_ARGUMENT"]
        async with raw_stream(address(mesh), delta_request(EDS, node=node("greedy"))) as greedy:
            for begin in range(0, 100_000, 5_000):
                await greedy.send(delta_request(EDS, subscribe=names[begin : begin + 5_000]))
            assert await greedy.end() is not grpc.StatusCode.OK
        assert counters(mesh)["ended"]["INVALID_ARGUMENT"] == before + 1
        # As many as it may have: it is told that they do not exist, and it costs what it costs only while it is there.
        async with raw_stream(
            address(mesh), delta_request(EDS, node=node("greedy"), subscribe=names[:20_000])
        ) as greedy:
            removed: set[str] = set()
            while len(removed) < 20_000:
                response = await greedy.read()
                removed.update(response.removed_resources)
            await mesh.goes_on()


async def test_who_says_nothing_is_shown_the_door(mesh: LiveMesh) -> None:
    """Sockets that say nothing at all, and streams without a request."""
    async with unharmed(mesh):
        before = counters(mesh)["ended"].get("DEADLINE_EXCEEDED", 0)
        sockets = [socket.create_connection(address_of(mesh), timeout=60) for _ in range(100)]
        try:
            async with contextlib.AsyncExitStack() as stack:
                streams = [await stack.enter_async_context(raw_stream(address(mesh))) for _ in range(30)]
                await mesh.goes_on()
                ends = await asyncio.gather(*(stream.status() for stream in streams))
            assert set(ends) == {grpc.StatusCode.DEADLINE_EXCEEDED}
            assert counters(mesh)["ended"]["DEADLINE_EXCEEDED"] == before + 30
        finally:
            for each in sockets:
                each.close()


async def test_who_reconnects_in_a_loop_waits(mesh: LiveMesh) -> None:
    async with unharmed(mesh):
        before, began = counters(mesh), time.monotonic()
        stop = asyncio.Event()
        answered = 0

        async def loop() -> None:
            nonlocal answered
            while not stop.is_set():
                async with raw_stream(address(mesh), delta_request(CDS, node=node("dizzy"))) as stream:
                    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.TimeoutError):
                        await asyncio.wait_for(stream.read(), 0.2)
                        answered += 1

        loops = [asyncio.create_task(loop()) for _ in range(3)]
        for _ in range(10):
            await mesh.goes_on()
        await mesh.until(lambda: counters(mesh)["delayed"] > before["delayed"])
        stop.set()
        await asyncio.gather(*loops)
        refilled = LIMITS.arrivals_per_second * (time.monotonic() - began)
        assert 0 < answered <= LIMITS.arrival_burst + refilled + len(loops)
        await mesh.until(lambda: not any(each["proxy"] == "dizzy.shop" for each in mesh.istiod.debug("syncz")))


def tls(pair: Pair | None) -> grpc.ChannelCredentials:
    own = (pair.key.encode(), pair.certificate.encode()) if pair is not None else (None, None)
    return grpc.ssl_channel_credentials(AUTHORITY.root.encode(), *own)


async def test_nobody_is_taken_for_another(mesh: LiveMesh) -> None:
    """With a certificate of the mesh one is who it says; of a namespace that it does not say, one is nobody."""
    secure = mesh.istiod.addresses["secure_xds"]
    shop, other = (AUTHORITY.issue(f"spiffe://cluster.local/ns/{space}/sa/default") for space in ("shop", "other"))
    async with unharmed(mesh):
        async with raw_stream(secure, delta_request(node=node("own")), credentials=tls(shop)) as stream:
            assert (await stream.read()) is not None
        async with raw_stream(secure, delta_request(node=node("own")), credentials=tls(other)) as stream:
            assert await stream.status() is not grpc.StatusCode.OK
        two = AUTHORITY.issue("spiffe://cluster.local/ns/shop/sa/a", "spiffe://cluster.local/ns/other/sa/a")
        nobodies = (AUTHORITY.issue("example.com"), AUTHORITY.issue("spiffe://cluster.local/shop"), two)
        for nobody in nobodies:
            async with raw_stream(secure, delta_request(node=node("own")), credentials=tls(nobody)) as stream:
                assert await stream.status() is not grpc.StatusCode.OK
        # The client's own library may make something else of it.
        ended = counters(mesh)["ended"]
        assert (ended["UNAUTHENTICATED"], ended["PERMISSION_DENIED"]) == (3, 1)
        # Whose certificate is of another authority does not come so far as to speak.
        stranger = Authority("another").issue("spiffe://cluster.local/ns/shop/sa/default")
        async with raw_stream(secure, delta_request(node=node("own")), credentials=tls(stranger)) as stream:
            assert await stream.status() is grpc.StatusCode.UNAVAILABLE
        async with raw_stream(secure, delta_request(node=node("own")), credentials=tls(None)) as stream:
            assert await stream.status() is not grpc.StatusCode.OK
        assert counters(mesh)["ended"]["UNAUTHENTICATED"] == 4


def address_of(mesh: LiveMesh) -> tuple[str, int]:
    host, _, port = address(mesh).rpartition(":")
    return host, int(port)


async def test_two_hundred_that_do_all_of_it_at_once(mesh: LiveMesh) -> None:
    async with unharmed(mesh):

        async def misbehave(number: int) -> None:
            async with raw_stream(address(mesh), delta_request(CDS, node=node(f"many-{number}"))) as stream:
                await rampage(stream, number)

        async with asyncio.TaskGroup() as group:
            for number in range(200):
                group.create_task(misbehave(number))
            await mesh.goes_on()
        await mesh.until(lambda: mesh.istiod.debug("connections")["totalClients"] == 1)


async def rampage(stream: RawStream, number: int) -> None:
    await stream.send(delta_request(LDS), delta_request(RDS, subscribe=[str(n) for n in range(100)]))
    if number % 3 == 0:
        await stream.send(os.urandom(100))
        await stream.end()
    elif number % 3 == 1:
        await stream.read()
        await stream.send(*(delta_request(CDS, nonce=str(n), error="no") for n in range(50)))
