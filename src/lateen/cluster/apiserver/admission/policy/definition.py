"""Policies and bindings as stored, read into compiled values.

Source: `admissionregistration.k8s.io/v1` and kubernetes apiserver/pkg/admission/plugin/policy/validating.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lateen.cluster.apiserver.admission.webhook.match_condition import MatchConditions
from lateen.cluster.apiserver.admission.webhook.rule import Rule
from lateen.cluster.apiserver.schema.cel import Environment, Expression, ExpressionError, Type
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.selectors import EVERYTHING, Selector, from_label_selector

VARIABLES: Mapping[str, Any] = dict.fromkeys(
    ("object", "oldObject", "request", "params", "namespaceObject", "variables"), Type.DYN
)

Compiled = Expression | ExpressionError
"""An expression, or why it does not compile: told when it would be evaluated."""


@dataclass(frozen=True, slots=True)
class MatchResources:
    """Which operations on which objects; `excluded` rules take some of them away."""

    rules: tuple[Rule, ...]
    excluded: tuple[Rule, ...]
    namespaces: Selector
    objects: Selector
    equivalent: bool
    names: tuple[tuple[Rule, frozenset[str]], ...]
    """For rules that are about certain objects only: their names."""


@dataclass(frozen=True, slots=True)
class Validation:
    source: str
    expression: Compiled
    message: str
    message_expression: Compiled | None
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    name: str
    matches: MatchResources
    conditions: MatchConditions
    variables: tuple[tuple[str, Compiled], ...]
    validations: tuple[Validation, ...]
    fails_closed: bool
    param_kind: tuple[str, str] | None
    """(apiVersion, kind) of the parameters."""


@dataclass(frozen=True, slots=True)
class Binding:
    name: str
    policy: str
    matches: MatchResources | None
    actions: frozenset[str]
    param_ref: Obj | None


def read_policy(policy: Obj) -> Policy:
    spec = policy.get("spec") or {}
    environment = Environment(VARIABLES)

    def compiled(source: Any) -> Compiled:
        try:
            return environment.compile(str(source))
        except ExpressionError as error:
            return error

    param_kind = spec.get("paramKind")
    return Policy(
        name=name_of(policy),
        matches=_match_resources(spec.get("matchConstraints") or {}),
        conditions=MatchConditions(spec.get("matchConditions") or (), VARIABLES),
        variables=tuple((str(v.get("name")), compiled(v.get("expression"))) for v in spec.get("variables") or ()),
        validations=tuple(
            Validation(
                source=str(v.get("expression")).strip(),
                expression=compiled(v.get("expression")),
                message=str(v.get("message") or "").strip(),
                message_expression=compiled(v["messageExpression"]) if v.get("messageExpression") else None,
                reason=v.get("reason") or "Invalid",
            )
            for v in spec.get("validations") or ()
        ),
        fails_closed=spec.get("failurePolicy") != "Ignore",
        param_kind=(str(param_kind.get("apiVersion")), str(param_kind.get("kind"))) if param_kind else None,
    )


def read_binding(binding: Obj) -> Binding:
    spec = binding.get("spec") or {}
    resources = spec.get("matchResources")
    return Binding(
        name=name_of(binding),
        policy=str(spec.get("policyName")),
        matches=_match_resources(resources) if resources else None,
        actions=frozenset(spec.get("validationActions") or ()),
        param_ref=spec.get("paramRef"),
    )


def _match_resources(found: Obj) -> MatchResources:
    rules = [
        (Rule.from_json(rule), frozenset(rule.get("resourceNames") or ())) for rule in found.get("resourceRules") or ()
    ]
    everything = Rule(frozenset("*"), frozenset("*"), frozenset("*"), (("*", "*"),))
    return MatchResources(
        # A binding without rules leaves the choice to its policy.
        rules=tuple(rule for rule, _ in rules) or (everything,),
        excluded=tuple(Rule.from_json(rule) for rule in found.get("excludeResourceRules") or ()),
        namespaces=_selector(found.get("namespaceSelector")),
        objects=_selector(found.get("objectSelector")),
        equivalent=found.get("matchPolicy") != "Exact",
        names=tuple((rule, names) for rule, names in rules if names),
    )


def _selector(selector: Obj | None) -> Selector:
    return from_label_selector(selector) if selector else EVERYTHING
