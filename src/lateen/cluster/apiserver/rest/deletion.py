"""Deleting one object: preconditions, grace, finalizers, propagation.

Sources: k8s.io/apiserver `registry/rest/delete.go`, `registry/generic/registry/store.go`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.request import Context
from lateen.cluster.apiserver.rest.options import DeleteOptions
from lateen.cluster.apiserver.rest.write_pipeline import WritePipeline, owned_copy
from lateen.cluster.objects import Obj, key_of, metadata, parse_timestamp, timestamp
from lateen.cluster.status import conflict

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"


@dataclass(frozen=True, slots=True)
class Deleted:
    """`removed` is False while the object is still there, terminating."""

    obj: Obj
    removed: bool


def is_finished(kind: Kind, obj: Obj, old: Obj) -> bool:
    """Whether an update took away the last thing that kept a terminating object."""
    return (
        not metadata(obj).get("finalizers")
        and metadata(old).get("deletionGracePeriodSeconds") == 0
        and bool(metadata(old).get("deletionTimestamp"))
        and not kind.keeps(obj)
    )


async def delete(pipeline: WritePipeline, kind: Kind, live: Obj, options: DeleteOptions, ctx: Context) -> Deleted:
    """Raises StatusError; a Conflict without preconditions means that the object changed meanwhile."""
    _check_preconditions(kind, live, options)
    await pipeline.admission.validate("DELETE", None, live, ctx, kind)
    version = metadata(live)["resourceVersion"]
    wanted = _marked(kind, live, options, pipeline.now())
    dry_run = options.dry_run or ctx.dry_run
    if wanted is None:
        if dry_run:
            return Deleted(live, True)
        removed = kind.from_storage(await pipeline.store.delete(kind.storage, key_of(live), version))
        kind.released(removed)
        return Deleted(removed, True)
    if wanted == live or dry_run:
        return Deleted(wanted, False)
    updated = await pipeline.store.update(kind.storage, kind.to_storage(wanted), version)
    return Deleted(kind.from_storage(updated), False)


def _check_preconditions(kind: Kind, live: Obj, options: DeleteOptions) -> None:
    gvr, meta = kind.resource.gvr, metadata(live)
    if options.uid and options.uid != meta.get("uid"):
        detail = f"Precondition failed: UID in precondition: {options.uid}, UID in object meta: {meta.get('uid')}"
        raise conflict(gvr.group, gvr.plural, key_of(live).name, detail)
    if options.resource_version and options.resource_version != meta["resourceVersion"]:
        detail = (
            f"Precondition failed: ResourceVersion in precondition: {options.resource_version}, "
            f"ResourceVersion in object meta: {meta['resourceVersion']}"
        )
        raise conflict(gvr.group, gvr.plural, key_of(live).name, detail)


def _marked(kind: Kind, live: Obj, options: DeleteOptions, now: dt.datetime) -> Obj | None:
    """The object as terminating; None when it is to go at once."""
    obj = owned_copy(live)
    meta = obj["metadata"]
    _set_finalizers(meta, options)
    grace = kind.grace_seconds(live, options.grace_seconds)
    if meta.get("deletionTimestamp"):
        left = meta.get("deletionGracePeriodSeconds") or 0
        # A deletion under way can be made shorter, never longer.
        if options.grace_seconds is not None and grace < left:
            start = parse_timestamp(meta["deletionTimestamp"]) - dt.timedelta(seconds=left)
            meta["deletionTimestamp"] = timestamp(start + dt.timedelta(seconds=grace))
            meta["deletionGracePeriodSeconds"] = grace
        else:
            grace = left
    else:
        meta["deletionTimestamp"] = timestamp(now + dt.timedelta(seconds=grace))
        meta["deletionGracePeriodSeconds"] = grace
        if meta.get("generation"):
            meta["generation"] += 1
        kind.prepare_delete(obj)
    if grace == 0 and not meta.get("finalizers") and not kind.keeps(obj):
        return None
    return obj


def _set_finalizers(meta: Obj, options: DeleteOptions) -> None:
    """Orphaning and foreground deletion are work for the garbage collector, asked for by finalizers."""
    policy = options.propagation
    if not policy and options.orphan_dependents is not None:
        policy = "Orphan" if options.orphan_dependents else "Background"
    if not policy:
        return
    wanted = {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(policy)
    finalizers = [f for f in meta.get("finalizers") or () if f not in (ORPHAN, FOREGROUND)]
    if wanted is not None:
        finalizers.append(wanted)
    if finalizers:
        meta["finalizers"] = finalizers
    else:
        meta.pop("finalizers", None)
