"""What every write goes through between decoding and the store: defaults, ownership, admission, validation."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.kinds.metadata_validation import validate_metadata
from lateen.cluster.apiserver.patch.server_side_apply import track
from lateen.cluster.apiserver.request import Context
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Obj, deep_copy, metadata, name_of, timestamp
from lateen.cluster.status import Cause, invalid


class Admission(Protocol):
    """`admission.chain.Admission`. `op` is CREATE, UPDATE, DELETE or CONNECT."""

    async def mutate(self, op: str, obj: Obj, old: Obj | None, ctx: Context, kind: Kind) -> Obj: ...

    async def validate(self, op: str, obj: Obj | None, old: Obj | None, ctx: Context, kind: Kind) -> None: ...


@dataclass(frozen=True, slots=True)
class Strategy:
    """What a subresource lets a write change, and which rules it keeps.

    `prepare(obj, old, ctx)` changes `obj` in place and must be idempotent; `validate(obj, old, ctx)` finds faults.
    """

    prepare: Callable[[Obj, Obj, Context], None]
    validate: Callable[[Obj, Obj, Context], Sequence[Cause]]


def strategy_of(kind: Kind, subresource: str) -> Strategy:
    """Writes to `status` change the status alone; all others are held to what a plain update may change."""
    if subresource == "status":
        return Strategy(kind.prepare_status_update, kind.validate_status_update)
    return Strategy(kind.prepare_update, kind.validate_update)


_KEPT_BY_UPDATES = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "generateName",
)
"""Metadata that a write cannot change: an update that leaves it out, or sets it, gets what was there."""

_OMITTED_WHEN_EMPTY = ("annotations", "labels", "finalizers", "ownerReferences", "managedFields")
"""Metadata that is a list or a map: to Kubernetes an empty one is a field that is not there."""


@dataclass(frozen=True, slots=True)
class WritePipeline:
    """Turns what a client wants into what the store gets. Objects passed in are changed in place."""

    store: Store
    admission: Admission
    now: Callable[[], dt.datetime]

    async def create(
        self, kind: Kind, obj: Obj, ctx: Context, *, tracked: bool
    ) -> tuple[Obj, Callable[[], None] | None]:
        """The object to store, and how to undo what was allocated for it. Raises StatusError.

        `tracked` says that managedFields are right already.
        """
        meta = obj["metadata"]
        for field in ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion"):
            meta.pop(field, None)
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = timestamp(self.now())
        _drop_empty(meta)
        kind.default(obj)
        if not tracked:
            self._track(kind, None, obj, ctx, "")
        obj = await self.admission.mutate("CREATE", obj, None, ctx, kind)
        _drop_empty(obj["metadata"])
        kind.default(obj)
        kind.prepare_create(obj, ctx)
        undo = await kind.allocate(obj, None, self.store, ctx.dry_run)
        try:
            causes = validate_metadata(obj, namespaced=kind.resource.namespaced, name_rule=kind.validate_name)
            self._refuse(kind, obj, [*causes, *(kind.validate_schema(obj, None) or kind.validate_create(obj, ctx))])
            self._warn(kind, obj, ctx)
            await self.admission.validate("CREATE", obj, None, ctx, kind)
        except BaseException:
            if undo is not None:
                undo()
            raise
        return obj, undo

    async def update(
        self, kind: Kind, obj: Obj, old: Obj, ctx: Context, subresource: str, strategy: Strategy, *, tracked: bool
    ) -> tuple[Obj, Callable[[], None] | None]:
        """As `create`, for an object that replaces `old`."""
        self._keep(obj, old)
        kind.default(obj)
        strategy.prepare(obj, old, ctx)
        if not tracked:
            self._track(kind, old, obj, ctx, subresource)
        obj = await self.admission.mutate("UPDATE", obj, old, ctx, kind)
        self._keep(obj, old)
        kind.default(obj)
        strategy.prepare(obj, old, ctx)
        undo = None if subresource == "status" else await kind.allocate(obj, old, self.store, ctx.dry_run)
        try:
            causes = validate_metadata(obj, namespaced=kind.resource.namespaced, name_rule=kind.validate_name, old=old)
            self._refuse(kind, obj, [*causes, *(kind.validate_schema(obj, old) or strategy.validate(obj, old, ctx))])
            if subresource != "status":
                self._warn(kind, obj, ctx)
            await self.admission.validate("UPDATE", obj, old, ctx, kind)
        except BaseException:
            if undo is not None:
                undo()
            raise
        return obj, undo

    async def connect(self, kind: Kind, options: Obj, ctx: Context) -> Obj:
        """The options of a connection, which is admitted like a write though nothing is stored."""
        options = await self.admission.mutate("CONNECT", options, None, ctx, kind)
        await self.admission.validate("CONNECT", options, None, ctx, kind)
        return options

    def _keep(self, obj: Obj, old: Obj) -> None:
        meta, before = obj["metadata"], metadata(old)
        meta.pop("selfLink", None)
        for field in _KEPT_BY_UPDATES:
            if field in before:
                meta[field] = before[field]
            else:
                meta.pop(field, None)
        _drop_empty(meta)

    def _track(self, kind: Kind, old: Obj | None, obj: Obj, ctx: Context, subresource: str) -> None:
        # What a write to the object itself cannot change is not owned by its writer either.
        hidden = "status" if kind.has_status and subresource != "status" else ""
        before = None if old is None else {k: v for k, v in old.items() if k != hidden}
        after = {k: v for k, v in obj.items() if k != hidden}
        api_version = kind.resource.gvk.api_version
        entries = track(before, after, kind.schema, ctx.manager, api_version, subresource, timestamp(self.now()))
        if entries:
            obj["metadata"]["managedFields"] = entries
        else:
            obj["metadata"].pop("managedFields", None)

    def _refuse(self, kind: Kind, obj: Obj, causes: Sequence[Cause]) -> None:
        if causes:
            raise invalid(kind.resource.gvr.group, kind.resource.kind, name_of(obj), causes)

    def _warn(self, kind: Kind, obj: Obj, ctx: Context) -> None:
        for message in kind.warnings(obj):
            ctx.warn(message)


def owned_copy(obj: Obj) -> Obj:
    """A copy that may be changed, with metadata as a dict."""
    copy: Obj = deep_copy(obj)
    if not isinstance(copy.get("metadata"), dict):
        copy["metadata"] = {}
    return copy


def _drop_empty(meta: Obj) -> None:
    for field in _OMITTED_WHEN_EMPTY:
        if field in meta and not meta[field]:
            del meta[field]
