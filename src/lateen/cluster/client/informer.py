"""A local, always fresh copy of a collection: list once, then follow the watch.

What client-go's reflector and shared informer do: bookmarks keep the resource version fresh, `410 Gone` and an
unknown revision lead to a new list whose difference to the copy is delivered as ordinary changes, a lost server is
called again with jittered back-off. Handlers see every object's changes in order and exactly as the copy takes them.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lateen.cluster.client.api import METADATA_ONLY, METADATA_ONLY_LIST, Client
from lateen.cluster.client.backoff import Backoff
from lateen.cluster.client.indexed_store import IndexedStore, IndexFunction
from lateen.cluster.client.watch import WatchEvent
from lateen.cluster.objects import GVR, Obj, key_of, metadata
from lateen.cluster.status import StatusError

_log = logging.getLogger(__name__)


def _ignore(_obj: Obj) -> None:
    return None


def _ignore_update(_old: Obj, _new: Obj) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Handler:
    """Called synchronously with each change: put a key into a queue and return. Must not await nor block."""

    added: Callable[[Obj], None] = _ignore
    updated: Callable[[Obj, Obj], None] = _ignore_update
    deleted: Callable[[Obj], None] = _ignore

    @staticmethod
    def of(changed: Callable[[Obj], None]) -> Handler:
        """One function for the new state of whatever changed (for a deletion, the last known state)."""
        return Handler(changed, lambda _old, new: changed(new), changed)


def without_managed_fields(obj: Obj) -> Obj:
    """Drops what no controller reads and what is a third of an object's memory."""
    metadata(obj).pop("managedFields", None)
    return obj


def only_metadata(obj: Obj) -> Obj:
    """What a garbage collector needs: also when the server sends more than was asked for."""
    meta = metadata(obj)
    kept = ("name", "namespace", "uid", "resourceVersion", "deletionTimestamp", "finalizers", "ownerReferences")
    return {"metadata": {k: meta[k] for k in kept if k in meta}}


class Informer:
    """Lists and watches one resource. `synced` is set once the first list is in the store.

    `transform` may change and must return the object that was just decoded: nobody else has it yet.
    """

    def __init__(
        self,
        client: Client,
        gvr: GVR,
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        indexes: Mapping[str, IndexFunction] | None = None,
        transform: Callable[[Obj], Obj] = without_managed_fields,
        metadata_only: bool = False,
    ) -> None:
        self.gvr = gvr
        self.store = IndexedStore(indexes)
        self.synced = asyncio.Event()
        self.resource_version = ""
        self._client = client
        self._namespace = namespace
        self._labels = labels
        self._fields = fields
        self._transform = only_metadata if metadata_only else transform
        self._metadata_only = metadata_only
        self._handlers: list[Handler] = []

    def add_handler(self, handler: Handler) -> None:
        """Adds a handler; it is first told of every object that is there already."""
        self._handlers.append(handler)
        for obj in self.store.list():
            _call(handler.added, obj)

    def remove_handler(self, handler: Handler) -> None:
        self._handlers.remove(handler)

    def observe(self, obj: Obj) -> None:
        """Takes the result of a write of our own before the watch brings it, so that one reads what one wrote.

        Nothing happens when the watch is past that write already: the copy then knows what became of it.
        """
        revision = str(metadata(obj).get("resourceVersion") or "")
        if not revision.isdigit() or not self.resource_version.isdigit():
            return
        known = metadata(self.store.get(key_of(obj)) or {}).get("resourceVersion", "0")
        if int(revision) > max(int(self.resource_version), int(known)):
            self._put(self._transform(obj))

    async def run(self) -> None:
        """Follows the collection until cancelled."""
        backoff = Backoff(0.05, 5.0)
        while True:
            try:
                if not self.resource_version:
                    await self._list()
                await self._watch(backoff)
                continue
            except StatusError as error:
                if error.code == 410 or "resource version" in error.message.lower():
                    # Too old, or from the future of a server that lost its past: start over.
                    self.resource_version = ""
                    level = logging.DEBUG
                else:
                    # A server that is away is told of by its clients' other calls.
                    level = logging.DEBUG if error.code in (503, 504) or backoff.attempts != 3 else logging.WARNING
                    if 400 <= error.code < 500:
                        self.resource_version = ""
                _log.log(level, "informer of %s: %s", self.gvr.plural, error)
            await asyncio.sleep(backoff.next())

    async def _list(self) -> None:
        found = await self._client.list(
            self.gvr,
            self._namespace,
            labels=self._labels,
            fields=self._fields,
            accept=METADATA_ONLY_LIST if self._metadata_only else "",
        )
        fresh = {key_of(obj): obj for obj in found.items}
        for obj in self.store.list():
            if key_of(obj) not in fresh:
                self._remove(obj)
        for obj in fresh.values():
            self._put(self._transform(obj))
        self.resource_version = found.resource_version
        self.synced.set()

    async def _watch(self, backoff: Backoff) -> None:
        async with self._client.watch(
            self.gvr,
            self._namespace,
            labels=self._labels,
            fields=self._fields,
            resource_version=self.resource_version,
            # Spread, so that the watches of one process do not all end at once.
            timeout_seconds=random.randint(300, 600),
            accept=METADATA_ONLY if self._metadata_only else "",
        ) as watch:
            async for batch in watch.batches():
                backoff.reset()
                for event in batch:
                    self._take(event)
        # A server that ends watches at once must not be called in a tight loop.
        if backoff.attempts:
            await asyncio.sleep(backoff.next())
        else:
            backoff.attempts = 1

    def _take(self, event: WatchEvent) -> None:
        revision = str(metadata(event.object).get("resourceVersion") or "")
        match event.type:
            case "ADDED" | "MODIFIED":
                self._put(self._transform(event.object))
            case "DELETED":
                self._remove(self._transform(event.object))
        if revision:
            self.resource_version = revision

    def _put(self, obj: Obj) -> None:
        known = self.store.get(key_of(obj))
        if known is not None and _newer(known, obj):
            return
        old = self.store.put(obj)
        if old is None:
            for handler in tuple(self._handlers):
                _call(handler.added, obj)
            return
        before, after = metadata(old), metadata(obj)
        if before.get("resourceVersion") == after.get("resourceVersion") and before.get("uid") == after.get("uid"):
            return
        if before.get("uid") != after.get("uid"):
            # Deleted and created again while nobody looked.
            for handler in tuple(self._handlers):
                _call(handler.deleted, old)
                _call(handler.added, obj)
            return
        for handler in tuple(self._handlers):
            _call_update(handler.updated, old, obj)

    def _remove(self, obj: Obj) -> None:
        if self.store.remove(key_of(obj)) is None:
            return
        for handler in tuple(self._handlers):
            _call(handler.deleted, obj)


def _newer(known: Obj, obj: Obj) -> bool:
    """Whether a write of our own, taken before the watch brought it, is later than what the watch brings."""
    ours, theirs = metadata(known).get("resourceVersion", ""), metadata(obj).get("resourceVersion", "")
    same = metadata(known).get("uid") == metadata(obj).get("uid")
    return bool(same and ours.isdigit() and theirs.isdigit() and int(ours) > int(theirs))


def _call(function: Callable[[Obj], None], obj: Obj) -> None:
    try:
        function(obj)
    except Exception:
        # One handler's fault must not cost the others their event.
        _log.exception("informer handler failed on %s", key_of(obj))


def _call_update(function: Callable[[Obj, Obj], None], old: Obj, new: Obj) -> None:
    try:
        function(old, new)
    except Exception:
        _log.exception("informer handler failed on %s", key_of(new))
