from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest

from lateen.identity.caller import CannotVerify, Evidence, Refused
from lateen.identity.key_set import KeySet, KeySetPace
from lateen.identity.oidc_tokens import OidcTokens
from lateen.model.identity import PeerIdentity
from lateen.testing.authorities import ec_key, rsa_key

ISSUER = "https://issuer.example/cluster"
RSA, EC = rsa_key(), ec_key()
FAR = 4_000_000_000
"""In 2096."""


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    algorithm = jwt.algorithms.RSAAlgorithm if key is RSA else jwt.algorithms.ECAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


class Provider:
    """What an issuer serves, and a clock."""

    def __init__(self, *keys: dict[str, Any], issuer: str = ISSUER) -> None:
        self.keys = list(keys)
        self.fetched: list[str] = []
        self.down = False
        self.now = 1000.0
        self.issuer = issuer
        self.keys_uri = f"{ISSUER}/keys"

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if self.down:
            raise ConnectionError("down")
        if url == f"{ISSUER}/.well-known/openid-configuration":
            return json.dumps({"issuer": self.issuer, "jwks_uri": self.keys_uri}).encode()
        assert url == f"{ISSUER}/keys"
        return json.dumps({"keys": self.keys}).encode()

    def tokens(self, **options: Any) -> OidcTokens:
        keys = KeySet(ISSUER, self.fetch, clock=lambda: self.now, pace=KeySetPace(300, 3600, 10), **options)
        return OidcTokens(ISSUER, keys, lambda: "cluster.local")


def token(key: Any = RSA, algorithm: str = "RS256", kid: str | None = "one", **claims: Any) -> str:
    body = {
        "iss": ISSUER,
        "sub": "system:serviceaccount:shop:web",
        "aud": ["istio-ca"],
        "exp": time.time() + 600,
        **claims,
    }
    headers = {"kid": kid} if kid else {}
    return jwt.encode({name: value for name, value in body.items() if value is not None}, key, algorithm, headers)


async def identity(provider: Provider, shown: str) -> PeerIdentity:
    caller = await provider.tokens().authenticate(Evidence(shown))
    assert caller.pod is None
    return caller.identity


WEB = PeerIdentity("shop", "web", "cluster.local")


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (RSA, "PS384"), (EC, "ES256")])
async def test_a_good_token(key: Any, algorithm: str) -> None:
    provider = Provider(jwk(key, "one"))
    assert await identity(provider, token(key, algorithm)) == WEB
    assert provider.fetched == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/keys"]


async def test_without_an_id_every_key_is_tried() -> None:
    assert await identity(Provider(jwk(EC, "a"), jwk(RSA, "b")), token(kid=None)) == WEB


async def test_keys_may_be_given_instead_of_discovered() -> None:
    provider = Provider(jwk(RSA, "one"))
    await provider.tokens(keys_uri=f"{ISSUER}/keys").authenticate(Evidence(token()))
    assert provider.fetched == [f"{ISSUER}/keys"]


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"aud": ["kubernetes.default.svc"]},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"nbf": FAR, "exp": FAR + 600},
        {"sub": None},
        {"sub": "jane"},
        {"sub": "system:serviceaccount:shop:web:more"},
        {"sub": "system:serviceaccount:a b:web"},
    ],
)
async def test_claims_that_do_not_do(claims: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        await identity(Provider(jwk(RSA, "one")), token(**claims))


async def test_another_key_under_the_same_id() -> None:
    with pytest.raises(Refused, match="Signature"):
        await identity(Provider(jwk(RSA, "one")), token(rsa_key()))


async def test_a_public_key_is_no_shared_secret() -> None:
    """The classical confusion: HMAC with the public key as the secret."""
    secret = RSA.public_key().public_numbers().n.to_bytes(256, "big")
    provider = Provider(jwk(RSA, "one"))
    with pytest.raises(Refused, match="HS256"):
        await identity(provider, token(secret, "HS256"))
    assert provider.fetched == []


async def test_unsigned_tokens() -> None:
    with pytest.raises(Refused, match="none"):
        await identity(Provider(jwk(RSA, "one")), token(None, "none"))


async def test_a_key_serves_its_own_algorithm_alone() -> None:
    with pytest.raises(Refused, match="RS512"):
        await identity(Provider(jwk(RSA, "one", alg="RS512")), token())


async def test_keys_for_encryption_do_not_count() -> None:
    with pytest.raises(Refused):
        await identity(Provider(jwk(RSA, "one", use="enc")), token())


@pytest.mark.parametrize("shown", ["", "nonsense", "a.b.c", "x" * 100_000])
async def test_nonsense_makes_nobody_fetch_keys(shown: str) -> None:
    provider = Provider(jwk(RSA, "one"))
    with pytest.raises(Refused):
        await identity(provider, shown)
    assert provider.fetched == []


# --- keys over time -----------------------------------------------------------------------------------------------


async def test_a_new_key_is_found_when_it_is_first_used() -> None:
    provider = Provider(jwk(RSA, "one"))
    tokens = provider.tokens()
    await tokens.authenticate(Evidence(token()))
    provider.keys.append(jwk(EC, "two"))
    provider.now += 11
    assert (await tokens.authenticate(Evidence(token(EC, "ES256", "two")))).identity == WEB


async def test_unknown_keys_are_not_asked_for_at_every_token() -> None:
    provider = Provider(jwk(RSA, "one"))
    tokens = provider.tokens()
    for n in range(5):
        with pytest.raises(Refused, match="not one of its issuer's"):
            await tokens.authenticate(Evidence(token(kid=f"unknown-{n}")))
    assert len(provider.fetched) == 2


async def test_a_withdrawn_key_is_forgotten() -> None:
    provider = Provider(jwk(RSA, "one"))
    tokens = provider.tokens()
    await tokens.authenticate(Evidence(token()))
    provider.keys = [jwk(EC, "two")]
    provider.now += 301
    with pytest.raises(Refused):
        await tokens.authenticate(Evidence(token()))


async def test_known_keys_serve_while_the_issuer_is_down_for_a_while() -> None:
    provider = Provider(jwk(RSA, "one"))
    tokens = provider.tokens()
    await tokens.authenticate(Evidence(token()))
    provider.down = True
    provider.now += 3000
    await tokens.authenticate(Evidence(token()))
    provider.now += 700
    with pytest.raises(CannotVerify):
        await tokens.authenticate(Evidence(token()))


async def test_an_issuer_that_calls_itself_otherwise() -> None:
    with pytest.raises(CannotVerify, match="calls itself"):
        await identity(Provider(jwk(RSA, "one"), issuer="https://evil.example"), token())


async def test_keys_come_over_https_alone() -> None:
    provider = Provider(jwk(RSA, "one"))
    provider.keys_uri = "http://issuer.example/keys"
    with pytest.raises(CannotVerify, match="https"):
        await identity(provider, token())
    with pytest.raises(ValueError, match="https"):
        KeySet("http://issuer.example", provider.fetch)
