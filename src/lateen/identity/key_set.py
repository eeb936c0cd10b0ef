"""The public keys of an OpenID Connect issuer: found by discovery, renewed in time, and when a new one is used."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from lateen.identity.caller import CannotVerify

Fetch = Callable[[str], Awaitable[bytes]]
"""GETs a URL. Raises OSError or ValueError unless it answers 200."""

_DISCOVERY: Final = "/.well-known/openid-configuration"


class KeySetPace(msgspec.Struct, frozen=True):
    """Times in seconds."""

    renew: float = 300.0
    """Keys are fetched again after so long."""
    believe: float = 3600.0
    """While the issuer does not answer, its keys count for so long: one that it has withdrawn no longer."""
    pause: float = 10.0
    """Between two fetches, however many tokens with unknown keys arrive."""


class KeySet:
    """Of one issuer; all URLs must be https."""

    def __init__(
        self,
        issuer: str,
        fetch: Fetch,
        *,
        keys_uri: str = "",
        pace: KeySetPace | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`keys_uri`: where the keys are; empty to ask the issuer. Raises ValueError for a URL that is not https."""
        for url in (issuer, *([keys_uri] if keys_uri else [])):
            _need_https(url)
        self._issuer = issuer
        self._fetch = fetch
        self._given_uri = keys_uri
        self._pace = pace or KeySetPace()
        self._clock = clock
        self._keys: tuple[Mapping[str, Any], ...] = ()
        self._fetched = self._tried = float("-inf")
        self._turn = asyncio.Lock()

    async def find(self, key_id: str) -> tuple[Mapping[str, Any], ...]:
        """The signing keys (JWK) with that id, or without an id all of them. Raises CannotVerify."""
        if self._clock() - self._fetched > self._pace.renew or not self._matching(key_id):
            async with self._turn:
                # Whoever waited may find it done.
                stale = self._clock() - self._fetched > self._pace.renew or not self._matching(key_id)
                if stale and self._clock() - self._tried >= self._pace.pause:
                    await self._renew()
        if self._clock() - self._fetched > self._pace.believe:
            raise CannotVerify(f"the keys of {self._issuer} cannot be had")
        return self._matching(key_id)

    def _matching(self, key_id: str) -> tuple[Mapping[str, Any], ...]:
        return tuple(key for key in self._keys if not key_id or key.get("kid") == key_id)

    async def _renew(self) -> None:
        self._tried = self._clock()
        try:
            found = msgspec.json.decode(await self._fetch(self._given_uri or await self._discover()))
            keys = found["keys"]
            if not isinstance(keys, list):
                raise ValueError("`keys` is not a list")
        except (OSError, ValueError, KeyError, TypeError) as error:
            if self._clock() - self._fetched > self._pace.believe:
                raise CannotVerify(f"the keys of {self._issuer} cannot be had: {error!r}") from error
            return
        self._keys = tuple(key for key in keys if isinstance(key, dict) and key.get("use", "sig") == "sig")
        self._fetched = self._clock()

    async def _discover(self) -> str:
        found = msgspec.json.decode(await self._fetch(self._issuer.rstrip("/") + _DISCOVERY))
        if found["issuer"] != self._issuer:
            raise ValueError(f"the issuer calls itself {found['issuer']!r}")
        uri = str(found["jwks_uri"])
        _need_https(uri)
        return uri


def _need_https(url: str) -> None:
    if not url.startswith("https://"):
        raise ValueError(f"expected an https URL, got {url!r}")
