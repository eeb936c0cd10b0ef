"""Events of Kubernetes on what the webhooks did: written by and by, the same one once in a while.

What they are about comes from whoever calls the webhooks, and nothing proves that this is the API server. So there are
only so many, and nothing in them gets anywhere but into an event.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from lateen.api.kubernetes.requests import KubernetesApi
from lateen.identity.limits import KeyedRate

_COMPONENT: Final = "istiod"
_LONGEST: Final = 1000
"""Characters of a message; Kubernetes takes 1024."""
_LONGEST_NAME: Final = 253

_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""It stands in a path of the API server's."""

_log = logging.getLogger(__name__)


class EventLimits(msgspec.Struct, frozen=True):
    waiting: int = 256
    """Events that wait to be written; further ones are dropped."""
    remembered: int = 1024
    """Events that are known to have been written."""
    again: float = 600.0
    """Seconds until the same event on the same object is written again."""
    burst: int = 50
    """Events in one namespace in quick succession; more are dropped..."""
    per_second: float = 1.0
    """...beyond so many per second."""
    whole_burst: int = 200
    """The same of all namespaces."""
    whole_per_second: float = 5.0


class _Event(NamedTuple):
    subject: Mapping[str, Any]
    reason: str
    message: str
    warning: bool


class Events:
    """Run `run`; `put` never waits."""

    def __init__(self, api: KubernetesApi, *, identity: str, limits: EventLimits | None = None) -> None:
        self._api = api
        self._identity = identity
        self._limits = limits or EventLimits()
        self._waiting: asyncio.Queue[_Event] = asyncio.Queue(self._limits.waiting)
        limits = self._limits
        self._rate = KeyedRate(limits.per_second, limits.burst, limits.remembered)
        self._whole = KeyedRate(limits.whole_per_second, limits.whole_burst, 1)
        self._told: dict[tuple[str, ...], float] = {}
        """When each was last put, by the event loop's clock; the oldest first."""

    def put(self, subject: Mapping[str, Any], reason: str, message: str, *, warning: bool = False) -> None:
        """`subject` is an ObjectReference, with the namespace in which the event is."""
        namespace = str(subject.get("namespace", ""))
        if not _NAMESPACE.fullmatch(namespace):
            return
        # What waits, and what is remembered, is as long as somebody likes.
        subject = {key: str(value)[:_LONGEST_NAME] for key, value in subject.items()}
        message = message[:_LONGEST]
        names = tuple(str(subject.get(key, "")) for key in ("kind", "namespace", "name", "uid"))
        key, now = (*names, reason, message), asyncio.get_running_loop().time()
        if now - self._told.get(key, -self._limits.again) < self._limits.again or self._waiting.full():
            return
        if self._rate.take(namespace, now) or self._whole.take("", now):
            return
        self._told.pop(key, None)
        self._told[key] = now
        while len(self._told) > self._limits.remembered:
            del self._told[next(iter(self._told))]
        self._waiting.put_nowait(_Event(subject, reason, message, warning))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            event = await self._waiting.get()
            try:
                answer = await self._api.send(
                    "POST", f"/api/v1/namespaces/{event.subject['namespace']}/events", body=self._body(event)
                )
            except (OSError, ValueError) as error:
                _log.warning("an event on %s: %s", event.subject.get("name"), str(error) or type(error).__name__)
                continue
            if answer.status >= 300:
                _log.warning("an event on %s: %s", event.subject.get("name"), answer.message)

    def _body(self, event: _Event) -> dict[str, Any]:
        moment = datetime.now(UTC)
        now = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        # As client-go names them.
        unique = f"{int(moment.timestamp() * 1_000_000):x}"
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{str(event.subject.get('name', ''))[:200]}.{unique}",
                "namespace": event.subject["namespace"],
            },
            "involvedObject": dict(event.subject),
            "reason": event.reason,
            "message": event.message,
            "type": "Warning" if event.warning else "Normal",
            "source": {"component": _COMPONENT, "host": self._identity},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
