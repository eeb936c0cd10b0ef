"""Whether proxies may have Secrets: those whose service accounts may list them (Istio: pilot/pkg/credentials).

Any workload of a namespace may say that it is a gateway, and which labels it has. So the API server is asked what its
service account may (authorization.k8s.io/v1, SubjectAccessReview).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from lateen.api.kubernetes.requests import KubernetesApi
from lateen.model.identity import PeerIdentity
from lateen.xds.authentication import CannotTell

_PATH: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


class RightsLimits(msgspec.Struct, frozen=True):
    """Times in seconds."""

    believe: float = 60.0
    """An answer counts for so long; while there is no other, for good."""
    timeout: float = 5.0
    at_once: int = 16
    """Questions."""
    remembered: int = 10_000
    """Service accounts."""


class SecretRights:
    """Of one cluster."""

    def __init__(
        self,
        api: KubernetesApi,
        *,
        limits: RightsLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._limits = limits = limits or RightsLimits()
        self._clock = clock
        self._turns = asyncio.Semaphore(limits.at_once)
        self._answers: OrderedDict[tuple[str, str], tuple[bool, float]] = OrderedDict()
        """By namespace and service account, with when that was; the oldest first."""

    async def secrets(self, identity: PeerIdentity | None) -> bool:
        """Nobody who has proven nothing. Raises CannotTell."""
        if identity is None:
            return False
        account = identity.namespace, identity.service_account
        if not self._is_fresh(account):
            try:
                async with asyncio.timeout(self._limits.timeout), self._turns:
                    # Whoever waited may find it answered.
                    if not self._is_fresh(account):
                        self._remember(account, await self._ask(*account))
            except (OSError, ValueError) as error:
                if account not in self._answers:
                    why = str(error) or "no answer"
                    raise CannotTell(f"the API server cannot be asked about rights: {why}") from error
        return self._answers[account][0]

    def _is_fresh(self, account: tuple[str, str]) -> bool:
        found = self._answers.get(account)
        return found is not None and self._clock() - found[1] < self._limits.believe

    def _remember(self, account: tuple[str, str], answer: bool) -> None:
        self._answers[account] = answer, self._clock()
        self._answers.move_to_end(account)
        if len(self._answers) > self._limits.remembered:
            self._answers.popitem(last=False)

    async def _ask(self, namespace: str, account: str) -> bool:
        """Raises OSError or ValueError when it is not told."""
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:{namespace}:{account}",
                "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"],
                "resourceAttributes": {"namespace": namespace, "verb": "list", "resource": "secrets"},
            },
        }
        answer = await self._api.send("POST", _PATH, body=body)
        if answer.status not in (200, 201):
            raise ValueError(answer.message)
        status = answer.body.get("status") if isinstance(answer.body, dict) else None
        return isinstance(status, dict) and status.get("allowed") is True
