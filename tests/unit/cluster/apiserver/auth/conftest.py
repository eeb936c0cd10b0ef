from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lateen.cluster.apiserver.auth.token_keys import TokenKeys
from lateen.cluster.apiserver.store.store import Store

Create = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "state.db")
    yield opened
    await opened.close()


@pytest.fixture
def create(store: Store) -> Create:
    """Stores an object as it is: `await create("", "pods", "ns", "name", spec={...})`."""

    async def run(group: str, plural: str, namespace: str, name: str, **fields: Any) -> dict[str, Any]:
        meta = {"name": name, "uid": f"uid-{name}", **fields.pop("metadata", {})}
        if namespace:
            meta["namespace"] = namespace
        return await store.create((group, plural), {"metadata": meta, **fields})

    return run


@pytest.fixture(scope="session")
def keys() -> TokenKeys:
    return TokenKeys(rsa.generate_private_key(public_exponent=65537, key_size=2048))


class Clock:
    def __init__(self) -> None:
        self.now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now

    def advance(self, **delta: float) -> None:
        self.now += dt.timedelta(**delta)


@pytest.fixture
def clock() -> Clock:
    return Clock()
