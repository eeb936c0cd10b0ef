"""Events: what `kubectl describe` and `kubectl events` show of what happened to an object.

Recording never blocks nor fails the caller. Repetitions are counted in one Event, as client-go's correlator does,
and one object cannot flood: a burst of 25, then one event in five minutes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Literal

from lateen.cluster.client.api import Client
from lateen.cluster.objects import GVR, Key, Obj, metadata, timestamp
from lateen.cluster.status import StatusError

_log = logging.getLogger(__name__)

EVENTS = GVR("", "v1", "events")
_PENDING = 1000
_REMEMBERED = 4096
_BURST = 25.0
_REFILL_PER_SECOND = 1 / 300
_MESSAGE_LIMIT = 1024

EventType = Literal["Normal", "Warning"]


def object_reference(obj: Obj, field_path: str = "") -> Obj:
    """The `involvedObject` of an event about `obj`."""
    meta = metadata(obj)
    reference: Obj = {
        "apiVersion": obj.get("apiVersion", ""),
        "kind": obj.get("kind", ""),
        "name": meta.get("name", ""),
    }
    for name in ("namespace", "uid", "resourceVersion"):
        if meta.get(name):
            reference[name] = meta[name]
    if field_path:
        reference["fieldPath"] = field_path
    return reference


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class EventRecorder:
    """Records events as one component (`deployment-controller`, `kubelet` with its node as `host`)."""

    def __init__(self, client: Client, component: str, host: str = "") -> None:
        self._client = client
        self._source = {"component": component} | ({"host": host} if host else {})
        self._pending: deque[Obj] = deque(maxlen=_PENDING)
        self._wake = asyncio.Event()
        self._written: OrderedDict[tuple[str, ...], Obj] = OrderedDict()
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()

    def event(self, obj: Obj, type: EventType, reason: str, message: str, *, field_path: str = "") -> None:
        """Records that `reason` happened to `obj`. Returns at once; the oldest pending event gives way when full."""
        reference = object_reference(obj, field_path)
        if not self._admit((reference["kind"], reference.get("uid") or reference["name"])):
            return
        now = timestamp()
        self._pending.append(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {
                    "name": f"{reference['name']}.{time.time_ns():x}",
                    "namespace": reference.get("namespace") or "default",
                },
                "involvedObject": reference,
                "reason": reason,
                "message": message[:_MESSAGE_LIMIT],
                "source": self._source,
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
                "type": type,
                "eventTime": None,
                "reportingComponent": self._source["component"],
                "reportingInstance": self._source.get("host", ""),
            }
        )
        self._wake.set()

    async def run(self) -> None:
        """Writes what was recorded until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                await self._write(self._pending.popleft())

    async def flush(self) -> None:
        """Writes what is pending now (before a process ends)."""
        while self._pending:
            await self._write(self._pending.popleft())

    async def _write(self, event: Obj) -> None:
        about = event["involvedObject"]
        subject = (about["kind"], about.get("uid", ""), about["name"], about.get("fieldPath", ""))
        identity = (*subject, event["type"], event["reason"], event["message"])
        namespace = event["metadata"]["namespace"]
        known = self._written.pop(identity, None)
        try:
            if known is not None:
                key = Key(namespace, known["metadata"]["name"])
                changes = {"count": known["count"] + 1, "lastTimestamp": event["lastTimestamp"]}
                try:
                    await self._client.patch(EVENTS, key, changes, type="strategic")
                    event = {**known, **changes}
                except StatusError as error:
                    if error.code != 404:
                        raise
                    await self._client.create(EVENTS, event)
            else:
                await self._client.create(EVENTS, event)
        except StatusError as error:
            # A namespace that goes away takes no events; nothing is lost that anyone would look for.
            _log.debug("event %s of %s is not recorded: %s", event["reason"], about["name"], error)
            return
        self._written[identity] = event
        while len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)

    def _admit(self, source: tuple[str, str]) -> bool:
        now = time.monotonic()
        bucket = self._buckets.pop(source, None) or _Bucket(_BURST, now)
        bucket.tokens = min(_BURST, bucket.tokens + (now - bucket.at) * _REFILL_PER_SECOND)
        bucket.at = now
        admitted = bucket.tokens >= 1
        if admitted:
            bucket.tokens -= 1
        self._buckets[source] = bucket
        while len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        return admitted
