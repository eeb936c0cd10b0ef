"""Namespaces."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import DnsLabelKind
from lateen.cluster.apiserver.kinds.fields import mapping, section, strings, text
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, metadata, name_of

FINALIZER = "kubernetes"
_NAME_LABEL = "kubernetes.io/metadata.name"


class Namespace(DnsLabelKind):
    """Its own finalizer, in `spec`, keeps it until the namespace controller has emptied it."""

    def default(self, obj: Obj) -> None:
        name = name_of(obj)
        if name:
            section(section(obj, "metadata"), "labels")[_NAME_LABEL] = name

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        spec = section(obj, "spec")
        if FINALIZER not in strings(spec, "finalizers"):
            spec["finalizers"] = [*strings(spec, "finalizers"), FINALIZER]
        obj["status"] = {"phase": "Active"}

    def prepare_update(self, obj: Obj, old: Obj, ctx: Context) -> None:
        super().prepare_update(obj, old, ctx)
        # Finalizers change through `/finalize` alone.
        section(obj, "spec")["finalizers"] = list(strings(mapping(old, "spec"), "finalizers"))

    def prepare_delete(self, obj: Obj) -> None:
        section(obj, "status")["phase"] = "Terminating"

    def keeps(self, obj: Obj) -> bool:
        return bool(strings(mapping(obj, "spec"), "finalizers"))

    def selectable_fields(self, obj: Obj) -> Mapping[str, str]:
        phase = text(mapping(obj, "status"), "phase")
        return {"status.phase": phase, "name": name_of(obj)}

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Status"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        phase = text(mapping(obj, "status"), "phase")
        terminating = bool(metadata(obj).get("deletionTimestamp"))
        return [name_of(obj), "Terminating" if terminating else phase, age_of(obj, now)]
