"""CEL conditions that decide whether a webhook is called.

Source: kubernetes apiserver/pkg/admission/plugin/webhook/matchconditions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lateen.cluster.apiserver.schema.cel import Environment, Expression, ExpressionError, Type
from lateen.cluster.objects import Obj

VARIABLES: Mapping[str, Any] = {"object": Type.DYN, "oldObject": Type.DYN, "request": Type.DYN}


class ConditionError(Exception):
    """A condition that could not be decided."""


class MatchConditions:
    """All must be true. One that is false settles the matter, whatever errors others have."""

    def __init__(self, conditions: Sequence[Obj], variables: Mapping[str, Any] = VARIABLES) -> None:
        self._conditions: list[tuple[str, Expression | ExpressionError]] = []
        if not conditions:
            return
        environment = Environment(variables)
        for condition in conditions:
            try:
                compiled: Expression | ExpressionError = environment.compile(str(condition.get("expression")))
            except ExpressionError as error:
                # Told when it is evaluated: whether that matters is for the failure policy to say.
                compiled = error
            self._conditions.append((str(condition.get("name")), compiled))

    def match(self, variables: Mapping[str, Any]) -> bool:
        """Raises ConditionError when none is false and some could not be decided."""
        errors = []
        for name, compiled in self._conditions:
            try:
                if isinstance(compiled, ExpressionError):
                    raise compiled
                if compiled.evaluate(variables) is not True:
                    return False
            except ExpressionError as error:
                errors.append(f"matchCondition '{name}': {error}")
        if errors:
            raise ConditionError(errors[0] if len(errors) == 1 else "[" + ", ".join(errors) + "]")
        return True
