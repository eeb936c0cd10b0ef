"""An API client without a server: objects in memory, lists and watches of them. What the node needs, no more."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator
from typing import Any

from lateen.cluster.client.api import Client, ObjectList
from lateen.cluster.client.credentials import Endpoint
from lateen.cluster.client.watch import WatchEvent
from lateen.cluster.objects import GVR, Key, Obj, deep_copy, key_of
from lateen.cluster.status import conflict, not_found


class _Watch:
    def __init__(self, api: MemoryApi, gvr: GVR, namespace: str, fields: str) -> None:
        self._queue: asyncio.Queue[WatchEvent] = asyncio.Queue()
        self._wanted = (gvr, namespace, fields)
        self._api = api

    async def __aenter__(self) -> _Watch:
        self._api.watches.append(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._api.watches.remove(self)

    def tell(self, gvr: GVR, kind: Any, obj: Obj) -> None:
        wanted, namespace, fields = self._wanted
        if gvr == wanted and namespace in ("", key_of(obj).namespace) and _selected(obj, fields):
            self._queue.put_nowait(WatchEvent(kind, deep_copy(obj)))

    async def batches(self) -> AsyncIterator[list[WatchEvent]]:
        while True:
            yield [await self._queue.get()]


def _selected(obj: Obj, fields: str) -> bool:
    if not fields:
        return True
    path, _, value = fields.partition("=")
    found: Any = obj
    for part in path.split("."):
        found = (found or {}).get(part)
    return bool(found == value)


class MemoryApi(Client):
    """Stands in for a `Client` of a real server."""

    def __init__(self) -> None:
        super().__init__(Endpoint("http://nowhere.invalid"))
        self.objects: dict[GVR, dict[Key, Obj]] = {}
        self.watches: list[_Watch] = []
        self.events: list[Obj] = []
        self.revision = 0
        self.changed = asyncio.Condition()

    def _store(self, gvr: GVR, obj: Obj, kind: str) -> Obj:
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        self.objects.setdefault(gvr, {})[key_of(obj)] = obj
        for watch in list(self.watches):
            watch.tell(gvr, kind, obj)
        copy: Obj = deep_copy(obj)
        return copy

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def get(self, gvr: GVR, key: Key, **_: Any) -> Obj:
        found = self.objects.get(gvr, {}).get(key)
        if found is None:
            raise not_found(gvr.group, gvr.plural, key.name)
        copy: Obj = deep_copy(found)
        return copy

    async def list(self, gvr: GVR, namespace: str = "", *, fields: str = "", **_: Any) -> ObjectList:
        found = [o for o in self.objects.get(gvr, {}).values() if namespace in ("", key_of(o).namespace)]
        return ObjectList([deep_copy(o) for o in found if _selected(o, fields)], str(self.revision))

    def watch(self, gvr: GVR, namespace: str = "", *, fields: str = "", **_: Any) -> Any:
        return _Watch(self, gvr, namespace, fields)

    async def create(self, gvr: GVR, obj: Obj, **_: Any) -> Obj:
        obj = deep_copy(obj)
        if gvr.plural == "events":
            self.events.append(obj)
            await self._notify()
            return obj
        obj["metadata"].setdefault("uid", str(uuid.uuid4()))
        created = self._store(gvr, obj, "ADDED")
        await self._notify()
        return created

    async def create_subresource(self, gvr: GVR, key: Key, subresource: str, obj: Obj) -> Obj:
        assert subresource == "token"
        expires = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=obj["spec"]["expirationSeconds"])
        stamp = expires.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"status": {"token": f"token-of-{key.name}-{self.revision}", "expirationTimestamp": stamp}}

    async def update(self, gvr: GVR, obj: Obj, **_: Any) -> Obj:
        updated = self._store(gvr, deep_copy(obj), "MODIFIED")
        await self._notify()
        return updated

    async def patch(self, gvr: GVR, key: Key, patch: Any, **_: Any) -> Obj:
        if gvr.plural == "events":
            return {}
        obj = await self.get(gvr, key)
        if (patch.get("metadata") or {}).get("uid") not in (None, obj["metadata"]["uid"]):
            raise conflict(gvr.group, gvr.plural, key.name)
        status = dict(patch.get("status") or {})
        for name in ("podIPs", "hostIPs"):
            if name in status:
                status[name] = [entry for entry in status[name] if "$patch" not in entry]
        obj["status"] = (obj.get("status") or {}) | status
        patched = self._store(gvr, obj, "MODIFIED")
        await self._notify()
        return patched

    async def delete(self, gvr: GVR, key: Key, *, grace_seconds: int | None = None, uid: str = "", **_: Any) -> Obj:
        """A pod goes when its grace period is 0; otherwise it is only marked."""
        obj = await self.get(gvr, key)
        if gvr.plural == "pods" and grace_seconds != 0:
            grace = obj["spec"].get("terminationGracePeriodSeconds", 30) if grace_seconds is None else grace_seconds
            obj["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": grace}
            return await self.update(gvr, obj)
        del self.objects[gvr][key]
        for watch in list(self.watches):
            watch.tell(gvr, "DELETED", obj)
        await self._notify()
        return obj

    async def delete_pod(self, key: Key, grace_seconds: int | None = None) -> None:
        """As a user deletes a pod: marked for deletion, or gone at once with 0."""
        await self.delete(GVR("", "v1", "pods"), key, grace_seconds=grace_seconds)
