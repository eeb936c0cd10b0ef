"""Keeps the registry in step with the stored CustomResourceDefinitions, and their conditions with the registry.

Sources: k8s.io/apiextensions-apiserver `controller/status`, `establish`, `finalizer`, `apiapproval`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from typing import Final

from lateen.cluster.apiserver.crd.conditions import set_condition
from lateen.cluster.apiserver.crd.definition_kind import CLEANUP, DefinitionKind
from lateen.cluster.apiserver.crd.definition_validation import APPROVAL, is_protected
from lateen.cluster.apiserver.crd.kind import kinds_of
from lateen.cluster.apiserver.crd.naming import accept_names
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.conditions import is_true
from lateen.cluster.objects import GVR, Obj, annotations_of, deep_copy, key_of, metadata, name_of, timestamp
from lateen.cluster.status import StatusError

DEFINITIONS: Final = ("apiextensions.k8s.io", "customresourcedefinitions")
OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

_RETRY_SECONDS = 0.2

_log = logging.getLogger(__name__)


class DefinitionController:
    """`load()` before serving, then `run()` for as long as the server lives."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        schemas: BuiltinSchemas,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._store = store
        self._registry = registry
        self._meta = schemas.definition(OBJECT_META)
        self._now = now
        self._served: dict[str, list[GVR]] = {}
        self._specs: dict[str, Obj] = {}
        self._finalizing: set[str] = set()

    def load(self) -> None:
        """Gives definitions their own rules, and serves what was established before the server stopped."""
        plain = self._registry.get(GVR(DEFINITIONS[0], "v1", DEFINITIONS[1]))
        if plain is not None:
            self._registry.add(DefinitionKind(plain.resource, plain.schema, self._meta))
        for crd in self._store.list(DEFINITIONS).items:
            if is_true(crd, "Established"):
                self._serve(crd)

    async def run(self) -> None:
        """Follows the store until cancelled, or until the store closes."""
        async with asyncio.TaskGroup() as finalizers:
            while True:
                # All are looked at again after each change: definitions are few, and names depend on each other.
                with self._store.watch(DEFINITIONS) as watch:
                    try:
                        await self._sync_all(finalizers)
                        async for _ in watch:
                            while watch.take() is not None:
                                pass
                            await self._sync_all(finalizers)
                    except StatusError as error:
                        if error.code != 410:
                            raise
                        continue
                return

    async def _sync_all(self, finalizers: asyncio.TaskGroup) -> None:
        definitions = self._store.list(DEFINITIONS).items
        for name in set(self._served) - {name_of(crd) for crd in definitions}:
            self._withdraw(name)
        for crd in definitions:
            if metadata(crd).get("deletionTimestamp"):
                if is_true(crd, "Established"):
                    self._serve(crd)
                if name_of(crd) not in self._finalizing:
                    self._finalizing.add(name_of(crd))
                    finalizers.create_task(self._finalize(crd))
                continue
            try:
                await self._sync(crd)
            except StatusError as error:
                self._report(crd, error)

    def _report(self, crd: Obj, error: StatusError) -> None:
        # A conflict or a deletion meanwhile: the watch brings us back. Anything else is worth a line.
        if error.code not in (404, 409):
            _log.error("definition %s: %s", name_of(crd), error.message)

    async def _sync(self, crd: Obj) -> None:
        wanted = self._with_status(crd)
        if is_true(wanted, "Established"):
            # Served before it says so: a client that waits for Established must find it.
            self._serve(wanted)
        if wanted.get("status") != crd.get("status"):
            await self._store.update(DEFINITIONS, wanted, metadata(crd).get("resourceVersion"))

    def _with_status(self, crd: Obj) -> Obj:
        group = crd["spec"]["group"]
        others = [
            other
            for other in self._store.list(DEFINITIONS).items
            if other["spec"]["group"] == group and name_of(other) != name_of(crd)
        ]
        naming = accept_names(crd, others)
        wanted: Obj = deep_copy(crd)
        wanted.setdefault("status", {})["acceptedNames"] = naming.accepted
        now = timestamp(self._now())
        if is_protected(group) and (approval := annotations_of(crd).get(APPROVAL)):
            unapproved = approval.startswith("unapproved")
            set_condition(
                wanted,
                "KubernetesAPIApprovalPolicyConformant",
                "False" if unapproved else "True",
                "UnapprovedAnnotation" if unapproved else "ApprovedAnnotation",
                f'not approved: "{approval}"' if unapproved else f"approved in {approval}",
                now,
            )
        if naming.reason:
            set_condition(wanted, "NamesAccepted", "False", naming.reason, naming.message, now)
            if not is_true(wanted, "Established"):
                set_condition(wanted, "Established", "False", "NotAccepted", "not all names are accepted", now)
            return wanted
        set_condition(wanted, "NamesAccepted", "True", "NoConflicts", "no conflicts found", now)
        if not is_true(wanted, "Established"):
            message = "the initial names have been accepted"
            set_condition(wanted, "Established", "True", "InitialNamesAccepted", message, now)
        return wanted

    def _serve(self, crd: Obj) -> None:
        name = name_of(crd)
        spec = {
            "spec": crd["spec"],
            "names": (crd.get("status") or {}).get("acceptedNames"),
            "terminating": bool(metadata(crd).get("deletionTimestamp")),
        }
        if self._specs.get(name) == spec:
            return
        try:
            kinds = kinds_of(crd, self._meta)
        except (KeyError, ValueError, StopIteration) as error:
            # It was accepted once; a definition that today's code cannot read must not take the others down.
            _log.error("definition %s cannot be served: %r", name, error)
            return
        served = [kind.resource.gvr for kind in kinds]
        for gvr in self._served.get(name, ()):
            if gvr not in served:
                self._registry.remove(gvr)
        for kind in kinds:
            self._registry.add(kind)
        self._served[name] = served
        self._specs[name] = spec

    def _withdraw(self, name: str) -> None:
        for gvr in self._served.pop(name, ()):
            self._registry.remove(gvr)
        self._specs.pop(name, None)

    async def _finalize(self, crd: Obj) -> None:
        """Deletes the objects of a definition that is going, then lets it go."""
        key = key_of(crd)
        resource = (crd["spec"]["group"], crd["spec"]["names"]["plural"])
        try:
            while (current := self._store.get(DEFINITIONS, key)) is not None:
                if CLEANUP not in (metadata(current).get("finalizers") or ()):
                    return
                try:
                    if not await self._delete_instances(resource):
                        return
                    # What it is by now: the wait may have been long.
                    if (current := self._store.get(DEFINITIONS, key)) is not None:
                        await self._release(current)
                    return
                except StatusError as error:
                    self._report(crd, error)
                    await asyncio.sleep(_RETRY_SECONDS)
        finally:
            self._finalizing.discard(name_of(crd))

    async def _delete_instances(self, resource: tuple[str, str]) -> bool:
        """Waits until none is left; False when the store closed before that."""
        while self._store.count(resource):
            with self._store.watch(resource) as watch:
                for obj in self._store.list(resource).items:
                    await self._delete_instance(resource, obj)
                # What has finalizers stays until somebody has changed it.
                if self._store.count(resource) and watch.empty and await anext(watch, None) is None:
                    return False
        return True

    async def _release(self, crd: Obj) -> None:
        done: Obj = deep_copy(crd)
        left_over = [finalizer for finalizer in metadata(done).get("finalizers") or () if finalizer != CLEANUP]
        now = timestamp(self._now())
        set_condition(done, "Terminating", "False", "InstanceDeletionCompleted", "removed all instances", now)
        version = metadata(crd).get("resourceVersion")
        if left_over:
            done["metadata"]["finalizers"] = left_over
            await self._store.update(DEFINITIONS, done, version)
            return
        done["metadata"].pop("finalizers", None)
        self._withdraw(name_of(crd))
        await self._store.delete(DEFINITIONS, key_of(crd), version, done)

    async def _delete_instance(self, resource: tuple[str, str], obj: Obj) -> None:
        meta = metadata(obj)
        try:
            if not meta.get("finalizers"):
                await self._store.delete(resource, key_of(obj), meta.get("resourceVersion"))
            elif not meta.get("deletionTimestamp"):
                terminating = deep_copy(obj)
                terminating["metadata"]["deletionTimestamp"] = timestamp(self._now())
                terminating["metadata"]["deletionGracePeriodSeconds"] = 0
                await self._store.update(resource, terminating, meta.get("resourceVersion"))
        except StatusError as error:
            if error.code not in (404, 409):
                raise
