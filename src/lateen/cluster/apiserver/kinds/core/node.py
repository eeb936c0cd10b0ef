"""Nodes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.core.scheduling_validation import EFFECTS
from lateen.cluster.apiserver.kinds.fields import canonical_quantities, indexed, mapping, objects, section, text
from lateen.cluster.apiserver.kinds.immutability import unchanged
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, labels_of, name_of
from lateen.cluster.status import Cause, duplicate, forbidden_field, not_supported, required

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE = "kubernetes.io/role"


class Node(BuiltinKind):
    def default(self, obj: Obj) -> None:
        section(obj, "spec")
        canonical_quantities(mapping(obj, "status"), "capacity", "allocatable")
        status = mapping(obj, "status")
        if status.get("capacity") and not status.get("allocatable"):
            status["allocatable"] = dict(status["capacity"])

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        """A node registers itself with its status in one step."""
        status = obj.get("status")
        super().prepare_create(obj, ctx)
        if status is not None:
            obj["status"] = status

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        found = []
        seen: set[tuple[str, str]] = set()
        for at, taint in indexed(mapping(obj, "spec"), "taints", "spec"):
            key, effect = text(taint, "key"), text(taint, "effect")
            if not key:
                found.append(required(f"{at}.key"))
            if effect not in EFFECTS:
                found.append(not_supported(f"{at}.effect", effect, EFFECTS))
            if (key, effect) in seen:
                found.append(duplicate(at, f"{key}:{effect}"))
            seen.add((key, effect))
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        found = [*self.validate_create(obj, ctx)]
        spec, before = mapping(obj, "spec"), mapping(old, "spec")
        for field in ("podCIDR", "podCIDRs", "providerID"):
            if before.get(field) and unchanged(spec, before, field, path="spec"):
                found.append(
                    forbidden_field(f"spec.{field}", "node updates may not change " + field + " except from empty")
                )
        return found

    def selectable_fields(self, obj: Obj) -> Mapping[str, str]:
        return {"spec.unschedulable": "true" if mapping(obj, "spec").get("unschedulable") else "false"}

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Status"),
            Column("Roles"),
            Column("Age"),
            Column("Version"),
            Column("Internal-IP", priority=1),
            Column("External-IP", priority=1),
            Column("OS-Image", priority=1),
            Column("Kernel-Version", priority=1),
            Column("Container-Runtime", priority=1),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        status = mapping(obj, "status")
        info = mapping(status, "nodeInfo")
        return [
            name_of(obj),
            _readiness(obj),
            _roles(obj),
            age_of(obj, now),
            text(info, "kubeletVersion"),
            _address(status, "InternalIP"),
            _address(status, "ExternalIP"),
            text(info, "osImage") or "<unknown>",
            text(info, "kernelVersion") or "<unknown>",
            text(info, "containerRuntimeVersion") or "<unknown>",
        ]


def _readiness(node: Obj) -> str:
    ready = next((c for c in objects(mapping(node, "status"), "conditions") if c.get("type") == "Ready"), None)
    shown = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    return shown + (",SchedulingDisabled" if mapping(node, "spec").get("unschedulable") else "")


def _roles(node: Obj) -> str:
    labels = labels_of(node)
    roles = {label.removeprefix(_ROLE_PREFIX) for label in labels if label.startswith(_ROLE_PREFIX)}
    roles |= {labels[_ROLE]} if labels.get(_ROLE) else set()
    return ",".join(sorted(filter(None, roles))) or "<none>"


def _address(status: Obj, kind: str) -> str:
    found = (text(a, "address") for a in objects(status, "addresses") if a.get("type") == kind)
    return next(found, "<none>")
