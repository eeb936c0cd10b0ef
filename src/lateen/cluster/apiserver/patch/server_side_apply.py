"""Server-side apply, and the field ownership that all other writes leave behind.

Source: Kubernetes' "Server-Side Apply" reference and `sigs.k8s.io/structured-merge-diff/v4/merge`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.patch.comparison import Comparison, compare
from lateen.cluster.apiserver.patch.field_set import FieldSet, render_path
from lateen.cluster.apiserver.patch.json_patch import json_equal
from lateen.cluster.apiserver.patch.managed_fields import (
    APPLY,
    UNTRACKED,
    UPDATE,
    Entry,
    ManagerId,
    Managers,
    of_live,
    of_update,
    same_but_for_times,
)
from lateen.cluster.apiserver.patch.object_fields import fields_of, structural_faults
from lateen.cluster.apiserver.patch.object_metadata import with_object_metadata
from lateen.cluster.apiserver.patch.structured_merge import merge, remove, with_containers
from lateen.cluster.apiserver.schema.schema import MISSING, Schema
from lateen.cluster.objects import Obj, annotations_of, deep_copy, metadata, name_of, namespace_of
from lateen.cluster.status import Cause, StatusError, bad_request

BEFORE_FIRST_APPLY = "before-first-apply"
"""Owns everything of an object that had no managers when it was first applied."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_SET_BY_SERVER = ("creationTimestamp", "deletionTimestamp", "generation", "managedFields", "selfLink")
_MAX_ANNOTATION_BYTES = 256 * 1024

Conflicts = list[tuple[Entry, FieldSet]]


def apply(
    live: Obj | None,
    applied: Obj,
    schema: Schema,
    manager: str,
    force: bool,
    api_version: str,
    subresource: str,
    now: str,
    *,
    status_subresource: bool = True,
) -> Obj:
    """The object after `manager` applied `applied`: merged, what it no longer applies pruned, ownership recorded.

    `live` is None where the object is to be created. `now` is RFC 3339. With `status_subresource` an apply of the
    object leaves `status` alone. Neither argument is changed; an apply that changes nothing returns a copy of `live`.

    Raises StatusError: 400 for a configuration with managedFields or of another apiVersion, 409 with one
    FieldManagerConflict cause per field for fields that other managers set to other values (unless `force`), 500
    where the configuration does not fit the schema's structure (the server's own code for it).
    """
    schema = with_object_metadata(schema)
    config = _configuration(live, applied, schema, api_version, subresource, status_subresource)
    try:
        return _apply(live, config, schema, manager, force, api_version, subresource, now)
    except _Conflicting as refused:
        # `kubectl apply --server-side` takes over what `kubectl apply` set before, by the annotation that says so.
        if manager == "kubectl" and live is not None and _all_last_applied(refused.conflicts, live, schema):
            return _apply(live, config, schema, manager, True, api_version, subresource, now)
        raise conflict_error(refused.conflicts) from None


def track(
    live: Obj | None,
    new: Obj,
    schema: Schema,
    manager: str,
    api_version: str,
    subresource: str,
    now: str,
) -> list[Obj]:
    """The `metadata.managedFields` of `new`, which `manager` writes over `live` (None: creates) by other than apply.

    `new` must be as it will be stored, defaults included, except for what admission adds. A write that changes
    nothing leaves times as they are. `new` may carry managedFields of its own, which are honoured (`[{}]` resets).
    """
    schema = with_object_metadata(schema)
    before = _unmanaged(live) if live is not None else _shell(new)
    after = _unmanaged(new)
    managers = of_update(live, new, subresource)
    change = compare(before, after, schema)
    managers = _yield_fields(managers, change, None)
    owned = change.changed.difference(UNTRACKED)
    if owned:
        entry = Entry(manager, UPDATE, api_version, subresource, now, owned)
        previous = managers.get(entry.id)
        if previous is not None:
            entry = entry.owning(previous.fields.union(owned))
        managers = managers.with_entry(entry)
    encoded = managers.capped().encode()
    return _with_old_times(live, after, encoded)


def conflict_error(conflicts: Conflicts) -> StatusError:
    """409 as kubectl users know it."""
    found = [(entry, render_path(path)) for entry, fields in conflicts for path in fields]
    causes = [Cause("FieldManagerConflict", f"conflict with {entry.display}", path) for entry, path in found]
    if len(found) == 1:
        entry, path = found[0]
        message = f"Apply failed with 1 conflict: conflict with {entry.display}: {path}"
    else:
        lines = []
        for entry, fields in conflicts:
            lines.append(f"conflicts with {entry.display}:")
            lines += [f"- {render_path(path)}" for path in fields]
        message = f"Apply failed with {len(found)} conflicts: " + "\n".join(lines)
    return StatusError(409, "Conflict", message, causes=causes)


class _Conflicting(Exception):
    def __init__(self, conflicts: Conflicts) -> None:
        super().__init__()
        self.conflicts = conflicts


def _apply(
    live: Obj | None,
    config: Obj,
    schema: Schema,
    manager: str,
    force: bool,
    api_version: str,
    subresource: str,
    now: str,
) -> Obj:
    before = _unmanaged(live) if live is not None else _shell(config)
    managers = of_live(live)
    if live is not None and not managers:
        existing = compare(_shell(live), before, schema).changed.difference(UNTRACKED)
        managers = managers.with_entry(Entry(BEFORE_FIRST_APPLY, UPDATE, api_version, "", now, existing))
    specified = fields_of(config, schema)
    entry = Entry(manager, APPLY, api_version, subresource, now, specified.difference(UNTRACKED))
    previous = managers.get(entry.id)
    managers = managers.with_entry(entry)

    merged: Obj = merge(before, config, schema)
    after = merged
    if previous is not None:
        after = _pruned(merged, previous.fields, managers.owned().union(specified), schema)
    change = compare(before, after, schema)
    conflicts = _conflicts(managers, change, entry.id)
    if conflicts and not force:
        raise _Conflicting(conflicts)
    managers = _yield_fields(managers, change, entry.id)
    if manager == "kubectl" and LAST_APPLIED in annotations_of(after):
        _record_last_applied(after, config)

    encoded = managers.encode()
    if live is not None and json_equal(after, before):
        old = metadata(live).get("managedFields") or []
        if same_but_for_times(old, encoded):
            return _copy(live)
    after.setdefault("metadata", {})
    if encoded:
        after["metadata"]["managedFields"] = encoded
    return after


def _pruned(merged: Obj, previous: FieldSet, owned: FieldSet, schema: Schema) -> Obj:
    """Takes out what the applier owned and no longer applies, except what somebody (or its new version) owns."""
    everything = with_containers(fields_of(merged, schema), schema)
    previous = with_containers(previous, schema)
    bare = _fields_without(merged, previous, schema)
    kept = bare.union(with_containers(owned, schema))
    unowned = everything.difference(kept)
    # Fields nobody owns that only went because of what they were in come back, unless they were the applier's.
    left = _fields_without(merged, unowned, schema)
    pruned = remove(merged, everything.difference(left).intersection(previous), schema)
    result: Obj = {} if pruned is MISSING else pruned
    return result


def _fields_without(value: Obj, fields: FieldSet, schema: Schema) -> FieldSet:
    rest = remove(value, fields, schema)
    return with_containers(fields_of({} if rest is MISSING else rest, schema), schema)


def _conflicts(managers: Managers, change: Comparison, applier: ManagerId) -> Conflicts:
    changed = change.changed
    found = [(e, e.fields.intersection(changed)) for e in managers if e.id != applier]
    return sorted(((e, fields) for e, fields in found if fields), key=lambda c: c[0].id)


def _yield_fields(managers: Managers, change: Comparison, writer: ManagerId | None) -> Managers:
    """Every other manager loses what was changed; what was removed is nobody's."""
    return managers.without(change.changed, recursive=False, keeping=writer).without(change.removed, recursive=True)


# --- the applied configuration -----------------------------------------------------------------------------------


def _configuration(
    live: Obj | None, applied: Obj, schema: Schema, api_version: str, subresource: str, status_subresource: bool
) -> Obj:
    """What counts of the applied object. Raises StatusError."""
    if metadata(applied).get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    given = str(applied.get("apiVersion") or "")
    if given != api_version:
        raise bad_request(
            f"Incorrect version specified in apply patch. Specified patch version: {given}, expected: {api_version}"
        )
    config: Obj = deep_copy(applied)
    meta = config.setdefault("metadata", {})
    if not isinstance(meta, dict):
        raise bad_request("metadata must be an object")
    for name in _SET_BY_SERVER:
        meta.pop(name, None)
    if subresource == "status":
        config = {k: v for k, v in config.items() if k in ("apiVersion", "kind", "metadata", "status")}
        config["metadata"] = {k: v for k, v in meta.items() if k in ("name", "namespace", "resourceVersion", "uid")}
    elif status_subresource:
        config.pop("status", None)
    faults = structural_faults(config, schema)
    if faults:
        where = f"{namespace_of(applied)}/{name_of(applied)}" if namespace_of(applied) else f"/{name_of(applied)}"
        what = f"{where}; {given}, Kind={applied.get('kind', '')}"
        detail = faults[0] if len(faults) == 1 else "errors:\n" + "\n".join(f"  {f}" for f in faults)
        raise StatusError(500, "", f"failed to create typed patch object ({what}): {detail}")
    return config


def _all_last_applied(conflicts: Conflicts, live: Obj, schema: Schema) -> bool:
    """Whether each conflicting field still has the value that `kubectl apply` last recorded."""
    try:
        last = json.loads(annotations_of(live).get(LAST_APPLIED, ""))
    except ValueError:
        return False
    if not isinstance(last, dict):
        return False
    change = compare(last, _unmanaged(live), schema)
    allowed = fields_of(last, schema).difference(change.modified).difference(change.removed)
    return all(not fields.difference(allowed) for _, fields in conflicts)


def _record_last_applied(after: Obj, config: Obj) -> None:
    """Keeps the annotation of client-side apply right, for users who go back to it."""
    plain = deep_copy(config)
    annotations = plain["metadata"].get("annotations")
    if isinstance(annotations, dict):
        annotations.pop(LAST_APPLIED, None)
    text = json.dumps(plain, separators=(",", ":"), ensure_ascii=False) + "\n"
    if len(text.encode()) <= _MAX_ANNOTATION_BYTES:
        after["metadata"]["annotations"][LAST_APPLIED] = text


# --- objects -----------------------------------------------------------------------------------------------------


def _unmanaged(obj: Obj) -> Obj:
    """The object without its managedFields; shares all else with it."""
    meta = metadata(obj)
    return {**obj, "metadata": {k: v for k, v in meta.items() if k != "managedFields"}}


def _shell(obj: Obj) -> Obj:
    """What an object is before it has any content of its own."""
    identity = {k: v for k, v in metadata(obj).items() if k in ("name", "namespace")}
    return {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind"), "metadata": identity}


def _copy(obj: Obj) -> Obj:
    copied: Obj = deep_copy(obj)
    return copied


def _with_old_times(live: Obj | None, after: Obj, encoded: Sequence[Any]) -> list[Obj]:
    entries = list(encoded)
    if live is None:
        return entries
    old = metadata(live).get("managedFields") or []
    if json_equal(_unmanaged(live), after) and same_but_for_times(old, entries):
        kept: list[Obj] = deep_copy(old)
        return kept
    return entries
