"""The loop that follows every deletable resource, those of definitions that come later too."""

from __future__ import annotations

import asyncio
import logging

from lateen.cluster.client.api import METADATA_ONLY
from lateen.cluster.client.informer import Handler, Informer
from lateen.cluster.controllers.controller import Controller, Environment
from lateen.cluster.controllers.discovery import Discovered, ServedResource, discover
from lateen.cluster.controllers.garbage.decision import Delete, DropOwners, Fate, decide
from lateen.cluster.controllers.garbage.graph import FOREGROUND, ORPHAN, Graph, Node, node_of
from lateen.cluster.controllers.resources import DEFINITIONS
from lateen.cluster.objects import GVR, Key, Obj, metadata, owner_references, uid_of
from lateen.cluster.status import StatusError

_log = logging.getLogger(__name__)
_SETTLE_SECONDS = 0.2
_REDISCOVER_SECONDS = 60.0
_UNSEEN_OWNER_SECONDS = 1.0
"""The watch that brings a new object can be ahead of the one that brings its owner."""


class GarbageCollector(Controller):
    """Deletes objects whose owners are gone; carries out foreground and orphaning deletions. Keys are UIDs."""

    name = "garbage-collector-controller"
    workers = 16

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self._graph = Graph()
        self._served = Discovered((), {}, False)
        self._followed: dict[GVR, tuple[ServedResource, Informer, Handler]] = {}
        self._stale = asyncio.Event()
        self._ready = False
        self.follow(DEFINITIONS, lambda _definition: self._stale.set())

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._discover_forever())
            group.create_task(super().run())

    # --- what is served --------------------------------------------------------------------------------------

    async def _discover_forever(self) -> None:
        while True:
            self._stale.clear()
            try:
                await self._follow_served(await discover(self.env.client))
            except StatusError as error:
                _log.debug("discovery failed: %s", error)
                self._stale.set()
            try:
                async with asyncio.timeout(_REDISCOVER_SECONDS):
                    await self._stale.wait()
            except TimeoutError:
                pass
            # A bundle of definitions comes one by one, and each is established a moment after it is written.
            await asyncio.sleep(_SETTLE_SECONDS)

    async def _follow_served(self, served: Discovered) -> None:
        self._served = served
        wanted = {r.gvr: r for r in served.resources if {"list", "watch", "delete"} <= r.verbs}
        wanted = {gvr: r for gvr, r in wanted.items() if gvr.plural != "events"}
        if served.complete:
            for gvr in [g for g in self._followed if g not in wanted]:
                self._unfollow(gvr)
        for gvr, resource in wanted.items():
            if gvr not in self._followed:
                self._follow_resource(resource)
        if not self._ready and served.complete:
            for _, informer, _ in list(self._followed.values()):
                await informer.synced.wait()
            self._ready = True

    def _follow_resource(self, resource: ServedResource) -> None:
        # The full objects that another controller keeps serve as well; else their metadata will do.
        informers = self.env.informers
        informer = informers.find(resource.gvr) or informers.informer(resource.gvr, metadata_only=True)

        def put(obj: Obj) -> None:
            for uid in self._graph.put(node_of(resource, obj)):
                self.queue.add_after(Key("", uid), _UNSEEN_OWNER_SECONDS if self._owner_unseen(uid) else 0)

        def remove(obj: Obj) -> None:
            for uid in self._graph.remove(uid_of(obj)):
                self.queue.add(Key("", uid))

        handler = Handler(put, lambda _old, new: put(new), remove)
        self._followed[resource.gvr] = (resource, informer, handler)
        informer.add_handler(handler)

    def _unfollow(self, gvr: GVR) -> None:
        _, informer, handler = self._followed.pop(gvr)
        informer.remove_handler(handler)
        for obj in informer.store.list():
            handler.deleted(obj)
        if informer is not self.env.informers.find(gvr):
            self.env.informers.drop(informer)

    def _owner_unseen(self, uid: str) -> bool:
        node = self._graph.get(uid)
        return node is not None and not node.deleting

    # --- one object ------------------------------------------------------------------------------------------

    async def sync(self, key: Key) -> float | None:
        if not self._ready:
            return 0.1
        node = self._graph.get(key.name)
        if node is None:
            return None
        if node.orphans_dependents:
            await self._orphan(node)
        elif node.deletes_dependents:
            await self._delete_dependents(node)
        elif not node.deleting and node.owners:
            await self._collect(node)
        return None

    async def _collect(self, node: Node) -> None:
        fates = [(owner, await self._fate(node, owner)) for owner in node.owners]
        action = decide(node, fates, self._graph.dependents(node.uid))
        if action is None:
            return
        live = await self._live(node)
        if live is None:
            return
        if tuple(owner_references(live)) != node.owners:
            # Somebody gave it other owners: look again when the watch says so.
            self._graph.put(node_of(node.resource, live))
            self.queue.add(Key("", node.uid))
            return
        if isinstance(action, DropOwners):
            await self._patch(node, {"ownerReferences": list(action.keep)}, live)
        else:
            await self._delete(node, action, live)

    async def _delete(self, node: Node, action: Delete, live: Obj) -> None:
        try:
            await self.env.client.delete(
                node.resource.gvr,
                node.key,
                propagation=action.propagation,
                uid=node.uid,
                resource_version=str(metadata(live).get("resourceVersion") or ""),
            )
        except StatusError as error:
            if error.code != 404:
                raise

    async def _fate(self, node: Node, owner: Obj) -> Fate:
        uid = str(owner.get("uid") or "")
        known = self._graph.get(uid)
        if known is not None:
            return Fate.WAITING if known.deletes_dependents else Fate.SOLID
        served = self._served.kinds.get((str(owner.get("apiVersion")), str(owner.get("kind"))))
        if served is None:
            # Not served now; that its kind is unknown does not prove that the owner is gone.
            self._stale.set()
            raise StatusError(
                404, "NotFound", f"owner kind {owner.get('apiVersion')} {owner.get('kind')} is not served"
            )
        if served.namespaced and not node.key.namespace:
            # A cluster-scoped object cannot be owned by one in a namespace: no reason to delete it.
            return Fate.SOLID
        namespace = node.key.namespace if served.namespaced else ""
        try:
            live = await self.env.client.get(served.gvr, Key(namespace, str(owner.get("name"))), accept=METADATA_ONLY)
        except StatusError as error:
            if error.code == 404:
                return Fate.ABSENT
            raise
        if uid_of(live) != uid:
            return Fate.ABSENT
        waiting = metadata(live).get("deletionTimestamp") and FOREGROUND in (metadata(live).get("finalizers") or ())
        return Fate.WAITING if waiting else Fate.SOLID

    async def _delete_dependents(self, node: Node) -> None:
        dependents = self._graph.dependents(node.uid)
        if not any(d.blocks(node.uid) for d in dependents):
            await self._drop_finalizer(node, FOREGROUND)
            return
        for dependent in dependents:
            if not dependent.deleting:
                self.queue.add(Key("", dependent.uid))

    async def _orphan(self, node: Node) -> None:
        for dependent in self._graph.dependents(node.uid):
            live = await self._live(dependent)
            if live is not None:
                rest = [o for o in owner_references(live) if o.get("uid") != node.uid]
                await self._patch(dependent, {"ownerReferences": rest or None}, live)
        await self._drop_finalizer(node, ORPHAN)

    async def _drop_finalizer(self, node: Node, finalizer: str) -> None:
        live = await self._live(node)
        if live is None:
            return
        present = metadata(live).get("finalizers") or []
        if finalizer in present:
            await self._patch(node, {"finalizers": [f for f in present if f != finalizer] or None}, live)

    async def _live(self, node: Node) -> Obj | None:
        """The object's metadata as it is now; None when it is gone or a namesake has its place."""
        try:
            live = await self.env.client.get(node.resource.gvr, node.key, accept=METADATA_ONLY)
        except StatusError as error:
            if error.code == 404:
                return None
            raise
        return live if uid_of(live) == node.uid else None

    async def _patch(self, node: Node, changes: Obj, live: Obj) -> None:
        meta = {"uid": node.uid, "resourceVersion": metadata(live).get("resourceVersion"), **changes}
        try:
            await self.env.client.patch(node.resource.gvr, node.key, {"metadata": meta})
        except StatusError as error:
            if error.code != 404:
                raise
