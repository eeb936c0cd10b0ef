"""Authentication by a service account's token, of which the API server is asked: authentication.k8s.io/v1, TokenReview.

No answer is remembered. A certificate is asked for once in many hours, so there is nothing to gain, while the token of
a pod that has been deleted must not be good for a moment longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from lateen.api.kubernetes.requests import KubernetesApi
from lateen.identity.caller import BoundPod, Caller, CannotVerify, Evidence, Refused, service_account

LARGEST_TOKEN: Final = 32 * 1024
"""Characters of a token."""
AUDIENCES: Final = ("istio-ca",)

_PATH: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
_GROUP: Final = "system:serviceaccounts"
_POD_NAME: Final = "authentication.kubernetes.io/pod-name"
_POD_UID: Final = "authentication.kubernetes.io/pod-uid"


class KubernetesTokens:
    """Of one cluster."""

    def __init__(
        self,
        api: KubernetesApi,
        trust_domain: Callable[[], str],
        *,
        cluster: str = "",
        audiences: tuple[str, ...] = AUDIENCES,
        at_once: int = 32,
        timeout: float = 10.0,
    ) -> None:
        """`trust_domain`: the mesh's, as it is now. Tokens must be for one of `audiences`. At most `at_once` are
        reviewed at a time, each in `timeout` seconds.

        `cluster` is the cluster's name in the mesh: tokens that are said to be from another are refused.
        """
        self._api = api
        self._trust_domain = trust_domain
        self._cluster = cluster
        self._audiences = audiences
        self._turns = asyncio.Semaphore(at_once)
        self._timeout = timeout

    async def authenticate(self, evidence: Evidence) -> Caller:
        token = evidence.token
        if not token:
            raise Refused("no bearer token")
        if len(token) > LARGEST_TOKEN or not token.isascii() or not token.isprintable():
            raise Refused("the bearer token is not one")
        if evidence.cluster and self._cluster and evidence.cluster != self._cluster:
            raise Refused(f"tokens of cluster {evidence.cluster!r} cannot be verified here")
        return self._caller(await self._review(token))

    async def _review(self, token: str) -> Any:
        """The status of a review."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": list(self._audiences)},
        }
        try:
            async with asyncio.timeout(self._timeout), self._turns:
                answer = await self._api.send("POST", _PATH, body=body)
        except (OSError, ValueError) as error:
            raise CannotVerify(
                f"the API server cannot be asked about the token: {str(error) or 'no answer'}"
            ) from error
        if answer.status not in (200, 201):
            raise CannotVerify(f"the API server does not review tokens: {answer.message}")
        status = answer.body.get("status") if isinstance(answer.body, dict) else None
        return status if isinstance(status, dict) else {}

    def _caller(self, status: Any) -> Caller:
        if status.get("authenticated") is not True:
            raise Refused("the API server does not know the token")
        # A server that knows no audiences answers without: then the token may be for anybody.
        if not set(self._audiences) & set(status.get("audiences") or ()):
            raise Refused(f"the token is not for {' or '.join(self._audiences)}")
        user = status.get("user") or {}
        if _GROUP not in (user.get("groups") or ()):
            raise Refused("the token is not of a service account")
        identity = service_account(str(user.get("username") or ""), self._trust_domain())
        extra = user.get("extra") or {}
        name, uid = _first(extra.get(_POD_NAME)), _first(extra.get(_POD_UID))
        return Caller(identity, BoundPod(name, uid) if name and uid else None)


def _first(values: Any) -> str:
    return str(values[0]) if isinstance(values, list) and values else ""
