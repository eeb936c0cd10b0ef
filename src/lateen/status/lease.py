"""Leader election by a Lease (coordination.k8s.io/v1), the way client-go does it: one replica at a time does the work.

Clocks of different machines are never compared: a Lease counts as abandoned when it has been seen unchanged, by our own
clock, for as long as its holder asked for.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from lateen.api.kubernetes.requests import KubernetesApi

_log = logging.getLogger(__name__)


class LeaseTerms(msgspec.Struct, frozen=True):
    """Times in seconds."""

    duration: float = 15.0
    """How long a Lease outlives its holder."""
    deadline: float = 10.0
    """A holder that could not renew for so long stops working. Less than `duration`, so that two never work at once."""
    interval: float = 2.0
    """Between attempts."""


class Lease:
    """`identity` must be different for every replica."""

    def __init__(
        self, api: KubernetesApi, *, namespace: str, name: str, identity: str, terms: LeaseTerms | None = None
    ) -> None:
        self.name = name
        self._api = api
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._namespace = namespace
        self._identity = identity
        self._terms = terms or LeaseTerms()
        self._seen: tuple[Any, float] = (None, 0.0)
        """The Lease as it was last found changed, and when that was."""
        self._reported = ""
        self.holder = ""
        """Who holds it, as far as we know."""

    @property
    def held(self) -> bool:
        return self.holder == self._identity

    async def run_while_held(self, work: Callable[[], Awaitable[None]]) -> None:
        """Runs `work` whenever the Lease is held, cancels it when that ends. Until cancelled; then it is given up."""
        try:
            while True:
                await self._acquire()
                _log.info("holding the lease %s", self.name)
                task = asyncio.ensure_future(_restarted(work, self.name, self._terms.duration))
                try:
                    await self._renew()
                finally:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
                _log.warning("lost the lease %s", self.name)
        finally:
            if self.held:
                await self._release()

    async def _acquire(self) -> None:
        while not await self._try():
            await asyncio.sleep(self._terms.interval * random.uniform(1.0, 1.2))

    async def _renew(self) -> None:
        """Returns when the Lease is lost."""
        renewed = _now()
        while self.held and _now() - renewed < self._terms.deadline:
            await asyncio.sleep(self._terms.interval)
            try:
                async with asyncio.timeout(max(0.0, renewed + self._terms.deadline - _now())):
                    if await self._try():
                        renewed = _now()
            except TimeoutError:
                break
        self.holder = ""

    async def _try(self) -> bool:
        """One attempt to take or renew the Lease."""
        try:
            answer = await self._api.send("GET", f"{self._path}/{self.name}")
            if answer.status == 404:
                metadata = {"name": self.name, "namespace": self._namespace}
                body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}
                answer = await self._api.send("POST", self._path, body={**body, "spec": self._spec({})})
            elif answer.status == 200:
                if not self._may_take(answer.body):
                    return False
                # With its resourceVersion: of two that try at once, one has a conflict.
                body = {**answer.body, "spec": self._spec(answer.body.get("spec") or {})}
                answer = await self._api.send("PUT", f"{self._path}/{self.name}", body=body)
        except (OSError, ValueError) as error:
            self._report(str(error) or type(error).__name__)
            return False
        if answer.status in (200, 201):
            self._report("")
            self.holder = self._identity
            return True
        if answer.status != 409:
            self._report(answer.message)
        return False

    def _may_take(self, found: Any) -> bool:
        spec = found.get("spec") or {}
        if spec != self._seen[0]:
            self._seen = spec, _now()
        self.holder = str(spec.get("holderIdentity") or "")
        duration = spec.get("leaseDurationSeconds")
        patience = float(duration) if isinstance(duration, int) else self._terms.duration
        return self.holder in ("", self._identity) or _now() - self._seen[1] > patience

    def _spec(self, before: Any) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        ours = before.get("holderIdentity") == self._identity
        transitions = before.get("leaseTransitions") or 0
        return {
            "holderIdentity": self._identity,
            # The API wants whole seconds, at least one.
            "leaseDurationSeconds": max(1, round(self._terms.duration)),
            "acquireTime": before.get("acquireTime") if ours else now,
            "renewTime": now,
            "leaseTransitions": transitions if ours or not before else transitions + 1,
        }

    async def _release(self) -> None:
        """Lets the next one in at once."""
        with suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(self._terms.interval):
                answer = await self._api.send("GET", f"{self._path}/{self.name}")
                spec = answer.body.get("spec") or {}
                if answer.status == 200 and spec.get("holderIdentity") == self._identity:
                    body = {**answer.body, "spec": {**spec, "holderIdentity": "", "leaseDurationSeconds": 1}}
                    await self._api.send("PUT", f"{self._path}/{self.name}", body=body)
        self.holder = ""

    def _report(self, problem: str) -> None:
        """Once for every new problem."""
        if problem and problem != self._reported:
            _log.warning("lease %s: %s", self.name, problem)
        self._reported = problem


async def _restarted(work: Callable[[], Awaitable[None]], name: str, pause: float) -> None:
    """Work that fails begins anew after a while: who holds the Lease owes it."""
    while True:
        try:
            await work()
            return
        except Exception:
            _log.exception("work under the lease %s failed", name)
        await asyncio.sleep(pause)


def _now() -> float:
    return asyncio.get_running_loop().time()
