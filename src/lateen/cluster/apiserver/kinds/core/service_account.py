"""ServiceAccounts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import objects
from lateen.cluster.objects import Obj, name_of


class ServiceAccount(BuiltinKind):
    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Secrets"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return [name_of(obj), len(objects(obj, "secrets")), age_of(obj, now)]
