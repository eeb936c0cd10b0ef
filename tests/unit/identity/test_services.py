"""Both transports, over real TLS on loopback."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

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
from lateen.testing.authorities import ec_key, key_pem, signing_pair, signing_request, verified_names
from lateen.testing.certificates import Authority as ServerAuthority

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

    def __init__(self, place: Path) -> None:
        self.place = place
        self.current = CurrentAuthority()
        self.current.offer(load(FILES, NOW), "test")
        self.by_word = ByWord()
        self.server = ServerAuthority("server root")
        self.pair = self.server.issue("127.0.0.1", "localhost")

    def issuer(self, authenticator: Any = None, **limits: Any) -> Issuer:
        return Issuer(
            self.current, authenticator or self.by_word, NoPods(), cluster="c", limits=IssueLimits(**limits)
        )  # fmt: skip

    def workload(self) -> tuple[bytes, bytes]:
        """A certificate chain of the mesh and its key."""
        assert self.current.authority is not None
        key = ec_key()
        issued = sign(self.current.authority, key.public_key(), WEB, WorkloadFacts(workload="w"), now=NOW)
        return "".join((issued.certificate, *issued.path)).encode(), key_pem(key)

    def file(self, name: str, content: str | bytes) -> str:
        path = self.place / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.file("s.pem", self.pair.certificate), self.file("s.key", self.pair.key))
        context.load_verify_locations(cadata=ROOT.pem.decode())
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def client_context(self, pair: tuple[bytes, bytes] | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.server.root)
        if pair is not None:
            context.load_cert_chain(self.file("c.pem", pair[0]), self.file("c.key", pair[1]))
        return context


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


# --- gRPC ---------------------------------------------------------------------------------------------------------


@pytest.fixture
async def servers() -> AsyncIterator[list[grpc.aio.Server]]:
    started: list[grpc.aio.Server] = []
    yield started
    for server in started:
        await server.stop(None)


async def serve_grpc(site: Site, servers: list[Any], issuer: Issuer, *, client_certificates: bool = False) -> int:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler(issuer),))
    credentials = grpc.ssl_server_credentials(
        [(site.pair.key.encode(), site.pair.certificate.encode())],
        ROOT.pem if client_certificates else None,
        require_client_auth=client_certificates,
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    servers.append(server)
    return port


async def call(
    site: Site, port: int, content: bytes, *metadata: tuple[str, str], pair: tuple[bytes, bytes] | None = None
) -> list[str]:
    chain, key = pair or (None, None)
    credentials = grpc.ssl_channel_credentials(site.server.root.encode(), key, chain)
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        create = channel.unary_unary(METHOD, response_deserializer=Response.FromString)
        return list((await create(content, metadata=metadata, timeout=10)).cert_chain)


def asked(**more: Any) -> bytes:
    return Request(csr=CSR, **more).SerializeToString()


async def test_grpc_by_token(site: Site, servers: list[Any]) -> None:
    port = await serve_grpc(site, servers, site.issuer())
    metadata = (("authorization", "Bearer good"), ("clusterid", "Kubernetes"))
    leaf, lower, root = await call(site, port, asked(validity_duration=3600), *metadata)
    assert root == ROOT.pem.decode()
    uris, path = verified_names((leaf, lower), (root,))
    assert uris == ["spiffe://cluster.local/ns/shop/sa/web"]
    assert timedelta(minutes=55) < path[0].not_valid_after_utc - datetime.now(UTC) < timedelta(hours=1)
    assert site.by_word.seen == [Evidence("good", b"", "Kubernetes", "127.0.0.1")]


async def test_grpc_renewal_by_certificate(site: Site, servers: list[Any]) -> None:
    issuer = site.issuer(ByCertificate(lambda: ("cluster.local",)))
    port = await serve_grpc(site, servers, issuer, client_certificates=True)
    leaf, *path = await call(site, port, asked(), pair=site.workload())
    assert verified_names((leaf, *path[:-1]), (ROOT.pem.decode(),))[0] == ["spiffe://cluster.local/ns/shop/sa/web"]


async def test_grpc_refusals(site: Site, servers: list[Any]) -> None:
    port = await serve_grpc(site, servers, site.issuer(identity_burst=2, identity_per_second=0.001))
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
            await call(site, port, content, *metadata)
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


async def serve_https(runners: list[web.AppRunner], issuer: Issuer, context: ssl.SSLContext | None) -> int:
    application = web.Application()
    application.add_routes(routes(issuer))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    runners.append(runner)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    port: int = runner.addresses[0][1]
    return port


async def post(url: str, context: ssl.SSLContext | None, body: Any, **headers: str) -> tuple[int, Any, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=content, ssl=context if context is not None else True, headers=headers) as answer,
    ):
        return answer.status, await answer.json(), answer.headers


async def test_https_by_token(site: Site, runners: list[web.AppRunner]) -> None:
    port = await serve_https(runners, site.issuer(), site.server_context())
    body = {"csr": CSR, "validitySeconds": 600}
    status, answer, _ = await post(
        f"https://127.0.0.1:{port}{PATH}", site.client_context(), body, Authorization="Bearer good", clusterid="k"
    )
    assert status == 200
    uris, _ = verified_names(tuple(answer["chain"]), tuple(answer["roots"]))
    assert uris == ["spiffe://cluster.local/ns/shop/sa/web"]
    assert datetime.fromisoformat(answer["notAfter"]) - datetime.now(UTC) < timedelta(seconds=601)
    assert site.by_word.seen == [Evidence("good", b"", "k", "127.0.0.1")]


async def test_https_renewal_by_certificate(site: Site, runners: list[web.AppRunner]) -> None:
    issuer = site.issuer(ByCertificate(lambda: ("cluster.local",)))
    port = await serve_https(runners, issuer, site.server_context())
    url = f"https://127.0.0.1:{port}{PATH}"
    status, answer, _ = await post(url, site.client_context(site.workload()), {"csr": CSR})
    assert status == 200, answer
    assert (await post(url, site.client_context(), {"csr": CSR}))[0] == 401


async def test_https_refuses_certificates_of_other_roots(site: Site, runners: list[web.AppRunner]) -> None:
    issuer = site.issuer(ByCertificate(lambda: ("cluster.local",)))
    port = await serve_https(runners, issuer, site.server_context())
    forged = ServerAuthority("ours, they say").issue(str(WEB))
    context = site.client_context((forged.certificate.encode(), forged.key.encode()))
    with pytest.raises(aiohttp.ClientError):
        await post(f"https://127.0.0.1:{port}{PATH}", context, {"csr": CSR})
    assert not issuer.outcomes


async def test_https_refusals(site: Site, runners: list[web.AppRunner]) -> None:
    port = await serve_https(runners, site.issuer(identity_burst=1, identity_per_second=0.001), site.server_context())
    url, context = f"https://127.0.0.1:{port}{PATH}", site.client_context()
    cases: list[tuple[Any, str, int, str]] = [
        ({"csr": CSR}, "bad", 401, "UNAUTHENTICATED"),
        (b"nonsense", "good", 400, "INVALID_ARGUMENT"),
        ({"csr": CSR, "ttl": 5}, "good", 400, "INVALID_ARGUMENT"),
        (b"x" * 100_000, "good", 400, "INVALID_ARGUMENT"),
        ({"csr": "x"}, "good", 400, "INVALID_ARGUMENT"),
        ({"csr": CSR}, "good", 429, "RESOURCE_EXHAUSTED"),
    ]
    for body, token, status, reason in cases:
        found, answer, headers = await post(url, context, body, Authorization=f"Bearer {token}")
        assert (found, answer["error"]) == (status, reason), answer
    assert int(headers["Retry-After"]) > 0


async def test_plaintext_is_refused_before_anything_is_looked_at(site: Site, runners: list[web.AppRunner]) -> None:
    port = await serve_https(runners, site.issuer(), None)
    status, answer, _ = await post(f"http://127.0.0.1:{port}{PATH}", None, {"csr": CSR}, Authorization="Bearer good")
    assert (status, answer["error"]) == (403, "PERMISSION_DENIED")
    assert site.by_word.seen == []
