"""Mutual TLS, and tokens over TLS: a proxy is who its certificate or token says."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lateen.model.identity import PeerIdentity
from lateen.testing.ads_client import AdsClient
from lateen.testing.fake_mesh import FakeMesh
from lateen.translate.resource import ResourceType
from lateen.xds.authentication import Authenticator, BearerToken, MutualTls, Refused
from lateen.xds.inventory import Inventory
from lateen.xds.push import PushLoop
from lateen.xds.server import Listener, XdsServer

CDS = ResourceType.CDS
SHOP = "sidecar~10.0.0.1~web.shop~shop.svc.cluster.local"
BANK = "sidecar~10.0.0.1~web.bank~bank.svc.cluster.local"


class Authority:
    """Signs certificates that are good for an hour."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test roots")])
        builder = self._builder(self._name, self._key.public_key())
        self._certificate = builder.add_extension(x509.BasicConstraints(True, None), True).sign(
            self._key, hashes.SHA256()
        )
        self.roots = self._certificate.public_bytes(serialization.Encoding.PEM)

    def pair(self, *names: x509.GeneralName) -> tuple[bytes, bytes]:
        """(key, certificate) in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(x509.Name([]), key.public_key())
        certificate = builder.add_extension(x509.SubjectAlternativeName(names), True).sign(self._key, hashes.SHA256())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return pem, certificate.public_bytes(serialization.Encoding.PEM)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .issuer_name(self._name)
            .subject_name(subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
        )


def workload(authority: Authority, namespace: str, account: str) -> grpc.ChannelCredentials:
    key, certificate = authority.pair(
        x509.UniformResourceIdentifier(f"spiffe://cluster.local/ns/{namespace}/sa/{account}")
    )
    return grpc.ssl_channel_credentials(authority.roots, key, certificate)


@contextlib.asynccontextmanager
async def serving(authority: Authority, authenticator: Authenticator, *, mutual: bool) -> AsyncIterator[str]:
    mesh = FakeMesh()
    for name in ("web.shop", "web.bank"):
        mesh.set_views(name, "x")
    mesh.put(CDS, "x", "a", b"")
    push = PushLoop(Inventory(mesh.engine, mesh.catalog))
    server = XdsServer(push)
    pair = authority.pair(x509.DNSName("localhost"))
    credentials = grpc.ssl_server_credentials([pair], authority.roots if mutual else None, mutual)
    (port,) = await server.start(Listener("localhost:0", credentials, authenticator))
    task = asyncio.create_task(push.run())
    try:
        yield f"localhost:{port}"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop()


async def refused(client: AdsClient) -> grpc.aio.AioRpcError:
    await client.connect(CDS)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await client.until(lambda: client.held.get(CDS))
    await client.close()
    return raised.value


async def test_a_proxy_with_a_certificate_of_its_own_is_served() -> None:
    authority = Authority()
    async with serving(authority, MutualTls(), mutual=True) as address:
        metadata = {"SERVICE_ACCOUNT": "buyer"}
        credentials = workload(authority, "shop", "buyer")
        async with AdsClient(address, SHOP, metadata=metadata, credentials=credentials, follow=False) as client:
            await client.has(CDS, "a")


async def test_a_proxy_that_claims_what_it_is_not_is_refused() -> None:
    authority = Authority()
    async with serving(authority, MutualTls(), mutual=True) as address:
        credentials = workload(authority, "shop", "buyer")
        error = await refused(AdsClient(address, BANK, credentials=credentials))
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert "'bank'" in str(error.details())
        assert "'shop'" in str(error.details())
        boss = AdsClient(address, SHOP, metadata={"SERVICE_ACCOUNT": "boss"}, credentials=credentials)
        error = await refused(boss)
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert "'boss'" in str(error.details())


async def test_a_certificate_of_another_authority_is_no_certificate() -> None:
    authority = Authority()
    async with serving(authority, MutualTls(), mutual=True) as address:
        key, certificate = Authority().pair(x509.UniformResourceIdentifier("spiffe://cluster.local/ns/shop/sa/buyer"))
        credentials = grpc.ssl_channel_credentials(authority.roots, key, certificate)
        error = await refused(AdsClient(address, SHOP, credentials=credentials))
        assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_token_over_tls() -> None:
    async def verify(token: str) -> PeerIdentity:
        if token != "good":
            raise Refused("not a good token", unauthenticated=True)
        return PeerIdentity("shop", "buyer")

    authority = Authority()
    credentials = grpc.ssl_channel_credentials(authority.roots)
    async with serving(authority, BearerToken(verify), mutual=False) as address:
        good = AdsClient(
            address, SHOP, credentials=credentials, call_metadata=[("authorization", "Bearer good")], follow=False
        )
        async with good:
            await good.has(CDS, "a")
        bad = AdsClient(address, SHOP, credentials=credentials, call_metadata=[("authorization", "Bearer bad")])
        error = await refused(bad)
        assert (error.code(), error.details()) == (grpc.StatusCode.UNAUTHENTICATED, "not a good token")
        error = await refused(AdsClient(address, SHOP, credentials=credentials))
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
