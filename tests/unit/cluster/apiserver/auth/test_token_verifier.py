from __future__ import annotations

import base64
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lateen.cluster.apiserver.auth import service_account
from lateen.cluster.apiserver.auth.service_account import ISSUER, Bound, Reference
from lateen.cluster.apiserver.auth.token_keys import MAX_TOKEN_LENGTH, InvalidTokenError, TokenKeys
from lateen.cluster.apiserver.auth.token_verifier import TokenVerifier
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key

API = [ISSUER]


@pytest.fixture
def verifier(keys: TokenKeys, store: Store, clock: Any) -> TokenVerifier:
    return TokenVerifier(keys, store, clock)


@pytest.fixture
async def account(create: Any) -> dict[str, Any]:
    found: dict[str, Any] = await create("", "serviceaccounts", "ns", "app")
    return found


def token(keys: TokenKeys, clock: Any, account: Any, bound: Bound | None = None, audiences: Any = None) -> str:
    claims = service_account.claims(
        account, bound or Bound(), audiences or API, now=int(clock.now.timestamp()), seconds=600, token_id="t"
    )
    return keys.sign(claims)


async def test_a_good_token(verifier: TokenVerifier, keys: TokenKeys, clock: Any, account: Any) -> None:
    verified = verifier.verify(token(keys, clock, account), API)
    assert verified.user.name == "system:serviceaccount:ns:app"
    assert verified.user.uid == "uid-app"
    assert verified.user.groups == ("system:serviceaccounts", "system:serviceaccounts:ns")
    assert verified.user.extra == {"authentication.kubernetes.io/credential-id": ("JTI=t",)}
    assert verified.audiences == (ISSUER,)


async def test_audiences_must_meet(verifier: TokenVerifier, keys: TokenKeys, clock: Any, account: Any) -> None:
    made = token(keys, clock, account, audiences=["vault", "other"])
    assert verifier.verify(made, ["x", "vault"]).audiences == ("vault",)
    with pytest.raises(InvalidTokenError, match='token audiences \\["vault" "other"\\] is invalid'):
        verifier.verify(made, API)


async def test_times(verifier: TokenVerifier, keys: TokenKeys, clock: Any, account: Any) -> None:
    made = token(keys, clock, account)
    clock.advance(seconds=601)
    with pytest.raises(InvalidTokenError, match="expired"):
        verifier.verify(made, API)
    clock.advance(seconds=-1000)
    with pytest.raises(InvalidTokenError, match="not valid yet"):
        verifier.verify(made, API)


async def test_it_dies_with_its_account(
    verifier: TokenVerifier, keys: TokenKeys, clock: Any, account: Any, create: Any, store: Store
) -> None:
    made = token(keys, clock, account)
    verifier.verify(made, API)
    await store.delete(("", "serviceaccounts"), Key("ns", "app"), None)
    with pytest.raises(InvalidTokenError, match="has been deleted"):
        verifier.verify(made, API)
    await create("", "serviceaccounts", "ns", "app", metadata={"uid": "another"})
    with pytest.raises(InvalidTokenError, match="does not match claim"):
        verifier.verify(made, API)


async def test_it_dies_with_its_pod(
    verifier: TokenVerifier, keys: TokenKeys, clock: Any, account: Any, create: Any, store: Store
) -> None:
    pod = await create("", "pods", "ns", "p")
    made = token(keys, clock, account, Bound(pod=Reference.to(pod), node=Reference("n", "uid-n")))
    user = verifier.verify(made, API).user
    assert user.extra["authentication.kubernetes.io/pod-name"] == ("p",)
    assert user.extra["authentication.kubernetes.io/pod-uid"] == ("uid-p",)
    assert user.extra["authentication.kubernetes.io/node-name"] == ("n",)
    going = {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": "2026-01-01T00:00:30Z"}}
    await store.update(("", "pods"), going, None)
    clock.advance(seconds=80)
    verifier.verify(made, API)
    clock.advance(seconds=20)
    with pytest.raises(InvalidTokenError, match="bound pod p has been deleted"):
        verifier.verify(made, API)


async def test_a_legacy_token_lives_in_its_secret(
    verifier: TokenVerifier, keys: TokenKeys, account: Any, create: Any, store: Store
) -> None:
    made = keys.sign(service_account.legacy_claims(account, "s"))
    with pytest.raises(InvalidTokenError, match="invalidated"):
        verifier.verify(made, API)
    await create("", "secrets", "ns", "s", data={"token": base64.b64encode(made.encode()).decode()})
    assert verifier.verify(made, API).user.name == "system:serviceaccount:ns:app"
    changed = {"metadata": {"name": "s", "namespace": "ns"}, "data": {"token": "AAAA"}}
    await store.update(("", "secrets"), changed, None)
    with pytest.raises(InvalidTokenError, match="server's copy"):
        verifier.verify(made, API)


def forge(keys: TokenKeys, made: str) -> list[str]:
    claims = jwt.decode(made, options={"verify_signature": False})
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    head, body, signature = made.split(".")
    return [
        "",
        "x",
        "a.b.c",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        jwt.encode(claims, other, algorithm="RS256", headers={"kid": keys.key_id}),
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode(claims, "a-secret-that-is-long-enough-for-hmac", algorithm="HS256"),
        "\udcff" * 10,
        "x" * (MAX_TOKEN_LENGTH + 1),
    ]


async def test_forgeries(verifier: TokenVerifier, keys: TokenKeys, clock: Any, account: Any) -> None:
    for forgery in forge(keys, token(keys, clock, account)):
        with pytest.raises(InvalidTokenError):
            verifier.verify(forgery, API)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "somebody"},
        {"exp": None},
        {"exp": True},
        {"exp": "9999999999"},
        {"nbf": None},
        {"sub": "system:serviceaccount:ns:admin"},
        {"kubernetes.io": None},
        {"kubernetes.io": {"namespace": "ns"}},
        {"aud": None},
    ],
)
async def test_odd_claims(
    verifier: TokenVerifier, keys: TokenKeys, clock: Any, account: Any, change: dict[str, Any]
) -> None:
    claims = jwt.decode(token(keys, clock, account), options={"verify_signature": False})
    with pytest.raises(InvalidTokenError):
        verifier.verify(keys.sign({**claims, **change}), API)
