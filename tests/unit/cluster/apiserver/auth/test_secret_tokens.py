from __future__ import annotations

import base64
from typing import Any

import pytest

from lateen.cluster.apiserver.auth.secret_tokens import SecretTokens
from lateen.cluster.apiserver.auth.service_account import ISSUER
from lateen.cluster.apiserver.auth.token_keys import TokenKeys
from lateen.cluster.apiserver.auth.token_verifier import TokenVerifier
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key

SECRETS = ("", "secrets")
SECRET = Key("ns", "s")
TYPE = "kubernetes.io/service-account-token"


@pytest.fixture
def tokens(store: Store, keys: TokenKeys) -> SecretTokens:
    return SecretTokens(store, keys, b"CA")


async def add_secret(create: Any, **annotations: str) -> None:
    prefixed = {f"kubernetes.io/service-account.{name}": value for name, value in annotations.items()}
    await create("", "secrets", "ns", "s", metadata={"annotations": prefixed}, type=TYPE)


async def test_fills_a_secret_with_a_token_that_works(
    tokens: SecretTokens, store: Store, keys: TokenKeys, create: Any, clock: Any
) -> None:
    await create("", "serviceaccounts", "ns", "app")
    await add_secret(create, name="app")
    await tokens.reconcile(SECRETS, SECRET)
    secret = store.get(SECRETS, SECRET)
    assert secret is not None
    assert base64.b64decode(secret["data"]["ca.crt"]) == b"CA"
    assert base64.b64decode(secret["data"]["namespace"]) == b"ns"
    assert secret["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == "uid-app"
    token = base64.b64decode(secret["data"]["token"]).decode()
    verified = TokenVerifier(keys, store, clock).verify(token, [ISSUER])
    assert verified.user.name == "system:serviceaccount:ns:app"
    revision = store.revision
    await tokens.reconcile(SECRETS, SECRET)
    assert store.revision == revision


async def test_a_secret_goes_with_its_account(tokens: SecretTokens, store: Store, create: Any) -> None:
    await create("", "serviceaccounts", "ns", "app")
    await add_secret(create, name="app")
    await store.delete(("", "serviceaccounts"), Key("ns", "app"), None)
    await tokens.reconcile(("", "serviceaccounts"), Key("ns", "app"))
    assert store.get(SECRETS, SECRET) is None


async def test_a_namesake_of_the_account_does_not_count(tokens: SecretTokens, store: Store, create: Any) -> None:
    await create("", "serviceaccounts", "ns", "app")
    await add_secret(create, name="app", uid="former")
    await tokens.reconcile(SECRETS, SECRET)
    assert store.get(SECRETS, SECRET) is None
