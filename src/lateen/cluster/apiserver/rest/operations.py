"""The verbs on stored objects, for REST handlers and for parts of the server itself: the whole pipeline each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.patch import json_patch, merge_patch, server_side_apply, strategic
from lateen.cluster.apiserver.patch.patch_type import PatchType
from lateen.cluster.apiserver.request import Context
from lateen.cluster.apiserver.rest import deletion
from lateen.cluster.apiserver.rest.deletion import Deleted
from lateen.cluster.apiserver.rest.incoming import check_identity, check_kind, decode, decode_patched
from lateen.cluster.apiserver.rest.name_generator import ATTEMPTS, generate_name
from lateen.cluster.apiserver.rest.options import DeleteOptions, ListOptions, require_field_manager
from lateen.cluster.apiserver.rest.selection import select
from lateen.cluster.apiserver.rest.write_pipeline import Strategy, WritePipeline, owned_copy, strategy_of
from lateen.cluster.objects import Key, Obj, key_of, metadata, timestamp
from lateen.cluster.status import StatusError, already_exists, conflict, invalid, invalid_value, not_found

_RETRIES = 10
"""How often a write that names no resourceVersion is tried again when others write to the same object."""


def _allowed() -> None:
    """For parts of the server itself, which may create."""


Change = Callable[[Obj], Obj]
"""Gets a copy of the live object in the kind's version, returns it (or another) as wanted. Raises StatusError."""


class Operations:
    """Objects given and returned are in the version of the `Kind` that is passed. Errors are StatusErrors."""

    def __init__(self, pipeline: WritePipeline) -> None:
        self._pipeline = pipeline
        self._store = pipeline.store

    # --- reading ---------------------------------------------------------------------------------------------

    def get(self, kind: Kind, key: Key) -> Obj:
        """The object. Shared: never change it. Raises NotFound."""
        stored = self._store.get(kind.storage, key)
        if stored is None:
            raise not_found(kind.resource.gvr.group, kind.resource.gvr.plural, key.name)
        return kind.from_storage(stored)

    def list(self, kind: Kind, namespace: str = "") -> list[Obj]:
        """All objects of a namespace, or of all namespaces. Shared: never change them."""
        return [kind.from_storage(obj) for obj in self._store.list(kind.storage, namespace).items]

    async def connect(self, kind: Kind, options: Obj, ctx: Context) -> Obj:
        """What a connection to an object asks for (`PodExecOptions`), as admission lets it through."""
        return await self._pipeline.connect(kind, options, ctx)

    # --- writing ---------------------------------------------------------------------------------------------

    async def create(self, kind: Kind, obj: Obj, ctx: Context) -> Obj:
        """Creates the object, which is taken over and changed. Its namespace is the context's where it has none."""
        check_kind(kind, obj)
        check_identity(kind, obj, ctx.info.namespace or metadata(obj).get("namespace") or "", "")
        if metadata(obj).get("resourceVersion"):
            raise StatusError(500, "", "resourceVersion should not be set on objects to be created")
        prefix = metadata(obj).get("generateName")
        if metadata(obj).get("name") or not isinstance(prefix, str) or not prefix:
            return await self._create(kind, obj, ctx)
        for _ in range(ATTEMPTS):
            named = owned_copy(obj)
            named["metadata"]["name"] = generate_name(prefix)
            try:
                return await self._create(kind, named, ctx)
            except StatusError as error:
                if error.reason != "AlreadyExists":
                    raise
                last = error
        last.message += ", the server was not able to generate a unique name for the object"
        raise last

    async def _create(self, kind: Kind, obj: Obj, ctx: Context, *, tracked: bool = False) -> Obj:
        obj, undo = await self._pipeline.create(kind, obj, ctx, tracked=tracked)
        try:
            return await self._store_new(kind, obj, ctx)
        except Exception:
            # Not when cancelled: the write goes on then.
            if undo is not None:
                undo()
            raise

    async def _store_new(self, kind: Kind, obj: Obj, ctx: Context) -> Obj:
        stored = kind.to_storage(obj)
        if not ctx.dry_run:
            return kind.from_storage(await self._store.create(kind.storage, stored))
        if self._store.record(kind.storage, key_of(obj)) is not None:
            gvr = kind.resource.gvr
            raise already_exists(gvr.group, gvr.plural, key_of(obj).name)
        return obj

    async def update(
        self, kind: Kind, obj: Obj, ctx: Context, subresource: str = "", strategy: Strategy | None = None
    ) -> Obj:
        """Replaces the object (or what the subresource shows of it) by `obj`, which is taken over and changed."""
        updated, _ = await self.put(kind, obj, ctx, subresource, strategy)
        return updated

    async def put(
        self,
        kind: Kind,
        obj: Obj,
        ctx: Context,
        subresource: str = "",
        strategy: Strategy | None = None,
        *,
        may_create: Callable[[], None] | None = None,
    ) -> tuple[Obj, bool]:
        """As `update`. With `may_create`, which raises StatusError for who may not, an absent object is created.

        The second value says whether it was.
        """
        check_kind(kind, obj)
        wanted = owned_copy(obj)
        version = str(metadata(wanted).get("resourceVersion") or "")
        if may_create is not None and self._store.record(kind.storage, key_of(obj)) is None:
            may_create()
            if version:
                # Of an object that is gone.
                raise conflict(kind.resource.gvr.group, kind.resource.gvr.plural, key_of(obj).name)
            return await self._create(kind, wanted, ctx), True
        if not version and kind.custom:
            cause = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid(kind.resource.gvr.group, kind.resource.kind, key_of(obj).name, [cause])
        updated = await self.modify(
            kind, key_of(obj), lambda _: owned_copy(wanted), ctx, subresource, strategy, expected=version
        )
        return updated, False

    async def modify(
        self,
        kind: Kind,
        key: Key,
        change: Change,
        ctx: Context,
        subresource: str = "",
        strategy: Strategy | None = None,
        *,
        expected: str = "",
    ) -> Obj:
        """Replaces the object by what `change` makes of it; tries again when somebody else writes in between.

        With `expected`, or when the changed object names an older resourceVersion: Conflict instead.
        """
        strategy = strategy or strategy_of(kind, subresource)
        return await self._modify(kind, key, change, ctx, subresource, strategy, expected, tracked=False)

    async def _modify(
        self,
        kind: Kind,
        key: Key,
        change: Change,
        ctx: Context,
        subresource: str,
        strategy: Strategy,
        expected: str,
        *,
        tracked: bool,
    ) -> Obj:
        for attempt in range(_RETRIES):
            live = self.get(kind, key)
            wanted = change(owned_copy(live))
            named = expected or str(metadata(wanted).get("resourceVersion") or "")
            self._check_preconditions(kind, live, wanted, named)
            try:
                return await self._replace(kind, wanted, live, ctx, subresource, strategy, tracked=tracked)
            except StatusError as error:
                mine = named == metadata(live)["resourceVersion"] and expected
                if error.reason != "Conflict" or error.causes or mine or attempt == _RETRIES - 1:
                    raise
                if self._store.record(kind.storage, key) is None or not self._moved_on(kind, key, live):
                    raise
        raise conflict(kind.resource.gvr.group, kind.resource.gvr.plural, key.name)

    def _moved_on(self, kind: Kind, key: Key, live: Obj) -> bool:
        record = self._store.record(kind.storage, key)
        return record is not None and str(record.revision) != metadata(live)["resourceVersion"]

    def _check_preconditions(self, kind: Kind, live: Obj, wanted: Obj, version: str) -> None:
        group, plural, name = kind.resource.gvr.group, kind.resource.gvr.plural, key_of(live).name
        uid, found = metadata(wanted).get("uid"), metadata(live).get("uid")
        if uid and uid != found:
            detail = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found}"
            raise conflict(group, plural, name, detail)
        if version and version != metadata(live)["resourceVersion"]:
            raise conflict(group, plural, name)

    async def _replace(
        self, kind: Kind, wanted: Obj, live: Obj, ctx: Context, subresource: str, strategy: Strategy, *, tracked: bool
    ) -> Obj:
        version = metadata(live)["resourceVersion"]
        obj, undo = await self._pipeline.update(kind, wanted, live, ctx, subresource, strategy, tracked=tracked)
        obj["metadata"]["resourceVersion"] = version
        try:
            if obj == live:
                # Nothing changed: no new resourceVersion, no event.
                return live
            if ctx.dry_run:
                return obj
            stored = kind.to_storage(obj)
            if deletion.is_finished(kind, obj, live):
                removed = await self._store.delete(kind.storage, key_of(obj), version, final=stored)
                kind.released(kind.from_storage(removed))
                return kind.from_storage(removed)
            return kind.from_storage(await self._store.update(kind.storage, stored, version))
        except Exception:
            if undo is not None:
                undo()
            raise

    async def patch(
        self,
        kind: Kind,
        key: Key,
        patch_type: PatchType,
        patch: Any,
        ctx: Context,
        subresource: str = "",
        strategy: Strategy | None = None,
        *,
        duplicates: Sequence[str] = (),
        may_create: Callable[[], None] = _allowed,
    ) -> tuple[Obj, bool]:
        """Applies a decoded patch. The second value says whether the object was created (by server-side apply).

        `duplicates` are fields that the patch has twice; `may_create` raises StatusError for who may not create.
        """
        strategy = strategy or strategy_of(kind, subresource)
        if patch_type is PatchType.APPLY:
            return await self._apply(kind, key, patch, ctx, subresource, strategy, duplicates, may_create)

        def change(live: Obj) -> Obj:
            match patch_type:
                case PatchType.JSON:
                    patched = json_patch.apply(live, patch)
                case PatchType.MERGE:
                    patched = merge_patch.apply(live, patch)
                case _:
                    patched = strategic.apply(live, patch, kind.schema)
            return self._patched(kind, key, patched, ctx, duplicates)

        return await self.modify(kind, key, change, ctx, subresource, strategy), False

    async def _apply(
        self,
        kind: Kind,
        key: Key,
        config: Any,
        ctx: Context,
        subresource: str,
        strategy: Strategy,
        duplicates: Sequence[str],
        may_create: Callable[[], None],
    ) -> tuple[Obj, bool]:
        require_field_manager(ctx.field_manager)
        if not isinstance(config, dict):
            raise StatusError(400, "BadRequest", "the apply configuration must be an object")
        check_kind(kind, config)
        check_identity(kind, config, key.namespace, key.name)
        decode(kind, config, ctx, duplicates)

        def change(live: Obj | None) -> Obj:
            return server_side_apply.apply(
                live,
                config,
                kind.schema,
                ctx.field_manager,
                ctx.force,
                kind.resource.gvk.api_version,
                subresource,
                timestamp(self._pipeline.now()),
                status_subresource=kind.has_status,
            )

        for _ in range(_RETRIES):
            try:
                return await self._modify(kind, key, change, ctx, subresource, strategy, "", tracked=True), False
            except StatusError as error:
                if error.reason != "NotFound" or subresource or self._store.record(kind.storage, key) is not None:
                    raise
            may_create()
            if config["metadata"].get("resourceVersion") or config["metadata"].get("uid"):
                raise conflict(kind.resource.gvr.group, kind.resource.gvr.plural, key.name)
            try:
                return await self._create(kind, change(None), ctx, tracked=True), True
            except StatusError as error:
                # Somebody else created it meanwhile: apply to theirs.
                if error.reason != "AlreadyExists":
                    raise
        raise conflict(kind.resource.gvr.group, kind.resource.gvr.plural, key.name)

    def _patched(self, kind: Kind, key: Key, patched: Any, ctx: Context, duplicates: Sequence[str]) -> Obj:
        if not isinstance(patched, dict):
            raise StatusError(400, "BadRequest", "the patched document is not an object")
        check_kind(kind, patched)
        check_identity(kind, patched, key.namespace, key.name)
        decode_patched(kind, patched, ctx, duplicates)
        return patched

    # --- deleting --------------------------------------------------------------------------------------------

    async def delete(self, kind: Kind, key: Key, options: DeleteOptions, ctx: Context) -> Deleted:
        """Deletes the object, at once or by marking it as terminating."""
        for attempt in range(_RETRIES):
            live = self.get(kind, key)
            try:
                return await deletion.delete(self._pipeline, kind, live, options, ctx)
            except StatusError as error:
                if error.reason != "Conflict" or not self._moved_on(kind, key, live) or attempt == _RETRIES - 1:
                    raise
        raise conflict(kind.resource.gvr.group, kind.resource.gvr.plural, key.name)

    async def delete_collection(
        self, kind: Kind, namespace: str, selection: ListOptions, options: DeleteOptions, ctx: Context
    ) -> Sequence[Obj]:
        """Deletes everything that the options select; returns the objects."""
        removed = []
        snapshot = self._store.list(kind.storage, namespace)
        for record in select(kind, snapshot, snapshot.records, selection):
            try:
                removed.append((await self.delete(kind, record.key, options, ctx)).obj)
            except StatusError as error:
                if error.reason != "NotFound":
                    raise
        return removed
