"""PersistentVolumes and PersistentVolumeClaims: stored; nothing here provisions them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.core.resource_validation import validate_resource_list
from lateen.cluster.apiserver.kinds.core.volume_defaults import default_claim_spec
from lateen.cluster.apiserver.kinds.fields import canonical_quantities, fill, mapping, section, strings, text
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, metadata, name_of
from lateen.cluster.status import Cause, forbidden_field, invalid_value, not_supported, required

_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
_SHORT = dict(zip(_MODES, ("RWO", "ROX", "RWX", "RWOP"), strict=True))
_UNSET = "<unset>"


def _validate_modes(spec: Obj) -> list[Cause]:
    modes = strings(spec, "accessModes")
    if not modes:
        return [required("spec.accessModes", "at least 1 access mode is required")]
    return [not_supported("spec.accessModes", mode, _MODES) for mode in modes if mode not in _MODES]


def _format_modes(spec: Obj) -> str:
    given = strings(spec, "accessModes")
    return ",".join(_SHORT[mode] for mode in _MODES if mode in given)


def _phase(obj: Obj) -> str:
    return "Terminating" if metadata(obj).get("deletionTimestamp") else text(mapping(obj, "status"), "phase")


class PersistentVolumeClaim(BuiltinKind):
    def default(self, obj: Obj) -> None:
        default_claim_spec(section(obj, "spec"))

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        obj["status"] = {"phase": "Pending"}

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        spec = mapping(obj, "spec")
        found = _validate_modes(spec)
        requests = mapping(mapping(spec, "resources"), "requests")
        if "storage" not in requests:
            found.append(required("spec.resources[storage]"))
        return found + validate_resource_list(requests, "spec.resources.requests")[1]

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        free = ["resources", "volumeAttributesClassName"]
        if not mapping(old, "spec").get("volumeName"):
            free.append("volumeName")
            if mapping(old, "spec").get("storageClassName") is None:
                # The default class is given to a claim that came before it.
                free.append("storageClassName")
        spec, before = ({k: v for k, v in mapping(o, "spec").items() if k not in free} for o in (obj, old))
        if spec != before:
            free_fields = "resources.requests and volumeAttributesClassName for bound claims"
            detail = f"spec is immutable after creation except {free_fields}"
            return [forbidden_field("spec", detail)]
        return self.validate_create(obj, ctx)

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Status"),
            Column("Volume"),
            Column("Capacity"),
            Column("Access Modes"),
            Column("StorageClass"),
            Column("VolumeAttributesClass"),
            Column("Age"),
            Column("VolumeMode", priority=1),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec, status = mapping(obj, "spec"), mapping(obj, "status")
        bound = bool(text(spec, "volumeName"))
        return [
            name_of(obj),
            _phase(obj),
            text(spec, "volumeName"),
            mapping(status, "capacity").get("storage", "") if bound else "",
            _format_modes(status) if bound else "",
            text(spec, "storageClassName"),
            text(spec, "volumeAttributesClassName") or _UNSET,
            age_of(obj, now),
            text(spec, "volumeMode") or _UNSET,
        ]


class PersistentVolume(BuiltinKind):
    def default(self, obj: Obj) -> None:
        spec = section(obj, "spec")
        fill(spec, persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")
        canonical_quantities(spec, "capacity")
        if isinstance(spec.get("hostPath"), dict):
            fill(spec["hostPath"], type="")

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        obj["status"] = {"phase": "Pending"}

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        spec = mapping(obj, "spec")
        found = _validate_modes(spec)
        if "storage" not in mapping(spec, "capacity"):
            found.append(required("spec.capacity"))
        found += validate_resource_list(mapping(spec, "capacity"), "spec.capacity")[1]
        policy = spec.get("persistentVolumeReclaimPolicy")
        if policy not in ("Delete", "Recycle", "Retain"):
            path = "spec.persistentVolumeReclaimPolicy"
            found.append(not_supported(path, policy, ["Delete", "Recycle", "Retain"]))
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        found = [*self.validate_create(obj, ctx)]
        if mapping(obj, "spec").get("volumeMode") != mapping(old, "spec").get("volumeMode"):
            mode = mapping(obj, "spec").get("volumeMode")
            found.append(invalid_value("spec.volumeMode", mode, "field is immutable"))
        return found

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Capacity"),
            Column("Access Modes"),
            Column("Reclaim Policy"),
            Column("Status"),
            Column("Claim"),
            Column("StorageClass"),
            Column("VolumeAttributesClass"),
            Column("Reason"),
            Column("Age"),
            Column("VolumeMode", priority=1),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec = mapping(obj, "spec")
        claim = mapping(spec, "claimRef")
        return [
            name_of(obj),
            mapping(spec, "capacity").get("storage", ""),
            _format_modes(spec),
            text(spec, "persistentVolumeReclaimPolicy"),
            _phase(obj),
            f"{text(claim, 'namespace')}/{text(claim, 'name')}" if claim else "",
            text(spec, "storageClassName"),
            text(spec, "volumeAttributesClassName") or _UNSET,
            text(mapping(obj, "status"), "reason"),
            age_of(obj, now),
            text(spec, "volumeMode") or _UNSET,
        ]
