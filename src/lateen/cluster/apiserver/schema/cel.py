"""Expressions in CEL, compiled and evaluated within bounds.

The language is Google's cel-cpp through its Python binding; the functions that Kubernetes adds are ours. A hostile
expression cannot hang the server: its source is limited in length, an evaluation in its loop iterations (cel-cpp's
10,000), and what our functions return in size.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_encoders, ext_math, ext_optional

from lateen.cluster.apiserver.schema import cel_kubernetes, cel_strings

LONGEST_EXPRESSION: Final = 10 * 1024
"""Characters of source text that are compiled (Kubernetes bounds rules by an estimate of their cost instead)."""

BUDGET_EXCEEDED: Final = "validation failed due to running out of cost budget, no further validation rules will be run"

Type = cel.Type
"""CEL's types: `Type.STRING`, `Type.List(Type.INT)`, `Type.DYN`, ..."""

_OPTIONAL_PREFIX = "__maybe_"
_TRAILER = re.compile(r" \[[A-Z_]+\]$")
_STATUS = re.compile(r"^[A-Z_]+: ")
_MISSING_KEY = re.compile(r'Key not found in map : "(.*)"')
_BAD_INDEX = re.compile(r"Index error: index=(-?\d+) size=\d+")
_NO_OVERLOAD = re.compile(r"No matching overloads found : .*")
_FAULT = re.compile(r"^ERROR: [^:]*:\d+:\d+: (.*)$", re.MULTILINE)
_MIXED_NUMBERS = re.compile(
    r"found no matching overload for '_(?:<|<=|>|>=|==|!=)_' applied to '\((?:int|uint|double), (?:int|uint|double)\)'"
)


class ExpressionError(ValueError):
    """An expression that does not compile, or that fails when evaluated. The message is for its author."""


class Expression:
    """One compiled expression."""

    def __init__(self, compiled: Any, optional: frozenset[str]) -> None:
        self._compiled = compiled
        self._optional = optional

    @property
    def result_type(self) -> str:
        """`BOOL`, `STRING`, `INT`, `DYN`, ..."""
        return str(self._compiled.return_type().name()).upper()

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """The value as plain Python. An optional variable that is absent from `variables` is empty.

        Raises ExpressionError.
        """
        data = {
            (f"{_OPTIONAL_PREFIX}{name}" if name in self._optional else name): (
                [value] if name in self._optional else value
            )
            for name, value in variables.items()
        }
        for name in self._optional:
            data.setdefault(f"{_OPTIONAL_PREFIX}{name}", [])
        try:
            result = self._compiled.eval(data=data)
            value = result.plain_value()
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise ExpressionError(_evaluation_message(str(error))) from None
        if result.type() == cel.Type.ERROR:
            raise ExpressionError(_evaluation_message(str(value)))
        return value


class Environment:
    """Compiles expressions over the given variables (name -> CEL type).

    Those named in `optional` have CEL's optional type.
    """

    def __init__(self, variables: Mapping[str, Any], optional: frozenset[str] = frozenset()) -> None:
        self._optional = optional
        self._env = cel.NewEnv(
            variables={
                (f"{_OPTIONAL_PREFIX}{name}" if name in optional else name): (
                    cel.Type.List(kind) if name in optional else kind
                )
                for name, kind in variables.items()
            },
            extensions=[
                ext_optional.ExtOptional(),
                ext_bindings.ExtBindings(),
                ext_encoders.ExtEncoders(),
                ext_math.ExtMath(),
                cel.CelExtension("kubernetes", [*cel_strings.declarations(), *cel_kubernetes.declarations()]),
            ],
        )

    def compile(self, source: str) -> Expression:
        """Raises ExpressionError with the compiler's complaints."""
        if len(source) > LONGEST_EXPRESSION:
            raise ExpressionError(f"compilation failed: the expression has more than {LONGEST_EXPRESSION} characters")
        bound = source
        for name in sorted(self._optional):
            if name not in source:
                continue
            bound = f"cel.bind({name}, {_OPTIONAL_PREFIX}{name}[?0], {bound}\n)"
        try:
            return Expression(self._env.compile(bound), self._optional)
        except RuntimeError as error:
            message = _TRAILER.sub("", _STATUS.sub("", str(error)))
        faults = _FAULT.findall(message)
        if faults and all(_MIXED_NUMBERS.match(fault) for fault in faults):
            # Kubernetes compares numbers of different types; the evaluator does too, only this checker does not.
            return Expression(self._env.compile(bound, disable_check=True), self._optional)
        raise ExpressionError(f"compilation failed: {message}")


def _evaluation_message(message: str) -> str:
    """The evaluator's complaint in the words of cel-go, which is what Kubernetes' users know."""
    text = _TRAILER.sub("", _STATUS.sub("", message))
    if "Iteration budget exceeded" in text:
        return BUDGET_EXCEEDED
    if found := _MISSING_KEY.search(text):
        return f"no such key: {found[1]}"
    if found := _BAD_INDEX.search(text):
        return f"index out of bounds: {found[1]}"
    if _NO_OVERLOAD.search(text):
        return "no such overload"
    return text
