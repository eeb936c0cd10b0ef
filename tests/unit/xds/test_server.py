"""The server over real gRPC, with a client that knows nothing of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import grpc.aio
import pytest
from envoy.service.discovery.v3 import discovery_pb2

from lateen.model.identity import PeerIdentity
from lateen.testing.ads_client import METHOD, AdsClient
from lateen.testing.fake_mesh import FakeMesh
from lateen.testing.until import until
from lateen.translate.resource import ResourceType
from lateen.xds.authentication import Authenticator, Call, CannotTell, NoAuthentication, Rights
from lateen.xds.inventory import Inventory
from lateen.xds.limits import Limits
from lateen.xds.push import PushLoop
from lateen.xds.rejection import SHOWN, Rejection
from lateen.xds.server import Listener, XdsServer
from lateen.xds.session import Session

NODE = "sidecar~10.0.0.1~web.default~default.svc.cluster.local"
GATEWAY = NODE.replace("sidecar", "router")
CDS, EDS, LDS, RDS = ResourceType.CDS, ResourceType.EDS, ResourceType.LDS, ResourceType.RDS


class Running:
    def __init__(self, mesh: FakeMesh, server: XdsServer, address: str, rejections: list[Rejection]) -> None:
        self.mesh = mesh
        self.server = server
        self.address = address
        self.rejections = rejections

    def changed(self) -> None:
        self.server.push.changed()


class Told:
    """Rights as a test says; None for what cannot be told."""

    def __init__(self, answer: bool | None) -> None:
        self.answer = answer

    async def secrets(self, identity: PeerIdentity | None) -> bool:
        if self.answer is None:
            raise CannotTell("nobody to ask")
        return self.answer


class Known(NoAuthentication):
    """Everybody is the same workload."""

    async def authenticate(self, call: Call) -> PeerIdentity | None:
        return PeerIdentity("default", "web", "cluster.local")


@contextlib.asynccontextmanager
async def running(
    limits: Limits | None = None, rights: Rights | None = None, authenticator: Authenticator | None = None
) -> AsyncIterator[Running]:
    mesh = FakeMesh()
    mesh.set_views("web.default", "out", "in")
    rejections: list[Rejection] = []
    push = PushLoop(Inventory(mesh.engine, mesh.catalog))
    server = XdsServer(push, limits=limits, rejected=rejections.append, rights=rights)
    (port,) = await server.start(Listener("127.0.0.1:0", authenticator or NoAuthentication()))
    task = asyncio.create_task(push.run())
    try:
        yield Running(mesh, server, f"127.0.0.1:{port}", rejections)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop()


async def comes(client: AdsClient, *names: str) -> None:
    """As a proxy does whose streams are ended: again and again, until it holds exactly these clusters."""
    while True:
        await client.close()
        await client.connect()
        with contextlib.suppress(grpc.aio.AioRpcError):
            return await client.has(CDS, *names)


async def refused(address: str) -> tuple[grpc.StatusCode, str]:
    """How a stream ends at once. Nothing is said on it: who writes meanwhile may not get to see the status."""
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.stream_stream(METHOD)()
        return await call.code(), await call.details()


@contextlib.contextmanager
def ended(code: grpc.StatusCode, why: str) -> Iterator[None]:
    with pytest.raises(grpc.aio.AioRpcError, match=why) as raised:
        yield
    assert raised.value.code() is code


async def test_a_client_gets_what_it_asks_for_and_follows_changes() -> None:
    async with running() as here:
        here.mesh.put(CDS, "out", "a", b"")
        here.mesh.put(CDS, "in", "b", b"")
        async with AdsClient(here.address, NODE, follow=False) as client:
            await client.has(CDS, "a", "b")
            here.mesh.put(CDS, "out", "c", b"")
            here.changed()
            await client.has(CDS, "a", "b", "c")
            assert client.responses[-1].resources == ("c",)
            here.mesh.remove(CDS, "out", "a")
            here.changed()
            await client.has(CDS, "b", "c")
            assert here.mesh.engine.statistics().observed > 0
    assert here.server.connections() == ()


@pytest.mark.parametrize("answer", [True, False])
async def test_what_a_proxy_may_have_is_what_its_rights_say(answer: bool) -> None:
    async with running(rights=Told(answer)) as here:
        here.mesh.put(CDS, "out", "a", b"")
        async with AdsClient(here.address, NODE, follow=False) as client:
            await client.has(CDS, "a")
            (connection,) = here.server.connections()
            assert connection.session.proxy.secrets is answer


@pytest.mark.parametrize("authenticator", [Known(), NoAuthentication()])
async def test_who_has_proven_who_it_is_is_known(authenticator: Authenticator) -> None:
    async with running(authenticator=authenticator) as here:
        here.mesh.put(CDS, "out", "a", b"")
        async with AdsClient(here.address, NODE, follow=False) as client:
            await client.has(CDS, "a")
            (connection,) = here.server.connections()
            assert connection.proven is isinstance(authenticator, Known)


async def test_a_sidecar_is_served_without_secrets_while_its_rights_cannot_be_told() -> None:
    async with running(rights=Told(None)) as here:
        here.mesh.put(CDS, "out", "a", b"")
        async with AdsClient(here.address, NODE, follow=False) as client:
            await client.has(CDS, "a")
            assert not here.server.connections()[0].session.proxy.secrets


async def test_a_gateway_comes_again_while_its_rights_cannot_be_told() -> None:
    async with running(rights=Told(None)) as here, AdsClient(here.address, GATEWAY, follow=False) as client:
        # Of a stream that ends while it is written to, the client may not see the status.
        with pytest.raises(grpc.aio.AioRpcError):
            await client.has(CDS, "a")
        assert dict(here.server.counters.ended) == {"UNAVAILABLE": 1}


async def test_a_gateway_without_rights_comes_again_and_may_have_them_by_then() -> None:
    rights = Told(False)
    async with running(Limits(denied_age=0.5), rights, Known()) as here:
        here.mesh.put(CDS, "out", "a", b"")
        async with AdsClient(here.address, GATEWAY, follow=False) as client:
            await comes(client, "a")
            with ended(grpc.StatusCode.UNAVAILABLE, "the stream is old"):
                await client.has(CDS, "never")
            rights.answer = True
            here.mesh.put(CDS, "out", "b", b"")
            here.changed()
            await comes(client, "a", "b")
            assert here.server.connections()[-1].session.proxy.secrets


async def test_a_stream_that_is_old_is_ended_and_its_proxy_comes_again() -> None:
    async with running(Limits(stream_age=0.5)) as here:
        here.mesh.put(CDS, "out", "a", b"")
        async with AdsClient(here.address, NODE, follow=False) as client:
            await comes(client, "a")
            with ended(grpc.StatusCode.UNAVAILABLE, "stream is old"):
                await client.until(lambda: False)
            here.mesh.put(CDS, "out", "b", b"")
            here.changed()
            await comes(client, "a", "b")


async def test_when_the_last_client_has_gone_nothing_is_observed() -> None:
    async with running() as here:
        here.mesh.put(CDS, "out", "a", b"")
        async with AdsClient(here.address, NODE, follow=False) as client:
            await client.has(CDS, "a")
        await until(lambda: not here.server.connections())
        assert here.mesh.engine.statistics().observed == 0


async def test_a_reconnect_is_sent_only_what_has_changed_meanwhile() -> None:
    async with running() as here:
        for name in "abc":
            here.mesh.put(CDS, "out", name, b"")
        client = AdsClient(here.address, NODE, follow=False)
        await client.connect()
        await client.has(CDS, "a", "b", "c")
        await client.close()
        client.responses.clear()
        here.mesh.remove(CDS, "out", "a")
        here.mesh.put(CDS, "out", "d", b"")
        here.changed()
        await client.connect()
        await client.has(CDS, "b", "c", "d")
        await client.close()
        assert [(r.resources, r.removed) for r in client.responses if r.type is CDS] == [(("d",), ()), ((), ("a",))]


async def test_a_rejection_is_reported_with_its_origins_and_not_repeated() -> None:
    async with running() as here:
        here.mesh.put(CDS, "out", "good", b"")
        client = AdsClient(here.address, NODE, follow=False)
        client.reject = lambda _type, name, _held: "Error adding bad: it is" if name == "bad" else None
        await client.connect()
        await client.has(CDS, "good")
        here.mesh.put(CDS, "out", "bad", b"")
        here.changed()
        await until(lambda: here.rejections)
        (rejection,) = here.rejections
        assert (rejection.proxy, rejection.type, rejection.names) == ("web.default", CDS, ("bad",))
        assert rejection.message == "Error adding bad: it is"
        assert ("fakebodies", ("CDS", "bad", "")) in rejection.origins
        here.mesh.put(CDS, "out", "other", b"")
        here.changed()
        await client.has(CDS, "good", "other")
        assert [r.resources for r in client.responses if "bad" in r.resources] == [("bad",)]
        await client.close()


@pytest.mark.parametrize(
    ("node", "why"),
    [
        ("web", "not of the form role~ip"),
        ("sidecar~10.0.0.1~web~x", "not of the form name.namespace"),
        ("zebra~10.0.0.1~web.default~x", "no kind of proxy"),
        ("sidecar~10.0.0~web.default~x", "not an IP address"),
    ],
)
async def test_a_node_that_makes_no_sense_is_told_so(node: str, why: str) -> None:
    async with running() as here:
        client = AdsClient(here.address, node)
        await client.connect(CDS)
        with ended(grpc.StatusCode.INVALID_ARGUMENT, why):
            await client.until(lambda: False)
        await client.close()
        assert here.server.counters.ended == {"INVALID_ARGUMENT": 1}


async def test_garbage_ends_the_stream_and_nobody_elses() -> None:
    async with running() as here:
        here.mesh.put(CDS, "out", "a", b"")
        async with AdsClient(here.address, NODE, follow=False) as client:
            await client.has(CDS, "a")
            async with grpc.aio.insecure_channel(here.address) as channel:
                call = channel.stream_stream(METHOD)()
                await call.write(b"\xff\xff\xff")
                with ended(grpc.StatusCode.INVALID_ARGUMENT, "not a DeltaDiscoveryRequest"):
                    await call.read()
            here.mesh.put(CDS, "out", "b", b"")
            here.changed()
            await client.has(CDS, "a", "b")


async def test_one_stream_may_not_ask_for_endlessly_many_names() -> None:
    async with running(Limits(names=10)) as here:
        client = AdsClient(here.address, NODE, follow=False)
        await client.connect()
        await client.subscribe(EDS, *map(str, range(11)))
        with pytest.raises(grpc.aio.AioRpcError):
            await client.until(lambda: False)
        await client.close()
        assert here.server.counters.ended == {"INVALID_ARGUMENT": 1}


async def test_streams_beyond_the_limit_are_refused() -> None:
    async with running(Limits(streams=1)) as here:
        here.mesh.put(CDS, "out", "a", b"")
        async with AdsClient(here.address, NODE, follow=False) as first:
            await first.has(CDS, "a")
            assert await refused(here.address) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "1 streams are open")


@pytest.mark.parametrize("form", ["{}:1", "ipv4:{}:1", "[::ffff:{}]:1", "ipv6:%5B::ffff:{}%5D:1"])
async def test_one_address_shuts_out_no_others(form: str) -> None:
    class From(NoAuthentication):
        def __init__(self) -> None:
            self.host = "10.0.0.1"

        def address(self, call: Call) -> str:
            return form.format(self.host)

    who = From()
    async with running(Limits(streams_of_one=1), authenticator=who) as here:
        here.mesh.put(CDS, "out", "a", b"")
        async with AdsClient(here.address, NODE, follow=False) as first:
            await first.has(CDS, "a")
            told = "1 streams of 10.0.0.1 are open"
            assert await refused(here.address) == (grpc.StatusCode.RESOURCE_EXHAUSTED, told)
            who.host = "10.0.0.2"
            async with AdsClient(here.address, NODE, follow=False) as third:
                await third.has(CDS, "a")


async def test_this_machine_may_have_many_streams() -> None:
    async with running(Limits(streams_of_one=1)) as here:
        here.mesh.put(CDS, "out", "a", b"")
        async with AdsClient(here.address, NODE, follow=False) as first:
            await first.has(CDS, "a")
            async with AdsClient(here.address, NODE, follow=False) as second:
                await second.has(CDS, "a")


async def test_who_comes_to_one_listener_takes_no_place_at_another() -> None:
    async with running(Limits(streams=1)) as here:
        here.mesh.put(CDS, "out", "a", b"")
        (other,) = await here.server.start(Listener("127.0.0.1:0", Known()))
        async with AdsClient(here.address, NODE, follow=False) as first:
            await first.has(CDS, "a")
            async with AdsClient(f"127.0.0.1:{other}", NODE, follow=False) as second:
                await second.has(CDS, "a")


async def test_a_proxy_may_reject_with_many_words_but_they_are_not_kept() -> None:
    async with running() as here:
        here.mesh.put(CDS, "out", "bad", b"")
        client = AdsClient(here.address, NODE, follow=False)
        client.reject = lambda _type, _name, _held: f"Error adding bad: {'no ' * 100_000}"
        await client.connect(CDS)
        await until(lambda: here.rejections)
        await client.close()
        assert here.rejections[0].names == ("bad",)
        assert here.rejections[0].message.startswith("Error adding bad: no")
        assert len(here.rejections[0].message) <= SHOWN


async def test_a_stream_that_says_nothing_is_ended() -> None:
    async with running(Limits(first_request=0.01)) as here, grpc.aio.insecure_channel(here.address) as channel:
        call = channel.stream_stream(METHOD)()
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_fault_in_serving_one_proxy_ends_its_stream_and_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    advance = Session.advance

    def broken_for(one: Session) -> Callable[[Session, float], list[bytes]]:
        def broken(session: Session, now: float) -> list[bytes]:
            if session is one:
                raise ZeroDivisionError
            return advance(session, now)

        return broken

    async with running() as here:
        here.mesh.put(CDS, "out", "a", b"")
        async with AdsClient(here.address, NODE, follow=False) as unlucky:
            await unlucky.has(CDS, "a")
            (connection,) = here.server.connections()
            async with AdsClient(here.address, NODE, follow=False) as lucky:
                await lucky.has(CDS, "a")
                monkeypatch.setattr(Session, "advance", broken_for(connection.session))
                here.mesh.put(CDS, "out", "b", b"")
                here.changed()
                with pytest.raises(grpc.aio.AioRpcError):
                    await unlucky.until(lambda: False)
                assert here.server.counters.ended == {"INTERNAL": 1}
                await lucky.has(CDS, "a", "b")


async def test_each_type_has_a_service_of_its_own() -> None:
    async with running() as here, grpc.aio.insecure_channel(here.address) as channel:
        here.mesh.put(CDS, "out", "a", b"")
        call = channel.stream_stream("/envoy.service.cluster.v3.ClusterDiscoveryService/DeltaClusters")()
        request = discovery_pb2.DeltaDiscoveryRequest()
        request.node.id = NODE
        await call.write(request.SerializeToString())
        response = discovery_pb2.DeltaDiscoveryResponse.FromString(await call.read())
        assert [resource.name for resource in response.resources] == ["a"]
        call.cancel()


async def test_types_that_nothing_is_known_of_are_counted_and_left_alone() -> None:
    async with running() as here, grpc.aio.insecure_channel(here.address) as channel:
        here.mesh.put(CDS, "out", "a", b"")
        call = channel.stream_stream(METHOD)()
        for url in ("type.googleapis.com/envoy.service.runtime.v3.Runtime", CDS.value):
            request = discovery_pb2.DeltaDiscoveryRequest(type_url=url)
            request.node.id = NODE
            await call.write(request.SerializeToString())
        response = discovery_pb2.DeltaDiscoveryResponse.FromString(await call.read())
        assert response.type_url == CDS.value
        assert here.server.counters.unknown_types == {"type.googleapis.com/envoy.service.runtime.v3.Runtime": 1}
        call.cancel()


async def test_streams_that_have_not_said_who_they_are_count_too() -> None:
    async with running(Limits(streams=1)) as here, grpc.aio.insecure_channel(here.address) as channel:
        calls = [channel.stream_stream(METHOD)() for _ in range(2)]
        done, _ = await asyncio.wait(
            [asyncio.create_task(call.code()) for call in calls], return_when=asyncio.FIRST_COMPLETED
        )
        assert {task.result() for task in done} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        for call in calls:
            call.cancel()


async def test_a_proxy_that_comes_again_and_again_waits_and_is_served_then() -> None:
    limits = Limits(arrivals_per_second=0.001, arrival_burst=2, arrival_wait=0.1)
    async with running(limits) as here:
        here.mesh.put(CDS, "out", "a", b"")
        for _ in range(5):
            async with AdsClient(here.address, NODE, follow=False) as client:
                await client.has(CDS, "a")
        assert here.server.counters.delayed == 3


async def test_a_fault_in_taking_a_request_ends_its_stream_as_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(session: Session, request: object) -> None:
        raise ZeroDivisionError

    async with running() as here:
        here.mesh.put(CDS, "out", "a", b"")
        async with AdsClient(here.address, NODE, follow=False) as client:
            await client.has(CDS, "a")
            monkeypatch.setattr(Session, "receive", broken)
            await client.subscribe(CDS, "b")
            with ended(grpc.StatusCode.INTERNAL, "fault of the control plane"):
                await client.until(lambda: False)
        assert here.server.counters.ended == {"INTERNAL": 1}
