"""Namespaces: what is in a deleted one goes first, then the namespace itself.

Source: k8s.io/kubernetes `pkg/controller/namespace/deletion`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from lateen.cluster import conditions
from lateen.cluster.client.api import METADATA_ONLY_LIST
from lateen.cluster.controllers.controller import Controller, Environment
from lateen.cluster.controllers.discovery import ServedResource, discover
from lateen.cluster.controllers.pods import is_deleting
from lateen.cluster.controllers.resources import NAMESPACES, PODS
from lateen.cluster.objects import GVR, Key, Obj, key_of, metadata, timestamp, uid_of
from lateen.cluster.status import StatusError

FINALIZER = "kubernetes"


class NamespaceController(Controller):
    """Empties namespaces that are being deleted."""

    name = "namespace-controller"

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.namespaces = self.follow(NAMESPACES, self.enqueue)

    async def sync(self, key: Key) -> float | None:
        namespace = self.namespaces.get(key)
        if namespace is None or not is_deleting(namespace):
            return None
        finalizers = (namespace.get("spec") or {}).get("finalizers") or []
        if FINALIZER not in finalizers:
            return None
        found = await discover(self.env.client)
        served = [r for r in found.resources if r.namespaced and {"list", "delete"} <= r.verbs]
        results = await asyncio.gather(*(self._empty(resource, key.name) for resource in _in_order(served)))
        remaining = {r.gvr: left for r, left, _ in results if left}
        failures = [error for _, _, error in results if error is not None]
        status = deletion_status(namespace, found.complete, remaining, failures, timestamp(self.env.now()))
        if status != namespace.get("status"):
            namespace = await self._write_status(namespace, status)
        if failures or not found.complete:
            raise failures[0] if failures else StatusError(503, "ServiceUnavailable", "discovery failed")
        if remaining:
            # Pods take their grace, finalizers take what they take.
            return 0.2 if PODS in remaining else 0.5
        await self._finalize(namespace, [f for f in finalizers if f != FINALIZER])
        return None

    async def _empty(
        self, resource: ServedResource, namespace: str
    ) -> tuple[ServedResource, list[Obj], StatusError | None]:
        """Deletes what is not being deleted yet: gives what is left then."""
        try:
            found = await self.env.client.list(resource.gvr, namespace, accept=METADATA_ONLY_LIST)
            if any(not is_deleting(obj) for obj in found.items):
                if "deletecollection" in resource.verbs:
                    await self.env.client.delete_collection(resource.gvr, namespace, propagation="Background")
                else:
                    for obj in found.items:
                        await self._delete(resource, obj)
                found = await self.env.client.list(resource.gvr, namespace, accept=METADATA_ONLY_LIST)
        except StatusError as error:
            if error.code in (404, 405):
                return resource, [], None
            return resource, [], error
        return resource, found.items, None

    async def _delete(self, resource: ServedResource, obj: Obj) -> None:
        try:
            await self.env.client.delete(resource.gvr, key_of(obj), propagation="Background", uid=uid_of(obj))
        except StatusError as error:
            if error.code not in (404, 409):
                raise

    async def _write_status(self, namespace: Obj, status: Obj) -> Obj:
        try:
            return await self.env.update_status(NAMESPACES, namespace, status)
        except StatusError as error:
            if error.code == 409:
                return await self.env.client.get(NAMESPACES, key_of(namespace))
            raise

    async def _finalize(self, namespace: Obj, finalizers: list[str]) -> None:
        wanted = {**namespace, "spec": {**(namespace.get("spec") or {}), "finalizers": finalizers}}
        try:
            await self.env.client.update(NAMESPACES, wanted, subresource="finalize")
        except StatusError as error:
            if error.code != 404:
                raise


def _in_order(resources: Sequence[ServedResource]) -> list[ServedResource]:
    """Events last: they tell how the rest went."""
    return sorted(resources, key=lambda r: r.gvr.plural == "events")


def deletion_status(
    namespace: Obj, discovered: bool, remaining: Mapping[GVR, Sequence[Obj]], failures: Sequence[StatusError], now: str
) -> Obj:
    """Phase Terminating, and conditions that say what the deletion waits for."""
    status = {**(namespace.get("status") or {}), "phase": "Terminating"}
    found = status.get("conditions")

    def say(type: str, holds: bool, good: tuple[str, str], bad: tuple[str, str]) -> None:
        nonlocal found
        reason, message = bad if holds else good
        found = conditions.with_condition(found, type, "True" if holds else "False", reason, message, now)

    failed = "; ".join(sorted(f.message for f in failures))
    objects = [obj for left in remaining.values() for obj in left]
    finalizers = Counter(f for obj in objects for f in metadata(obj).get("finalizers") or ())
    say(
        "NamespaceDeletionDiscoveryFailure",
        not discovered,
        ("ResourcesDiscovered", "All resources successfully discovered"),
        ("DiscoveryFailed", "Discovery failed for some groups"),
    )
    say(
        "NamespaceDeletionGroupVersionParsingFailure",
        False,
        ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ("", ""),
    )
    say(
        "NamespaceDeletionContentFailure",
        bool(failures),
        ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
        ("ContentDeletionFailed", f"Failed to delete all resource types, {len(failures)} remaining: {failed}"),
    )
    counts = ", ".join(
        sorted(f"{_qualified(gvr)} has {len(left)} resource instances" for gvr, left in remaining.items())
    )
    say(
        "NamespaceContentRemaining",
        bool(objects),
        ("ContentRemoved", "All content successfully removed"),
        ("SomeResourcesRemain", f"Some resources are remaining: {counts}"),
    )
    waits = ", ".join(sorted(f"{name} in {count} resource instances" for name, count in finalizers.items()))
    say(
        "NamespaceFinalizersRemaining",
        bool(finalizers),
        ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
        ("SomeFinalizersRemain", f"Some content in the namespace has finalizers remaining: {waits}"),
    )
    return {**status, "conditions": found}


def _qualified(gvr: GVR) -> str:
    return f"{gvr.plural}.{gvr.group}"
