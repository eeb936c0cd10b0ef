"""Both transports, as the TLS front calls them: over plain text, with headers of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import aiohttp
import grpc
import grpc.aio
import pytest
from aiohttp import web

from lateen.identity.caller import Caller, Evidence, Refused
from lateen.identity.certificates import ByCertificate
from lateen.identity.current import CurrentAuthority
from lateen.identity.facts import WorkloadFacts
from lateen.identity.grpc_service import handler
from lateen.identity.https_service import PATH, routes
from lateen.identity.issuing import Issuer
from lateen.identity.limits import IssueLimits
from lateen.identity.messages import Request, Response, decode_request
from lateen.identity.plugged import load
from lateen.identity.signing import sign
from lateen.model.identity import PeerIdentity
from lateen.testing.authorities import ec_key, signing_pair, signing_request, verified_names

NOW = datetime.now(UTC)
WEB = PeerIdentity("shop", "web", "cluster.local")
ROOT = signing_pair("root")
LOWER = signing_pair("lower", ROOT)
FILES = {"ca-cert.pem": LOWER.pem, "ca-key.pem": LOWER.key_pem, "cert-chain.pem": b"", "root-cert.pem": ROOT.pem}
METHOD = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
CSR = signing_request(ec_key(), uris=("spiffe://cluster.local/ns/bank/sa/admin",))


class ByWord:
    """Believes the token `good`, and keeps what it was shown."""

    def __init__(self) -> None:
        self.seen: list[Evidence] = []

    async def authenticate(self, evidence: Evidence) -> Caller:
        self.seen.append(evidence)
        if evidence.token != "good":
            raise Refused("not good")
        return Caller(WEB)


class NoPods:
    async def get(self, namespace: str, name: str) -> None:
        raise AssertionError


class Site:
    """A server for one mesh, and what its clients need."""

    def __init__(self) -> None:
        self.current = CurrentAuthority()
        self.current.offer(load(FILES, NOW), "test")
        self.by_word = ByWord()

    def issuer(self, authenticator: Any = None, **limits: Any) -> Issuer:
        return Issuer(
            self.current, authenticator or self.by_word, NoPods(), cluster="c", limits=IssueLimits(**limits)
        )  # fmt: skip

    def shown(self) -> str:
        """How the front tells of a client certificate of the mesh."""
        assert self.current.authority is not None
        issued = sign(self.current.authority, ec_key().public_key(), WEB, WorkloadFacts(workload="w"), now=NOW)
        return f'Hash=0123;Cert="{quote(issued.certificate)}";URI={WEB}'


@pytest.fixture
def site() -> Site:
    return Site()


# --- gRPC ---------------------------------------------------------------------------------------------------------


@pytest.fixture
async def servers() -> AsyncIterator[list[grpc.aio.Server]]:
    started: list[grpc.aio.Server] = []
    yield started
    for server in started:
        await server.stop(None)


async def serve_grpc(servers: list[Any], issuer: Issuer) -> int:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler(issuer),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    servers.append(server)
    return port


async def call(port: int, content: bytes, *metadata: tuple[str, str]) -> list[str]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        create = channel.unary_unary(METHOD, response_deserializer=Response.FromString)
        return list(
            (await create(content, metadata=(("x-lateen-peer", "10.1.2.3:4711"), *metadata), timeout=60)).cert_chain
        )


def asked(**more: Any) -> bytes:
    return Request(csr=CSR, **more).SerializeToString()


async def test_grpc_by_token(site: Site, servers: list[Any]) -> None:
    port = await serve_grpc(servers, site.issuer())
    metadata = (("authorization", "Bearer good"), ("clusterid", "Kubernetes"))
    leaf, lower, root = await call(port, asked(validity_duration=3600), *metadata)
    assert root == ROOT.pem.decode()
    uris, path = verified_names((leaf, lower), (root,))
    assert uris == ["spiffe://cluster.local/ns/shop/sa/web"]
    assert timedelta(minutes=55) < path[0].not_valid_after_utc - datetime.now(UTC) < timedelta(hours=1)
    assert site.by_word.seen == [Evidence("good", b"", "Kubernetes", "10.1.2.3")]


async def test_grpc_renewal_by_certificate(site: Site, servers: list[Any]) -> None:
    issuer = site.issuer(ByCertificate(lambda: ("cluster.local",)))
    port = await serve_grpc(servers, issuer)
    leaf, *path = await call(port, asked(), ("x-forwarded-client-cert", site.shown()))
    assert verified_names((leaf, *path[:-1]), (ROOT.pem.decode(),))[0] == ["spiffe://cluster.local/ns/shop/sa/web"]


async def test_grpc_refusals(site: Site, servers: list[Any]) -> None:
    port = await serve_grpc(servers, site.issuer(identity_burst=2, identity_per_second=0.001))
    good = ("authorization", "Bearer good")
    cases: list[tuple[bytes, tuple[tuple[str, str], ...], str]] = [
        (asked(), (), "UNAUTHENTICATED"),
        (asked(), (("authorization", "Basic good"),), "UNAUTHENTICATED"),
        (asked(), (("authorization", "Bearer bad"),), "UNAUTHENTICATED"),
        (b"\xff", (good,), "INVALID_ARGUMENT"),
        (Request(csr="x" * 50_000).SerializeToString(), (good,), "INVALID_ARGUMENT"),
        (Request(csr="x").SerializeToString(), (good,), "INVALID_ARGUMENT"),
        (asked(metadata={"ImpersonatedIdentity": str(WEB)}), (good,), "PERMISSION_DENIED"),
        (asked(), (good,), "RESOURCE_EXHAUSTED"),
    ]
    for content, metadata, expected in cases:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(port, content, *metadata)
        assert caught.value.code().name == expected, caught.value.details()
    assert dict(caught.value.trailing_metadata() or ())["retry-after"].isdigit()


def test_the_request_as_others_write_it() -> None:
    """By hand: csr (1) `x`, the former field 2, validity_duration (3) 300, metadata (4) with ClusterID."""
    content = b"\x0a\x01x" + b"\x12\x02id" + b"\x18\xac\x02" + b"\x22\x12\x0a\x10\x0a\x09ClusterID\x12\x03\x1a\x01c"
    found = decode_request(content)
    assert (found.csr, found.seconds, found.signer, found.impersonated) == ("x", 300, "", "")


def test_metadata_is_read() -> None:
    found = decode_request(asked(metadata={"CertSigner": "s", "ImpersonatedIdentity": "i", "other": 1}))
    assert (found.signer, found.impersonated) == ("s", "i")


# --- HTTPS --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def runners() -> AsyncIterator[list[web.AppRunner]]:
    started: list[web.AppRunner] = []
    yield started
    for runner in started:
        await runner.cleanup()


async def serve_http(runners: list[web.AppRunner], issuer: Issuer) -> str:
    application = web.Application()
    application.add_routes(routes(issuer))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    runners.append(runner)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"


async def post(url: str, body: Any, headers: dict[str, str]) -> tuple[int, Any, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=content, headers={"X-Lateen-Peer": "10.1.2.3:4711", **headers}) as answer,
    ):
        return answer.status, await answer.json(), answer.headers


async def test_https_by_token(site: Site, runners: list[web.AppRunner]) -> None:
    url = await serve_http(runners, site.issuer())
    body = {"csr": CSR, "validitySeconds": 600}
    status, answer, _ = await post(url, body, {"Authorization": "Bearer good", "clusterid": "k"})
    assert status == 200
    uris, _ = verified_names(tuple(answer["chain"]), tuple(answer["roots"]))
    assert uris == ["spiffe://cluster.local/ns/shop/sa/web"]
    assert datetime.fromisoformat(answer["notAfter"]) - datetime.now(UTC) < timedelta(seconds=601)
    assert site.by_word.seen == [Evidence("good", b"", "k", "10.1.2.3")]


async def test_https_renewal_by_certificate(site: Site, runners: list[web.AppRunner]) -> None:
    url = await serve_http(runners, site.issuer(ByCertificate(lambda: ("cluster.local",))))
    status, answer, _ = await post(url, {"csr": CSR}, {"X-Forwarded-Client-Cert": site.shown()})
    assert status == 200, answer
    assert (await post(url, {"csr": CSR}, {}))[0] == 401


async def test_https_refusals(site: Site, runners: list[web.AppRunner]) -> None:
    url = await serve_http(runners, site.issuer(identity_burst=1, identity_per_second=0.001))
    cases: list[tuple[Any, str, int, str]] = [
        ({"csr": CSR}, "bad", 401, "UNAUTHENTICATED"),
        (b"nonsense", "good", 400, "INVALID_ARGUMENT"),
        ({"csr": CSR, "ttl": 5}, "good", 400, "INVALID_ARGUMENT"),
        (b"x" * 100_000, "good", 400, "INVALID_ARGUMENT"),
        ({"csr": "x"}, "good", 400, "INVALID_ARGUMENT"),
        ({"csr": CSR}, "good", 429, "RESOURCE_EXHAUSTED"),
    ]
    for body, token, status, reason in cases:
        found, answer, headers = await post(url, body, {"Authorization": f"Bearer {token}"})
        assert (found, answer["error"]) == (status, reason), answer
    assert int(headers["Retry-After"]) > 0
