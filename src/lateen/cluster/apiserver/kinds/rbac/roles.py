"""Roles, ClusterRoles and their bindings.

Source: k8s.io/kubernetes `pkg/apis/rbac/{v1,validation}`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import fill, mapping, objects, strings, text
from lateen.cluster.apiserver.kinds.label_selectors import validate_label_selector
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, metadata, name_of
from lateen.cluster.status import Cause, invalid_value, not_supported, required

_RBAC = "rbac.authorization.k8s.io"


class _RbacKind(BuiltinKind):
    created_by_update = True

    def validate_name(self, name: str) -> list[str]:
        return names.path_segment(name)

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return self.validate_create(obj, ctx)


class Role(_RbacKind):
    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        found: list[Cause] = []
        for i, rule in enumerate(objects(obj, "rules")):
            found += _validate_rule(rule, f"rules[{i}]", self.resource.namespaced)
        for i, selector in enumerate(objects(mapping(obj, "aggregationRule"), "clusterRoleSelectors")):
            found += validate_label_selector(selector, f"aggregationRule.clusterRoleSelectors[{i}]")
        return found

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Created At"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return [name_of(obj), metadata(obj).get("creationTimestamp", "")]


def _validate_rule(rule: Obj, path: str, namespaced: bool) -> list[Cause]:
    found = []
    if not strings(rule, "verbs"):
        found.append(required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = strings(rule, "nonResourceURLs")
    if urls:
        if namespaced:
            detail = "namespaced rules cannot apply to non-resource URLs"
            found.append(invalid_value(f"{path}.nonResourceURLs", urls, detail))
        if any(strings(rule, field) for field in ("apiGroups", "resources", "resourceNames")):
            detail = "rules cannot apply to both regular resources and non-resource URLs"
            found.append(invalid_value(f"{path}.nonResourceURLs", urls, detail))
        return found
    if not strings(rule, "apiGroups"):
        found.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not strings(rule, "resources"):
        found.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return found


class RoleBinding(_RbacKind):
    def default(self, obj: Obj) -> None:
        reference = obj.get("roleRef")
        if isinstance(reference, dict):
            fill(reference, apiGroup=_RBAC)
        for subject in objects(obj, "subjects"):
            if subject.get("kind") == "ServiceAccount":
                fill(subject, apiGroup="")
                if not subject["apiGroup"]:
                    del subject["apiGroup"]
            elif subject.get("kind") in ("User", "Group"):
                fill(subject, apiGroup=_RBAC)

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        reference = mapping(obj, "roleRef")
        found = []
        kinds = ["Role", "ClusterRole"] if self.resource.namespaced else ["ClusterRole"]
        if text(reference, "apiGroup") != _RBAC:
            found.append(not_supported("roleRef.apiGroup", text(reference, "apiGroup"), [_RBAC]))
        if text(reference, "kind") not in kinds:
            found.append(not_supported("roleRef.kind", text(reference, "kind"), kinds))
        if not text(reference, "name"):
            found.append(required("roleRef.name"))
        else:
            name = text(reference, "name")
            found += [invalid_value("roleRef.name", name, e) for e in names.path_segment(name)]
        for i, subject in enumerate(objects(obj, "subjects")):
            found += self._validate_subject(subject, f"subjects[{i}]")
        return found

    def _validate_subject(self, subject: Obj, path: str) -> list[Cause]:
        kind, group, name = text(subject, "kind"), text(subject, "apiGroup"), text(subject, "name")
        if not name:
            return [required(f"{path}.name")]
        if kind == "ServiceAccount":
            found = [invalid_value(f"{path}.name", name, e) for e in names.dns_subdomain(name)]
            if group:
                found.append(not_supported(f"{path}.apiGroup", group, [""]))
            if not text(subject, "namespace") and not self.resource.namespaced:
                found.append(required(f"{path}.namespace"))
            return found
        if kind in ("User", "Group"):
            return [] if group == _RBAC else [not_supported(f"{path}.apiGroup", group, [_RBAC])]
        return [not_supported(f"{path}.kind", kind, ["ServiceAccount", "User", "Group"])]

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        found = [*self.validate_create(obj, ctx)]
        if obj.get("roleRef") != old.get("roleRef"):
            found.append(invalid_value("roleRef", obj.get("roleRef"), "cannot change roleRef"))
        return found

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Role"),
            Column("Age"),
            Column("Users", priority=1),
            Column("Groups", priority=1),
            Column("ServiceAccounts", priority=1),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        reference, subjects = mapping(obj, "roleRef"), objects(obj, "subjects")

        def named(kind: str) -> list[Obj]:
            return [subject for subject in subjects if subject.get("kind") == kind]

        accounts = (f"{text(s, 'namespace')}/{text(s, 'name')}" for s in named("ServiceAccount"))
        return [
            name_of(obj),
            f"{text(reference, 'kind')}/{text(reference, 'name')}",
            age_of(obj, now),
            ", ".join(text(subject, "name") for subject in named("User")),
            ", ".join(text(subject, "name") for subject in named("Group")),
            ", ".join(accounts),
        ]
