"""The kind `CustomResourceDefinition` itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from lateen.cluster.apiserver.crd.conditions import set_condition
from lateen.cluster.apiserver.crd.definition_validation import change_faults, definition_faults, stored_version_faults
from lateen.cluster.apiserver.kind import Column, Kind
from lateen.cluster.apiserver.request import Context
from lateen.cluster.apiserver.resource import Resource
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.objects import Obj, metadata, timestamp
from lateen.cluster.status import Cause

CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that keeps a deleted definition until its objects are gone."""


class DefinitionKind(Kind):
    """Definitions; `meta` is the schema of ObjectMeta."""

    def __init__(self, resource: Resource, schema: Schema, meta: Schema) -> None:
        super().__init__(resource, schema)
        self._meta = meta

    def default(self, obj: Obj) -> None:
        spec = obj.setdefault("spec", {})
        if not isinstance(spec, dict):
            return
        names = spec.get("names")
        if isinstance(names, dict) and isinstance(kind := names.get("kind"), str) and kind:
            if not names.get("singular"):
                names["singular"] = kind.lower()
            if not names.get("listKind"):
                names["listKind"] = f"{kind}List"
        conversion = spec.get("conversion")
        if conversion is None:
            conversion = spec["conversion"] = {}
        if isinstance(conversion, dict) and not conversion.get("strategy"):
            conversion["strategy"] = "None"

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        _remember_storage_version(obj)

    def prepare_update(self, obj: Obj, old: Obj, ctx: Context) -> None:
        super().prepare_update(obj, old, ctx)
        _remember_storage_version(obj)

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        return definition_faults(obj, self._meta)

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        # What has not changed stays acceptable, even when today's rules would refuse it.
        faults = definition_faults(obj, self._meta) if obj.get("spec") != old.get("spec") else []
        return [*faults, *change_faults(obj, old)]

    def validate_status_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return stored_version_faults(obj)

    def prepare_delete(self, obj: Obj) -> None:
        finalizers = metadata(obj).setdefault("finalizers", [])
        if CLEANUP not in finalizers:
            finalizers.append(CLEANUP)
        message = "CustomResource deletion is in progress"
        set_condition(obj, "Terminating", "True", "InstanceDeletionPending", message, timestamp())

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Created At", type="date"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return [metadata(obj).get("name", ""), metadata(obj).get("creationTimestamp")]


def _remember_storage_version(crd: Obj) -> None:
    """Objects may be stored in every version that ever was the storage version."""
    status = crd.setdefault("status", {})
    stored = status.setdefault("storedVersions", [])
    for version in crd["spec"].get("versions") or ():
        if version.get("storage") and version.get("name") not in stored:
            status["storedVersions"] = stored = [*stored, version["name"]]
    status.setdefault("conditions", [])
    status.setdefault("acceptedNames", {"kind": "", "plural": ""})
