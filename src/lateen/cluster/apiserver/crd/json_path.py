"""The simple JSONPath of CRDs: printer columns, scale paths, selectable fields.

Source: k8s.io/client-go `jsonpath`, restricted as apiextensions does: fields, indices, `[*]` and filters such as
`.status.conditions[?(@.type=="Ready")].status`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from lateen.cluster.apiserver.schema.value_equality import equal

_Step = Callable[[list[Any]], list[Any]]

_FIELD = re.compile(r"\.((?:[^.\[\]\\]|\\.)+)")
_QUOTED = re.compile(r"\[(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")\]")
_INDEX = re.compile(r"\[(-?\d+)\]")
_ALL = re.compile(r"\[\*\]|\.\*")
_FILTER = re.compile(r"\[\?\(\s*@((?:[^=!<>()'\"]|\\.)*?)\s*(?:(==|!=|<=|>=|<|>)\s*(.+?)\s*)?\)\]")
_LONGEST = 4096


class JsonPath:
    """A compiled path. Raises ValueError for what is no path of this kind."""

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise ValueError("the path is too long")
        body = text.strip()
        if body.startswith("{") and body.endswith("}"):
            body = body[1:-1]
        self._steps = _steps(body.removeprefix("$"), text)

    def find(self, obj: Any) -> list[Any]:
        """Every value that the path leads to."""
        values = [obj]
        for step in self._steps:
            values = step(values)
        return values

    def first(self, obj: Any) -> Any:
        """The first value found, or None."""
        found = self.find(obj)
        return found[0] if found else None


def _steps(body: str, text: str) -> list[_Step]:
    steps: list[_Step] = []
    at = 0
    while at < len(body):
        if found := _ALL.match(body, at):
            steps.append(_children)
        elif found := _FIELD.match(body, at):
            steps.append(_field(re.sub(r"\\(.)", r"\1", found[1])))
        elif found := _QUOTED.match(body, at):
            steps.append(_field(re.sub(r"\\(.)", r"\1", found[1] if found[1] is not None else found[2])))
        elif found := _INDEX.match(body, at):
            steps.append(_element(int(found[1])))
        elif found := _FILTER.match(body, at):
            steps.append(_filter(_steps(found[1], text), found[2] or "", found[3] or ""))
        else:
            raise ValueError(f"unrecognized character in {text!r} at {at}")
        at = found.end()
    return steps


def _field(name: str) -> _Step:
    return lambda values: [value[name] for value in values if isinstance(value, dict) and name in value]


def _element(index: int) -> _Step:
    return lambda values: [
        value[index] for value in values if isinstance(value, list) and -len(value) <= index < len(value)
    ]


def _children(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if isinstance(value, list):
            found += value
        elif isinstance(value, dict):
            found += value.values()
    return found


def _filter(inner: list[_Step], operator: str, literal: str) -> _Step:
    wanted = _literal(literal) if operator else None

    def holds(element: Any) -> bool:
        values = [element]
        for step in inner:
            values = step(values)
        if not operator:
            return bool(values)
        return any(_compare(value, operator, wanted) for value in values)

    return lambda values: [
        element for value in values if isinstance(value, list) for element in value if holds(element)
    ]


def _literal(text: str) -> Any:
    if text.startswith("'") and text.endswith("'") and len(text) >= 2:
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(f"unrecognized literal {text!r}") from None


def _compare(value: Any, operator: str, wanted: Any) -> bool:
    if operator in ("==", "!="):
        return equal(value, wanted) == (operator == "==")
    if isinstance(value, (int, float)) and isinstance(wanted, (int, float)):
        return {"<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted}[operator]
    if isinstance(value, str) and isinstance(wanted, str):
        return {"<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted}[operator]
    return False
