"""ControllerRevisions: the history of StatefulSets and DaemonSets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import number, text
from lateen.cluster.apiserver.kinds.immutability import unchanged
from lateen.cluster.apiserver.kinds.number_validation import validate_not_negative
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, controller_of, name_of, split_api_version
from lateen.cluster.status import Cause


class ControllerRevision(BuiltinKind):
    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        return [Cause(c.type, c.message, c.field.removeprefix(".")) for c in validate_not_negative(obj, "", "revision")]

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return [*self.validate_create(obj, ctx), *unchanged(obj, old, "data")]

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Controller"), Column("Revision"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        owner = controller_of(obj)
        shown = "<none>"
        if owner is not None:
            group, _ = split_api_version(text(owner, "apiVersion"))
            kind = text(owner, "kind").lower()
            shown = f"{kind}.{group}/{text(owner, 'name')}" if group else f"{kind}/{text(owner, 'name')}"
        return [name_of(obj), shown, number(obj, "revision"), age_of(obj, now)]
