"""Runs a policy's expressions over one request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lateen.cluster.apiserver.admission.policy.definition import Compiled, Policy, Validation
from lateen.cluster.apiserver.admission.webhook.match_condition import ConditionError
from lateen.cluster.apiserver.schema.cel import ExpressionError


@dataclass(frozen=True, slots=True)
class Finding:
    """One validation that does not hold."""

    message: str
    reason: str


def findings(policy: Policy, variables: dict[str, Any]) -> Iterator[Finding]:
    """What the policy objects to. What cannot be decided is a finding too, unless the policy is to ignore that."""
    try:
        if not policy.conditions.match({**variables, "variables": {}}):
            return
    except ConditionError as error:
        if policy.fails_closed:
            yield Finding(str(error), "Invalid")
        return
    composed: dict[str, Any] = {}
    everything = {**variables, "variables": composed}
    for name, compiled in policy.variables:
        try:
            composed[name] = _evaluate(compiled, everything)
        except ExpressionError:
            # An expression that uses the variable fails by its absence; others are none the worse.
            continue
    for validation in policy.validations:
        try:
            if _evaluate(validation.expression, everything) is True:
                continue
        except ExpressionError as error:
            if policy.fails_closed:
                yield Finding(f"expression '{validation.source}' resulted in error: {error}", "Invalid")
            continue
        yield Finding(_message(validation, everything), validation.reason)


def _message(validation: Validation, variables: dict[str, Any]) -> str:
    if validation.message_expression is not None:
        try:
            told = _evaluate(validation.message_expression, variables)
        except ExpressionError:
            told = ""
        if isinstance(told, str) and told.strip() and "\n" not in told:
            return told.strip()
    return validation.message or f"failed expression: {validation.source}"


def _evaluate(compiled: Compiled, variables: dict[str, Any]) -> Any:
    if isinstance(compiled, ExpressionError):
        raise compiled
    return compiled.evaluate(variables)
