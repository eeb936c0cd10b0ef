"""ValidatingAdmissionPolicies and their bindings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import fill, indexed, mapping, objects, section, strings, text
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.status import Cause, required


def _default_match(match: Obj) -> None:
    if match:
        fill(match, matchPolicy="Equivalent")
        section(match, "namespaceSelector")
        section(match, "objectSelector")
        for field in ("resourceRules", "excludeResourceRules"):
            for rule in objects(match, field):
                fill(rule, scope="*")


class ValidatingAdmissionPolicy(BuiltinKind):
    counts_generations = True

    def default(self, obj: Obj) -> None:
        spec = section(obj, "spec")
        fill(spec, failurePolicy="Fail")
        _default_match(mapping(spec, "matchConstraints"))

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        spec = mapping(obj, "spec")
        found = []
        if not objects(spec, "validations") and not objects(spec, "auditAnnotations"):
            detail = "validations or auditAnnotations must contain at least one item"
            found.append(required("spec.validations", detail))
        if not objects(mapping(spec, "matchConstraints"), "resourceRules"):
            found.append(required("spec.matchConstraints.resourceRules"))
        for at, validation in indexed(spec, "validations", "spec"):
            if not text(validation, "expression").strip():
                found.append(required(f"{at}.expression", "expression is not specified"))
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return self.validate_create(obj, ctx)

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Validations", "integer"), Column("ParamKind"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec = mapping(obj, "spec")
        kind = mapping(spec, "paramKind")
        shown = f"{text(kind, 'apiVersion')}/{text(kind, 'kind')}" if kind else "<unset>"
        return [name_of(obj), len(objects(spec, "validations")), shown, age_of(obj, now)]


class ValidatingAdmissionPolicyBinding(BuiltinKind):
    counts_generations = True

    def default(self, obj: Obj) -> None:
        _default_match(mapping(mapping(obj, "spec"), "matchResources"))

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        spec = mapping(obj, "spec")
        found = []
        if not text(spec, "policyName"):
            found.append(required("spec.policyName"))
        if not strings(spec, "validationActions"):
            found.append(required("spec.validationActions", "at least one validation action is required"))
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return self.validate_create(obj, ctx)

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("PolicyName"), Column("ParamRef"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec = mapping(obj, "spec")
        parameter = mapping(spec, "paramRef")
        shown = "<unset>"
        if parameter:
            shown = "/".join(filter(None, (text(parameter, "namespace"), text(parameter, "name")))) or "*"
        return [name_of(obj), text(spec, "policyName"), shown, age_of(obj, now)]
