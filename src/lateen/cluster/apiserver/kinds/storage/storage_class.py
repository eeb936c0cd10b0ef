"""StorageClasses, CSI drivers and nodes, and RuntimeClasses: stored for those who look them up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import fill, mapping, objects, section, strings, text
from lateen.cluster.apiserver.kinds.immutability import unchanged
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, annotations_of, name_of
from lateen.cluster.status import Cause, forbidden_field, required

_IS_DEFAULT = "storageclass.kubernetes.io/is-default-class"


class StorageClass(BuiltinKind):
    def default(self, obj: Obj) -> None:
        fill(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        return [] if text(obj, "provisioner") else [required("provisioner")]

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        found = [
            forbidden_field(field, "updates to " + field + " are forbidden.")
            for field in ("parameters", "provisioner", "reclaimPolicy")
            if obj.get(field) != old.get(field)
        ]
        return [*found, *unchanged(obj, old, "volumeBindingMode")]

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Provisioner"),
            Column("ReclaimPolicy"),
            Column("VolumeBindingMode"),
            Column("AllowVolumeExpansion"),
            Column("Age"),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        default = " (default)" if annotations_of(obj).get(_IS_DEFAULT) == "true" else ""
        return [
            name_of(obj) + default,
            text(obj, "provisioner"),
            text(obj, "reclaimPolicy"),
            text(obj, "volumeBindingMode"),
            bool(obj.get("allowVolumeExpansion")),
            age_of(obj, now),
        ]


class CSIDriver(BuiltinKind):
    def default(self, obj: Obj) -> None:
        spec = section(obj, "spec")
        fill(
            spec,
            attachRequired=True,
            podInfoOnMount=False,
            storageCapacity=False,
            fsGroupPolicy="ReadWriteOnceWithFSType",
            volumeLifecycleModes=["Persistent"],
            requiresRepublish=False,
            seLinuxMount=False,
        )

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("AttachRequired", "boolean"),
            Column("PodInfoOnMount", "boolean"),
            Column("StorageCapacity", "boolean"),
            Column("Modes"),
            Column("Age"),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec = mapping(obj, "spec")
        flags = [bool(spec.get(flag)) for flag in ("attachRequired", "podInfoOnMount", "storageCapacity")]
        return [name_of(obj), *flags, ",".join(strings(spec, "volumeLifecycleModes")), age_of(obj, now)]


class CSINode(BuiltinKind):
    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Drivers", "integer"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return [name_of(obj), len(objects(mapping(obj, "spec"), "drivers")), age_of(obj, now)]


class RuntimeClass(BuiltinKind):
    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        return [] if text(obj, "handler") else [required("handler")]

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return unchanged(obj, old, "handler")

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Handler"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return [name_of(obj), text(obj, "handler"), age_of(obj, now)]
