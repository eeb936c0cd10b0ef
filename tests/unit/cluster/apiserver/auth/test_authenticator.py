from __future__ import annotations

import base64
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lateen.cluster.apiserver.auth import service_account
from lateen.cluster.apiserver.auth.authenticator import Authenticator
from lateen.cluster.apiserver.auth.service_account import ISSUER, Bound
from lateen.cluster.apiserver.auth.token_keys import TokenKeys
from lateen.cluster.apiserver.auth.token_verifier import TokenVerifier
from lateen.cluster.apiserver.request import User
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.pki.authority import Authority, Subject
from lateen.cluster.status import StatusError

PEM = serialization.Encoding.PEM
Ask = Callable[..., Awaitable[User | int]]


def pair(directory: Path, authority: Authority, subject: Subject, now: dt.datetime) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = authority.issue(subject, key.public_key(), dt.timedelta(hours=1), now)
    path = directory / f"{subject.common_name}.pem"
    private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(PEM))
    return path


@pytest.fixture
async def ask(tmp_path: Path, keys: TokenKeys, store: Store, clock: Any) -> AsyncIterator[Ask]:
    """Sends a request, with a client certificate or headers, and tells as whom it was authenticated."""
    clock.now = now = dt.datetime.now(dt.UTC)
    authority = Authority.create("ca", now)
    ca = authority.certificate.public_bytes(PEM).decode()
    authenticator = Authenticator(TokenVerifier(keys, store, clock), clock)
    outcomes: list[User | int] = []

    async def handle(request: web.Request) -> web.Response:
        try:
            outcomes.append(await authenticator.authenticate(request))
        except StatusError as error:
            outcomes.append(error.code)
        return web.Response()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    server = Subject("server", addresses=(IPv4Address("127.0.0.1"),), server=True)
    context.load_cert_chain(pair(tmp_path, authority, server, now))
    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}/"

    async def send(subject: Subject | None = None, **headers: str) -> User | int:
        trust = ssl.create_default_context(cadata=ca)
        if subject is not None:
            trust.load_cert_chain(pair(tmp_path, authority, subject, now))
        async with aiohttp.ClientSession() as session, session.get(url, ssl=trust, headers=headers):
            return outcomes[-1]

    yield send
    await runner.cleanup()


async def test_a_client_certificate_names_user_and_groups(ask: Ask) -> None:
    user = await ask(Subject("jane", ("dev", "ops"), client=True))
    assert isinstance(user, User)
    assert user.name == "jane"
    assert sorted(user.groups) == ["dev", "ops", "system:authenticated"]
    (credential,) = user.extra["authentication.kubernetes.io/credential-id"]
    assert credential.startswith("X509SHA256=")


async def test_a_certificate_that_expired_while_connected_is_none(ask: Ask, clock: Any) -> None:
    clock.advance(hours=2)
    user = await ask(Subject("jane", client=True))
    assert isinstance(user, User)
    assert user.name == "system:anonymous"


async def test_nobody(ask: Ask) -> None:
    user = await ask()
    assert user == User("system:anonymous", groups=("system:unauthenticated",))


@pytest.mark.parametrize("value", ["Bearer nonsense", "bearer  x.y.z"])
async def test_a_bad_token_is_refused(ask: Ask, value: str) -> None:
    assert await ask(Authorization=value) == 401


async def test_other_schemes_are_nobody(ask: Ask) -> None:
    user = await ask(Authorization="Basic amFuZTpwdw==")
    assert isinstance(user, User)
    assert user.name == "system:anonymous"


async def test_tokens(ask: Ask, keys: TokenKeys, create: Any, clock: Any) -> None:
    account = await create("", "serviceaccounts", "ns", "app")
    now = int(clock.now.timestamp())
    token = keys.sign(service_account.claims(account, Bound(), [ISSUER], now=now, seconds=600, token_id="t"))
    encoded = base64.urlsafe_b64encode(token.encode()).rstrip(b"=").decode()
    for headers in (
        {"Authorization": f"Bearer {token}"},
        {"Sec-WebSocket-Protocol": f"v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.{encoded}"},
    ):
        user = await ask(**headers)
        assert isinstance(user, User)
        assert user.name == "system:serviceaccount:ns:app"
        assert "system:authenticated" in user.groups
