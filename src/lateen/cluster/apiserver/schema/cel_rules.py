"""`x-kubernetes-validations`: the rules of a schema, compiled once and evaluated against objects.

Source: k8s.io/apiextensions-apiserver `schema/cel` (when a rule applies, and how each failure reads).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from lateen.cluster.apiserver.schema.cel import BUDGET_EXCEEDED, Environment, Expression, ExpressionError
from lateen.cluster.apiserver.schema.cel_values import (
    cel_type,
    escaped,
    in_order_of,
    to_cel,
    type_signature,
    with_typed_paths,
)
from lateen.cluster.apiserver.schema.schema import MISSING, Rule, Schema
from lateen.cluster.apiserver.schema.value_equality import equal, unique_key
from lateen.cluster.status import Cause

SECONDS_PER_OBJECT: Final = 2.0
"""After this long, the remaining rules of one validation count as failed."""
LONGEST_MESSAGE: Final = 5 * 1024

_OLD_SELF = re.compile(r"\boldSelf\b")
_TEXT = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")

_MENTION = re.compile(r"(?<![\w.])(?:self|oldSelf)((?:\.[A-Za-z_]\w*)+)(\s*\()?")
_IMPLICIT: Final = ("apiVersion", "kind", "metadata")
"""Fields that whole objects have without saying so."""

_Check = Callable[[Any, Any, str, "_Run"], None]
"""(value, old value or MISSING, path, run)"""


@dataclass(slots=True)
class _Run:
    """One validation under way."""

    causes: list[Cause]
    deadline: float
    exhausted: bool = False


class _Environments:
    """One environment for each set of variable types: making one takes a millisecond and a quarter of a megabyte."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, bool, bool], Environment] = {}

    def get(self, schema: Schema, *, old: bool, optional: bool) -> Environment:
        key = (type_signature(schema), old, optional)
        if key not in self._made:
            kind = cel_type(schema)
            variables = {"self": kind, **({"oldSelf": kind} if old else {})}
            self._made[key] = Environment(variables, frozenset({"oldSelf"} if optional else ()))
        return self._made[key]


class Rules:
    """All rules of a schema. Raises ExpressionError when one does not compile (the message names no place)."""

    def __init__(self, schema: Schema) -> None:
        self._check = _compile(schema, _Environments())

    @property
    def exist(self) -> bool:
        return self._check is not None

    def evaluate(self, obj: Any, old: Any = MISSING) -> list[Cause]:
        """What the rules find wrong with an object that fits its schema."""
        if self._check is None:
            return []
        run = _Run([], time.monotonic() + SECONDS_PER_OBJECT)
        self._check(obj, old, "", run)
        return run.causes


def rule_faults(schema: Schema, path: str) -> Iterator[tuple[str, str, str]]:
    """Compiles every rule; yields (field path, rule text, complaint) for each that Kubernetes would not accept."""
    yield from _faults(schema, path, _Environments())


def _faults(schema: Schema, path: str, environments: _Environments, broken: str = "") -> Iterator[tuple[str, str, str]]:
    """`broken` is the path of a list above whose elements cannot be told apart over time."""
    for index, rule in enumerate(schema.rules):
        where = f"{path}.x-kubernetes-validations[{index}]"
        try:
            _check_fields(rule.rule, "rule", schema)
            _check_fields(rule.message_expression, "messageExpression", schema)
            _CompiledRule(schema, rule, environments)
        except ExpressionError as error:
            yield f"{where}.{error.args[1] if len(error.args) > 1 else 'rule'}", rule.rule, str(error.args[0])
        if broken and uses_old_self(rule.rule):
            detail = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {broken}"
            yield f"{where}.rule", rule.rule, detail
    for name, child in schema.properties.items():
        yield from _faults(child, f"{path}.properties[{name}]", environments, broken)
    if schema.items is not None:
        uncorrelatable = broken or ("" if schema.list_type == "map" else path)
        yield from _faults(schema.items, f"{path}.items", environments, uncorrelatable)
    if schema.additional is not None:
        yield from _faults(schema.additional, f"{path}.additionalProperties", environments, broken)


def _check_fields(source: str, field: str, schema: Schema) -> None:
    """Refuses mentions of fields that the schema does not have. (To the compiler, objects are dynamic.)"""
    for mention in _MENTION.finditer(_TEXT.sub(lambda text: " " * len(text[0]), source)):
        node: Schema | None = schema
        at = mention.start(1)
        names = mention[1].split(".")[1:]
        for name in names[:-1] if mention[2] else names:
            if node is None or not node.properties:
                break
            known = {escaped(property_name): child for property_name, child in node.properties.items()}
            if name not in known and name not in _IMPLICIT:
                line = source[:at].count("\n") + 1
                column = at - source.rfind("\n", 0, at)
                shown = source.splitlines()[line - 1]
                place = f"ERROR: <input>:{line}:{column}: undefined field '{name}'"
                raise ExpressionError(f"compilation failed: {place}\n | {shown}\n | {'.' * (column - 1)}^", field)
            node = known.get(name)
            at += len(name) + 1


class _CompiledRule:
    def __init__(self, schema: Schema, rule: Rule, environments: _Environments, *, root: bool = False) -> None:
        self._schema, self._rule, self._root = schema, rule, root
        self.transition = uses_old_self(rule.rule)
        self._optional_old = bool(rule.optional_old_self)
        old = self.transition or self._optional_old
        environment = environments.get(schema, old=old, optional=self._optional_old)
        self._expression = _compile_to(environment, with_typed_paths(rule.rule, schema), "rule", "BOOL", "bool")
        self._message: Expression | None = None
        if rule.message_expression:
            said = with_typed_paths(rule.message_expression, schema)
            self._message = _compile_to(environment, said, "messageExpression", "STRING", "string")

    def check(self, value: Any, old: Any, unchanged: bool, path: str, run: _Run) -> None:
        if self.transition or self._optional_old:
            if old is MISSING and not self._optional_old:
                return
        elif unchanged:
            return
        if run.exhausted:
            return
        if time.monotonic() > run.deadline:
            run.exhausted = True
            self._report(path, run, BUDGET_EXCEEDED)
            return
        variables = {"self": to_cel(value, self._schema, root=self._root)}
        if old is not MISSING and (self.transition or self._optional_old):
            variables["oldSelf"] = to_cel(in_order_of(old, value, self._schema), self._schema, root=self._root)
        try:
            holds = self._expression.evaluate(variables)
        except ExpressionError as error:
            self._report(path, run, _complaint(str(error), self._rule.rule))
            return
        if holds is not True:
            self._fail(path, run, variables)

    def _fail(self, path: str, run: _Run, variables: dict[str, Any]) -> None:
        rule = self._rule
        detail = self._custom_message(variables) or rule.message.strip() or f"failed rule: {rule.rule}"
        where = f"{path}{rule.field_path}".lstrip(".") if rule.field_path else path
        kind = self._schema.type or "object"
        match rule.reason:
            case "FieldValueForbidden":
                message = f"Forbidden: {detail}"
            case "FieldValueRequired":
                message = f"Required value: {detail}"
            case "FieldValueDuplicate":
                message = f'Duplicate value: "{kind}"'
            case _:
                message = f'Invalid value: "{kind}": {detail}'
        run.causes.append(Cause(rule.reason, message, where or "<nil>"))

    def _custom_message(self, variables: dict[str, Any]) -> str:
        """What the message expression says; empty when it fails or says nothing fit for a message."""
        if self._message is None:
            return ""
        try:
            text = self._message.evaluate(variables)
        except ExpressionError:
            return ""
        if not isinstance(text, str) or "\n" in text or len(text) > LONGEST_MESSAGE:
            return ""
        return text.strip()

    def _report(self, path: str, run: _Run, detail: str) -> None:
        kind = self._schema.type or "object"
        run.causes.append(Cause("FieldValueInvalid", f'Invalid value: "{kind}": {detail}', path or "<nil>"))


def uses_old_self(source: str) -> bool:
    """Whether an expression looks at the previous value (strings that only mention it do not count)."""
    return _OLD_SELF.search(_TEXT.sub("", source)) is not None


def _compile_to(environment: Environment, source: str, field: str, kind: str, shown: str) -> Expression:
    try:
        expression = environment.compile(source)
    except ExpressionError as error:
        raise ExpressionError(str(error), field) from None
    if expression.result_type not in (kind, "DYN"):
        raise ExpressionError(f"cel expression must evaluate to a {shown}", field)
    return expression


def _complaint(message: str, rule: str) -> str:
    if message.startswith("no such overload"):
        detail = "call arguments did not match a supported operator, function or macro signature for rule"
        return f"'{message}': {detail}: {rule}"
    if message == BUDGET_EXCEEDED:
        return f"'{message}': no further validation rules will be run due to call cost exceeds limit for rule: {rule}"
    return f"{message} evaluating rule: {rule}"


def _compile(schema: Schema, environments: _Environments, above: frozenset[int] = frozenset()) -> _Check | None:
    """A closure over the subtree, or None when nothing in it has rules. Recursive (built-in) schemas have none."""
    if id(schema) in above:
        return None
    within = above | {id(schema)}
    rules = [_CompiledRule(schema, rule, environments, root=not above) for rule in schema.rules]
    compiled = {name: _compile(child, environments, within) for name, child in schema.properties.items()}
    properties = {name: nested for name, nested in compiled.items() if nested is not None}
    items = _compile(schema.items, environments, within) if schema.items is not None else None
    additional = _compile(schema.additional, environments, within) if schema.additional is not None else None
    if not rules and not properties and items is None and additional is None:
        return None
    keys = schema.list_map_keys if schema.list_type == "map" else ()

    def check(value: Any, old: Any, path: str, run: _Run) -> None:
        if value is None:
            return
        unchanged = old is not MISSING and equal(value, old)
        for rule in rules:
            rule.check(value, old, unchanged, path, run)
        if isinstance(value, dict):
            for key, child in value.items():
                before = old.get(key, MISSING) if isinstance(old, dict) else MISSING
                if (known := properties.get(key)) is not None:
                    known(child, before, f"{path}.{key}" if path else key, run)
                elif additional is not None and key not in schema.properties:
                    additional(child, before, f"{path}[{key}]", run)
        elif isinstance(value, list) and items is not None:
            before_by_key = _by_key(old, keys)
            for index, child in enumerate(value):
                before = before_by_key.get(_key(child, keys), MISSING) if before_by_key else MISSING
                items(child, before, f"{path}[{index}]", run)

    return check


def _by_key(old: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    if not keys or not isinstance(old, list):
        return {}
    return {_key(element, keys): element for element in old}


def _key(element: Any, keys: tuple[str, ...]) -> str:
    return unique_key([element.get(key) for key in keys]) if isinstance(element, dict) else ""
