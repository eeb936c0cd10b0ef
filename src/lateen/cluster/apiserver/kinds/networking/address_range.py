"""IPAddresses and ServiceCIDRs: stored; Services draw from the cluster's own range."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import mapping, strings, text
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.status import Cause, invalid_value


class IPAddress(BuiltinKind):
    counts_generations = True

    def validate_name(self, name: str) -> list[str]:
        return names.ip_address(name)

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("ParentRef"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        parent = mapping(mapping(obj, "spec"), "parentRef")
        parts = (text(parent, field) for field in ("resource", "namespace", "name"))
        return [name_of(obj), "/".join(filter(None, parts)) or "<none>"]


class ServiceCIDR(BuiltinKind):
    counts_generations = True

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        return [
            invalid_value(f"spec.cidrs[{i}]", value, error)
            for i, value in enumerate(strings(mapping(obj, "spec"), "cidrs"))
            for error in names.cidr(value)
        ]

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("CIDRs"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return [name_of(obj), ",".join(strings(mapping(obj, "spec"), "cidrs")), age_of(obj, now)]
