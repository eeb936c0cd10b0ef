"""The TLS front with a real Envoy: who is known as whom behind it, and what becomes of streams when things change."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import stat
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import aiohttp
import grpc
import grpc.aio
import pytest
from envoy.config.cluster.v3 import cluster_pb2

from lateen.identity.authority import Authority
from lateen.identity.caller import AnyOf, Caller, Evidence, Refused
from lateen.identity.certificates import ByCertificate
from lateen.identity.current import CurrentAuthority
from lateen.identity.facts import WorkloadFacts
from lateen.identity.grpc_service import handler
from lateen.identity.issuing import Issuer
from lateen.identity.limits import RefusalLimits
from lateen.identity.messages import Request, Response
from lateen.identity.plugged import Loaded
from lateen.identity.rotation import RootState, RotationTerms, advance, begin
from lateen.identity.self_signed import self_signed
from lateen.identity.signing import sign
from lateen.identity.throttled import Throttled
from lateen.istiod.configuration import Address
from lateen.istiod.front.callers import FrontCallers
from lateen.istiod.front.front import Front
from lateen.istiod.http import SocketSite, certificates_application
from lateen.istiod.tls_material import TlsKeeper
from lateen.model.identity import PeerIdentity
from lateen.testing.ads_client import AdsClient
from lateen.testing.authorities import ec_key, key_pem, signing_request, verified_names
from lateen.testing.certificates import Authority as Stranger
from lateen.testing.fake_mesh import FakeMesh
from lateen.testing.raw_ads import delta_request, raw_stream
from lateen.testing.running_envoy import RunningEnvoy, ads_bootstrap
from lateen.testing.until import until
from lateen.translate.resource import ResourceType
from lateen.xds.inventory import Inventory
from lateen.xds.push import PushLoop
from lateen.xds.server import Listener, XdsServer

CDS = ResourceType.CDS
NOW = datetime.now(UTC)
NAME = "istiod.istio-system.svc"
SHOP, BANK = PeerIdentity("shop", "web", "cluster.local"), PeerIdentity("bank", "boss", "cluster.local")
NODE = "sidecar~10.0.0.1~web.shop~shop.svc.cluster.local"
CREATE = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
XFCC = "x-forwarded-client-cert"


class ByWord:
    """Believes the tokens `shop` and `bank`."""

    def __init__(self) -> None:
        self.addresses: list[str] = []

    async def authenticate(self, evidence: Evidence) -> Caller:
        self.addresses.append(evidence.address)
        for identity in (SHOP, BANK):
            if evidence.token == identity.namespace:
                return Caller(identity)
        raise Refused("no good token")


class NoPods:
    async def get(self, namespace: str, name: str) -> None:
        raise AssertionError


class Site:
    """A control plane of one fake mesh behind its front."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.state = RootState(self_signed(NOW))
        self.current = CurrentAuthority(lambda: self.keeper.changed())
        self.keeper = TlsKeeper(current=self.current, files=None, names=("localhost", NAME), interval=0.05)
        self.offer(self.state)
        self.by_word = ByWord()
        ways = Throttled(AnyOf(self.by_word, ByCertificate(lambda: ("cluster.local",))))
        self.issuer = Issuer(self.current, ways, NoPods(), cluster="c")
        self.callers = FrontCallers(ways)
        self.mesh = FakeMesh()
        for name in ("web.shop", "boss.bank"):
            self.mesh.set_views(name, "x")
        self.mesh.put(CDS, "x", "a", cluster_pb2.Cluster(name="a").SerializeToString())
        self.push = PushLoop(Inventory(self.mesh.engine, self.mesh.catalog))
        self.server = XdsServer(self.push)
        self.front = Front(Address(host, 0))

    def offer(self, state: RootState) -> None:
        self.state = state
        self.current.offer(Loaded(state.authority), "test")

    @property
    def authority(self) -> Authority:
        assert self.current.authority is not None
        return self.current.authority

    @property
    def address(self) -> str:
        return f"localhost:{self.front.address.port}"

    def pair(self, identity: PeerIdentity, life: timedelta | None = None) -> tuple[bytes, bytes]:
        """Key and certificate chain of a workload."""
        key = ec_key()
        issued = sign(
            self.authority,
            key.public_key(),
            identity,
            WorkloadFacts(),
            now=datetime.now(UTC),
            asked=life or timedelta(0),
        )
        return key_pem(key), "".join((issued.certificate, *issued.path)).encode()

    def credentials(self, pair: tuple[bytes, bytes] | None = None) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(self.authority.bundle.encode(), *(pair or (None, None)))

    def client(
        self, pair: tuple[bytes, bytes] | None = None, *metadata: tuple[str, str], node: str = NODE
    ) -> AdsClient:
        return AdsClient(self.address, node, credentials=self.credentials(pair), call_metadata=metadata, follow=False)

    async def refusal(self, pair: tuple[bytes, bytes] | None, *metadata: tuple[str, str], node: str = NODE) -> str:
        """The status by which nobody is let in, as the server says it if it comes to that."""
        before = self.server.counters.ended.copy()
        client = self.client(pair, *metadata, node=node)
        await client.connect(CDS)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await client.until(lambda: client.held.get(CDS))
        await client.close()
        # The client's own library may make something else of an end that comes before it has said all.
        return next(iter(self.server.counters.ended - before), raised.value.code().name)

    async def create(self, content: bytes, pair: tuple[bytes, bytes] | None, *metadata: tuple[str, str]) -> list[str]:
        async with grpc.aio.secure_channel(self.address, self.credentials(pair)) as channel:
            call = channel.unary_unary(CREATE, response_deserializer=Response.FromString)
            return list((await call(content, metadata=metadata, timeout=120)).cert_chain)

    def context(self, pair: tuple[bytes, bytes] | None, place: Path) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.authority.bundle)
        if pair is not None:
            file = place / "pair.pem"
            file.write_bytes(pair[1] + pair[0])
            context.load_cert_chain(file)
        return context


@contextlib.asynccontextmanager
async def serving(made: Site) -> AsyncIterator[Site]:
    with made.front as front:
        made.keeper.look()
        made.keeper.tell(front.take)
        tasks = [asyncio.create_task(work) for work in (made.keeper.run(), made.push.run())]
        await made.server.start(Listener(f"unix:{front.grpc_socket}", made.callers, (handler(made.issuer),)))
        async with SocketSite(certificates_application(made.issuer), front.http_socket):
            tasks.append(asyncio.create_task(front.run()))
            try:
                async with asyncio.timeout(60):
                    await front.listening()
                yield made
            finally:
                await made.server.stop()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving(Site()) as made:
        yield made


# --- who is known as whom -----------------------------------------------------------------------------------------


async def test_a_certificate_or_a_token_proves_who_calls(site: Site) -> None:
    async with site.client(site.pair(SHOP)) as client:
        await client.has(CDS, "a")
        (connection,) = site.server.connections()
        # The other side of the front's connection, and not the front.
        assert connection.peer.startswith("127.0.0.1:")
    async with site.client(None, ("authorization", "Bearer shop")) as client:
        await client.has(CDS, "a")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this kernel has no IPv6")
async def test_every_address_is_of_both_families(tmp_path: Path) -> None:
    async with serving(Site("::")) as site, aiohttp.ClientSession() as session:
        context = site.context(None, tmp_path)
        csr = {"csr": signing_request(ec_key())}
        headers = {"Authorization": "Bearer shop"}
        for host in ("127.0.0.1", "[::1]"):
            url = f"https://{host}:{site.front.address.port}/v1/certificates"
            sent = session.post(url, json=csr, headers=headers, ssl=context, server_hostname="localhost")
            async with sent as answer:
                assert answer.status == 200
        assert site.by_word.addresses == ["127.0.0.1", "::1"]


async def test_who_proves_nothing_or_something_else_is_refused(site: Site) -> None:
    stranger = Stranger("another").issue(str(SHOP))
    expiring = site.pair(SHOP, timedelta(seconds=1))
    assert await site.refusal(None) == "UNAUTHENTICATED"
    assert await site.refusal(None, ("authorization", "Bearer nobody")) == "UNAUTHENTICATED"
    assert await site.refusal(site.pair(BANK)) == "PERMISSION_DENIED"
    assert await site.refusal(None, ("authorization", "Bearer bank")) == "PERMISSION_DENIED"
    foreign = PeerIdentity("shop", "web", "evil")
    assert await site.refusal(site.pair(foreign)) == "PERMISSION_DENIED"
    assert await site.refusal((stranger.key.encode(), stranger.certificate.encode())) == "UNAVAILABLE"
    async with asyncio.timeout(60):
        while await site.refusal(expiring, node=NODE.replace("shop", "bank")) == "PERMISSION_DENIED":
            await asyncio.sleep(0.1)
    assert await site.refusal(expiring) == "UNAVAILABLE"


async def test_what_a_client_says_of_its_certificate_counts_for_nothing(site: Site, tmp_path: Path) -> None:
    (_, shown) = site.pair(SHOP)
    forged = f'By=spiffe://x;Hash=00;Cert="{quote(shown.decode())}";URI={SHOP}'
    assert await site.refusal(None, (XFCC, forged)) == "UNAUTHENTICATED"
    assert await site.refusal(None, (XFCC, forged), (XFCC, forged)) == "UNAUTHENTICATED"
    assert await site.refusal(site.pair(BANK), (XFCC, forged)) == "PERMISSION_DENIED"
    request = Request(csr=signing_request(ec_key())).SerializeToString()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await site.create(request, None, (XFCC, forged))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    leaf, *path = await site.create(request, site.pair(BANK), (XFCC, forged))
    assert verified_names((leaf, *path[:-1]), site.authority.roots_pem)[0] == [str(BANK)]
    body = json.dumps({"csr": signing_request(ec_key())}).encode()
    async with aiohttp.ClientSession() as session:
        url = f"https://{site.address}/v1/certificates"
        async with session.post(url, data=body, headers={XFCC: forged}, ssl=site.context(None, tmp_path)) as answer:
            assert answer.status == 401
    # Nor what it says of where it calls from.
    async with site.client(site.pair(SHOP), ("x-lateen-peer", "6.6.6.6:6")) as client:
        await client.has(CDS, "a")
        assert site.server.connections()[-1].peer.startswith("127.0.0.1:")


async def test_plaintext_knows_nobody_and_issues_nothing(site: Site) -> None:
    """As 15010: whoever calls is whoever they say, whatever headers they send."""
    (port,) = await site.server.start(Listener("127.0.0.1:0"))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        create = channel.unary_unary(CREATE, response_deserializer=Response.FromString)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await create(Request(csr="x").SerializeToString(), metadata=(("authorization", "Bearer shop"),), timeout=20)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_certificates_over_both_protocols(site: Site, tmp_path: Path) -> None:
    claims = ("spiffe://cluster.local/ns/bank/sa/boss",)
    request = Request(csr=signing_request(ec_key(), uris=claims, common_name="boss")).SerializeToString()
    leaf, *path = await site.create(request, None, ("authorization", "Bearer shop"))
    assert verified_names((leaf, *path[:-1]), site.authority.roots_pem)[0] == [str(SHOP)]
    body = json.dumps({"csr": signing_request(ec_key(), uris=claims)}).encode()
    async with aiohttp.ClientSession() as session:
        url = f"https://{site.address}/v1/certificates"
        context = site.context(site.pair(SHOP), tmp_path)
        async with session.post(url, data=body, ssl=context) as answer:
            assert answer.status == 200
            found = await answer.json()
    assert verified_names(tuple(found["chain"]), tuple(found["roots"]))[0] == [str(SHOP)]


async def test_what_is_too_large_is_not_read(site: Site, tmp_path: Path) -> None:
    url, context = f"https://{site.address}", site.context(None, tmp_path)
    # What is far too large gets no further than the front, which knows no more of gRPC.
    for size, code, status in (
        (40_000, grpc.StatusCode.INVALID_ARGUMENT, 400),
        (100_000, grpc.StatusCode.UNKNOWN, 413),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await site.create(Request(csr="x" * size).SerializeToString(), None, ("authorization", "Bearer shop"))
        assert caught.value.code() is code
        headers = {"Authorization": "Bearer shop"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/v1/certificates", ssl=context, data=b"x" * size, headers=headers) as answer,
        ):
            assert answer.status == status
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/debug/syncz", ssl=context) as answer:
            assert answer.status == 404
        long = {"X-Long": "x" * 7000}
        many = {f"X-Many-{number}": "x" * 7000 for number in range(20)}
        async with session.get(f"{url}/v1/certificates", ssl=context, headers=long) as answer:
            assert answer.status == 405
        async with session.get(f"{url}/v1/certificates", ssl=context, headers=many) as answer:
            assert answer.status == 431


async def test_hundreds_of_calls_at_once_wear_nobody_out(site: Site) -> None:
    request = Request(csr=signing_request(ec_key())).SerializeToString()

    async def one(token: str) -> str:
        try:
            await site.create(request, None, ("authorization", f"Bearer {token}"))
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"

    async with site.client(site.pair(SHOP)) as client:
        await client.has(CDS, "a")
        limits, began = RefusalLimits(), time.monotonic()
        bad = await asyncio.gather(*(one("nobody") for _ in range(200)))
        assert set(bad) == {"UNAUTHENTICATED", "RESOURCE_EXHAUSTED"}
        forgotten = limits.per_second * (time.monotonic() - began)
        assert bad.count("UNAUTHENTICATED") <= limits.burst + forgotten + 1
        site.mesh.put(CDS, "x", "b", b"")
        site.push.changed()
        await client.until(lambda: "b" in client.held[CDS])
    # Whoever has a proof has not to suffer for others behind the same address for long.
    async with asyncio.timeout(60):
        while await one("shop") != "OK":
            await asyncio.sleep(0.1)


# --- what changes while streams go on -------------------------------------------------------------------------------


async def test_rotation_of_certificate_and_root_ends_no_stream(site: Site) -> None:
    terms = RotationTerms()
    old = site.pair(SHOP)
    async with site.client(old) as client:
        await client.has(CDS, "a")
        first = site.keeper.material
        for step in range(1, 4):
            if step == 1:
                site.offer(begin(site.state, self_signed(NOW), NOW))
            else:
                assert site.state.since is not None
                site.offer(advance(site.state, site.state.since + terms.step, terms))
            await until(lambda: (m := site.keeper.material) is not None and m.roots == site.authority.bundle)
            # Those that come now, with what was issued before and with what is issued now.
            newcomers = [site.pair(SHOP)] if step == 3 else [old, site.pair(SHOP)]
            for pair in newcomers:
                await until_served(site, pair)
            site.mesh.put(CDS, "x", f"step-{step}", b"")
            site.push.changed()
            await client.until(lambda step=step: f"step-{step}" in client.held[CDS])
        assert site.keeper.material != first
        # A root that is not trusted any more proves nothing.
        await until_refused(site, old)
        assert await site.refusal(old) == "UNAVAILABLE"
        assert site.front.starts == 1


async def until_served(site: Site, pair: tuple[bytes, bytes]) -> None:
    """The front's Envoy learns of files by itself, a moment later."""
    async with asyncio.timeout(60):
        while not await is_served(site, pair):
            await asyncio.sleep(0.02)


async def until_refused(site: Site, pair: tuple[bytes, bytes]) -> None:
    async with asyncio.timeout(60):
        while await is_served(site, pair):
            await asyncio.sleep(0.02)


async def is_served(site: Site, pair: tuple[bytes, bytes]) -> bool:
    client = site.client(pair)
    await client.connect()
    try:
        return bool(await client.until(lambda: client.held.get(CDS)))
    except grpc.aio.AioRpcError:
        return False
    finally:
        await client.close()


async def test_a_front_that_is_killed_comes_back_at_its_port_and_its_proxies_with_it(site: Site) -> None:
    key, chain = site.pair(SHOP)
    bootstrap = ads_bootstrap(NODE, site.front.address.port, metadata={"NAMESPACE": "shop"})
    (upstream,) = bootstrap["static_resources"]["clusters"]
    tls = {
        "common_tls_context": {
            "tls_certificates": [
                {"certificate_chain": {"inline_string": chain.decode()}, "private_key": {"inline_string": key.decode()}}
            ],
            "validation_context": {
                "trusted_ca": {"inline_string": site.authority.bundle},
                "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": NAME}}],
            },
        },
        "sni": NAME,
    }
    tls["@type"] = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
    upstream["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": tls}
    async with RunningEnvoy(bootstrap) as envoy:
        await until(lambda: len(site.server.connections()) == 1)
        (before,) = site.server.connections()
        os.kill(site.front.pid, signal.SIGKILL)
        await until(lambda: site.front.starts == 2 and site.front.up)
        assert (
            site.front.address.port
            == upstream["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"][
                "port_value"
            ]
        )
        await until(lambda: [each for each in site.server.connections() if each is not before])
        name = "control_plane.connected_state"
        await asyncio.to_thread(envoy.until, lambda: envoy.stats(name).get(name) == 1, "it is connected again")


async def test_one_proxy_that_does_not_read_holds_up_no_other(site: Site) -> None:
    for number in range(64):
        site.mesh.put(CDS, "x", f"big-{number}", b"\x0a" + b"\xff\x7f" + b"n" * 16383)
    free = site.client(site.pair(SHOP))
    credentials = site.credentials(site.pair(SHOP))
    async with raw_stream(site.address, delta_request(CDS, node=NODE), credentials=credentials), free:
        await free.until(lambda: len(free.held.get(CDS, ())) == 65)
        site.mesh.put(CDS, "x", "later", b"")
        site.push.changed()
        await free.until(lambda: "later" in free.held[CDS])


async def test_nobody_else_can_open_what_is_behind(site: Site) -> None:
    directory = site.front.directory
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for path in directory.iterdir():
        if path.name in ("grpc", "http", "admin", "serving.json", "roots.json"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


async def _statistic(site: Site, name: str) -> int:
    """Of the front."""
    connector = aiohttp.UnixConnector(str(site.front.directory / "admin"))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(f"http://front/stats?filter=^{name}$") as answer,
    ):
        return int((await answer.text()).rpartition(": ")[2])


async def test_a_request_that_comes_slowly_takes_no_place_behind_the_front(site: Site, tmp_path: Path) -> None:
    body = json.dumps({"csr": "none"}).encode()
    head = f"POST /v1/certificates HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer shop\r\nContent-Length: {len(body)}\r\n"
    reader, writer = await asyncio.open_connection(
        "localhost", site.front.address.port, ssl=site.context(None, tmp_path)
    )
    writer.write(head.encode() + b"\r\n" + body[:5])
    async with asyncio.timeout(30):
        while not await _statistic(site, "http.front.downstream_rq_active"):
            await asyncio.sleep(0)
    assert await _statistic(site, "cluster.http.upstream_cx_total") == 0
    writer.write(body[5:])
    async with asyncio.timeout(30):
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 400")
    writer.close()
