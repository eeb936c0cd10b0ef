"""What every controller is made of: shared informers, writes that are read back at once, a queue, a sync function."""

from __future__ import annotations

import asyncio
import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from lateen.cluster.client.api import Client, PatchType, Propagation
from lateen.cluster.client.events import EventRecorder, EventType
from lateen.cluster.client.indexed_store import IndexedStore, IndexFunction
from lateen.cluster.client.informer import Handler, Informer
from lateen.cluster.client.informer_factory import InformerFactory
from lateen.cluster.client.work_queue import WorkQueue
from lateen.cluster.objects import GVR, Key, Obj, key_of, uid_of
from lateen.cluster.status import StatusError


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Environment:
    """One client and its shared informers; writes are visible in the informers as soon as they succeeded."""

    def __init__(self, client: Client, now: Callable[[], dt.datetime] = utc_now) -> None:
        self.client = client
        self.informers = InformerFactory(client)
        self.now = now

    async def create(self, gvr: GVR, obj: Obj, namespace: str = "") -> Obj:
        return self._observe(gvr, await self.client.create(gvr, obj, namespace=namespace))

    async def patch(
        self, gvr: GVR, key: Key, patch: object, *, type: PatchType = "merge", subresource: str = ""
    ) -> Obj:
        return self._observe(gvr, await self.client.patch(gvr, key, patch, type=type, subresource=subresource))

    async def update(self, gvr: GVR, obj: Obj) -> Obj:
        return self._observe(gvr, await self.client.update(gvr, obj))

    async def update_status(self, gvr: GVR, obj: Obj, status: Obj) -> Obj:
        """Writes `status` on `obj` as it was read; nothing when it has that status. Raises conflict (409)."""
        if obj.get("status") == status:
            return obj
        return self._observe(gvr, await self.client.update_status(gvr, {**obj, "status": status}))

    async def delete(
        self, gvr: GVR, obj: Obj, *, propagation: Propagation | None = None, grace_seconds: int | None = None
    ) -> bool:
        """Deletes this very object (not a namesake): whether it was there."""
        try:
            result = await self.client.delete(
                gvr, key_of(obj), propagation=propagation, grace_seconds=grace_seconds, uid=uid_of(obj)
            )
        except StatusError as error:
            # 409: a namesake with another UID; ours is gone as well.
            if error.code in (404, 409):
                return False
            raise
        if uid_of(result) == uid_of(obj):
            self._observe(gvr, result)
        return True

    def _observe(self, gvr: GVR, obj: Obj) -> Obj:
        informer = self.informers.find(gvr)
        if informer is not None:
            # The copy keeps the object and drops its managed fields; the caller keeps its own.
            informer.observe({**obj, "metadata": dict(obj.get("metadata") or {})})
        return obj


class Controller(ABC):
    """A queue of keys, fed by informers' handlers, and `sync`, which brings one key to its desired state."""

    name: str
    """The component that its events come from, such as `deployment-controller`."""
    workers = 4

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.queue: WorkQueue[Key] = WorkQueue(self.name)
        self.recorder = EventRecorder(env.client, self.name)
        self._informers: list[Informer] = []

    def follow(
        self,
        gvr: GVR,
        changed: Callable[[Obj], None] | Handler | None = None,
        indexes: Mapping[str, IndexFunction] | None = None,
    ) -> IndexedStore:
        """Shares the informer of `gvr`, and waits for it before the first sync."""
        informer = self.env.informers.informer(gvr, indexes=indexes)
        self._informers.append(informer)
        if changed is not None:
            informer.add_handler(changed if isinstance(changed, Handler) else Handler.of(changed))
        return informer.store

    def enqueue(self, obj: Obj) -> None:
        self.queue.add(key_of(obj))

    def event(self, obj: Obj, type: EventType, reason: str, message: str) -> None:
        self.recorder.event(obj, type, reason, message)

    @abstractmethod
    async def sync(self, key: Key) -> float | None:
        """Brings `key` to its desired state; gives the seconds after which to look again, if any."""

    async def run(self) -> None:
        """Works until cancelled, from the moment all it needs to know is known."""
        for informer in self._informers:
            await informer.synced.wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.recorder.run())
            group.create_task(self.queue.run(self.sync, self.workers))


def namespace_terminating(error: StatusError) -> bool:
    """Whether a creation failed because the namespace goes away: nothing to retry, nothing to tell."""
    return any(cause.type == "NamespaceTerminating" for cause in error.causes)
