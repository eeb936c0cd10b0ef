"""Service account tokens for projected volumes: requested for one pod, and renewed before they expire.

Source: the kubelet renews at 80 % of a token's life, or after a day.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from lateen.cluster.client.api import Client
from lateen.cluster.node.volumes.content import VolumeError
from lateen.cluster.objects import GVR, Key, Obj, name_of, namespace_of, parse_timestamp, uid_of
from lateen.cluster.status import StatusError

_SERVICE_ACCOUNTS = GVR("", "v1", "serviceaccounts")
_DEFAULT_SECONDS = 3600
_RENEW_AT = 0.8
_MAX_AGE = 24 * 3600.0
_RETRY = 30.0


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    renew_at: float
    expires_at: float


class PodTokens:
    """The tokens of one pod, by (volume, path)."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._tokens: dict[tuple[str, str], _Token] = {}

    @property
    def renew_at(self) -> float | None:
        """When (as `time.time`) the first must be renewed."""
        return min((token.renew_at for token in self._tokens.values()), default=None)

    async def of_volume(self, pod: Obj, volume: Obj) -> dict[str, str]:
        """The tokens of a projected volume by path, fresh ones where it is time. Raises VolumeError."""
        found = {}
        for source in (volume.get("projected") or {}).get("sources") or ():
            if projection := source.get("serviceAccountToken"):
                path = projection["path"]
                found[path] = await self._token(pod, (volume["name"], path), projection)
        return found

    async def _token(self, pod: Obj, key: tuple[str, str], projection: Obj) -> str:
        known = self._tokens.get(key)
        now = time.time()
        if known is not None and now < known.renew_at:
            return known.text
        try:
            fresh = await self._request(pod, projection)
        except StatusError as error:
            if known is not None:
                # Not at once, also when it has expired.
                self._tokens[key] = replace(known, renew_at=now + _RETRY)
                if now < known.expires_at:
                    return known.text
            raise VolumeError(f"failed to fetch token: {error.message}") from None
        self._tokens[key] = fresh
        return fresh.text

    async def _request(self, pod: Obj, projection: Obj) -> _Token:
        spec: Obj = {
            "audiences": [projection["audience"]] if projection.get("audience") else [],
            "expirationSeconds": projection.get("expirationSeconds") or _DEFAULT_SECONDS,
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": name_of(pod), "uid": uid_of(pod)},
        }
        account = Key(namespace_of(pod), pod["spec"].get("serviceAccountName") or "default")
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {}, "spec": spec}
        now = time.time()
        answer = await self._client.create_subresource(_SERVICE_ACCOUNTS, account, "token", request)
        expires_at = parse_timestamp(answer["status"]["expirationTimestamp"]).timestamp()
        renew_at = now + min(_RENEW_AT * (expires_at - now), _MAX_AGE)
        return _Token(answer["status"]["token"], renew_at, expires_at)
