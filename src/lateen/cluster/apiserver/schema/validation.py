"""Validation of objects against schemas, with the causes and the words that Kubernetes answers with.

Sources: k8s.io/kube-openapi `validate`, k8s.io/apiextensions-apiserver `validation`, `listtype` and `cel`. A schema is
compiled once into closures; the owner of the schema keeps the `Validator`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from lateen.cluster.apiserver.schema.cel_rules import Rules
from lateen.cluster.apiserver.schema.json_schema import parse
from lateen.cluster.apiserver.schema.schema import MISSING, Schema
from lateen.cluster.apiserver.schema.value_checks import (
    Problem,
    list_checks,
    number_checks,
    object_checks,
    string_checks,
    type_name,
)
from lateen.cluster.apiserver.schema.value_equality import equal, unique_key
from lateen.cluster.status import Cause, invalid_value, not_supported, required

NO_FIELD: Final = "<nil>"
"""What Kubernetes names as the field of a cause that it cannot pin on one."""

BLOCKING: Final = frozenset(
    (
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    )
)
"""Causes after which rules are not evaluated: they could not rely on the schema."""

_UNCHECKED: Final = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete"
    " validation"
)

_Check = Callable[[Any, Any, str, list[Cause]], None]
"""(value, old value or MISSING, path, causes found so far)"""


class Validator:
    """A compiled schema. Compiling a schema whose patterns or rules do not parse raises ValueError."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._rules = Rules(schema)
        self._check = _Compiler().node(schema)

    def validate(self, obj: Any, old: Any = MISSING) -> list[Cause]:
        """All faults of `obj`. With `old`, what has not changed is not complained about (validation ratcheting)."""
        causes: list[Cause] = []
        self._check(obj, old, "", causes)
        _check_lists(obj, old, self._schema, "", causes)
        if any(cause.type in BLOCKING for cause in causes):
            if self._rules.exist:
                causes.append(invalid_value(NO_FIELD, "null", _UNCHECKED))
        else:
            causes.extend(self._rules.evaluate(obj, old))
        return causes


def validate(obj: Any, schema: Schema, old: Any = MISSING) -> list[Cause]:
    """Compiles and validates once; who validates often keeps a `Validator`."""
    return Validator(schema).validate(obj, old)


class _Compiler:
    """Turns nodes into closures. Nodes may be recursive: a node under way is called through its place in `_done`."""

    def __init__(self) -> None:
        self._done: dict[int, _Check] = {}
        self._started: set[int] = set()

    def node(self, schema: Schema) -> _Check:
        identity = id(schema)
        if identity in self._done:
            return self._done[identity]
        if identity in self._started:
            return lambda value, old, path, causes: self._done[identity](value, old, path, causes)
        self._started.add(identity)
        check = self._compile(schema)
        self._done[identity] = check
        return check

    def _compile(self, schema: Schema) -> _Check:
        types = _types(schema)
        expected = ",".join(types)
        validations = schema.value_validations
        composed = self._composed(validations)
        problems_of_string = string_checks(schema)
        problems_of_number = number_checks(schema)
        problems_of_list = list_checks(schema)
        problems_of_object = object_checks(schema)
        enum = _enum(validations["enum"]) if "enum" in validations else None
        items = self.node(schema.items) if schema.items is not None else None
        properties = {name: self.node(child) for name, child in schema.properties.items()}
        additional = self.node(schema.additional) if schema.additional is not None else None
        names, nullable, embedded = schema.required, schema.nullable, schema.embedded_resource
        list_map_keys = schema.list_map_keys if schema.list_type == "map" else ()

        def check(value: Any, old: Any, path: str, causes: list[Cause]) -> None:
            if old is not MISSING and equal(value, old):
                return
            if value is None:
                if nullable or not types:
                    return
                causes.append(_wrong_type(path, expected, "null"))
                return
            actual = type_name(value)
            if types and actual not in types and not _passes_as(value, actual, types):
                causes.append(_wrong_type(path, expected, actual))
                return
            for composition in composed:
                composition(value, MISSING, path, causes)
            if isinstance(value, str):
                _report(problems_of_string(value, path), path, causes)
            elif isinstance(value, list):
                _report(problems_of_list(value, path), path, causes)
                if items is not None:
                    correlated = _correlate(value, old, list_map_keys)
                    for index, child in enumerate(value):
                        items(child, correlated(index), f"{path}[{index}]", causes)
            elif not isinstance(value, (dict, bool)):
                _report(problems_of_number(value, path), path, causes)
            if enum is not None:
                enum(value, old, path, causes)
            if isinstance(value, dict):
                _report(problems_of_object(value, path), path, causes)
                for key, child in value.items():
                    known = properties.get(key, additional)
                    if known is not None:
                        before = old.get(key, MISSING) if isinstance(old, dict) else MISSING
                        known(child, before, f"{path}.{key}" if path else key, causes)
                for name in names:
                    if name not in value:
                        causes.append(required(f"{path}.{name}" if path else name))
                if embedded:
                    for name in ("apiVersion", "kind"):
                        if not value.get(name):
                            causes.append(required(f"{path}.{name}", "must not be empty"))

        return check

    def _composed(self, validations: dict[str, Any]) -> list[_Check]:
        checks: list[_Check] = []
        if alternatives := [self.node(parse(props)) for props in validations.get("anyOf") or ()]:
            checks.append(_any_of(alternatives))
        if alternatives := [self.node(parse(props)) for props in validations.get("oneOf") or ()]:
            checks.append(_one_of(alternatives))
        if parts := [self.node(parse(props)) for props in validations.get("allOf") or ()]:
            checks.append(_all_of(parts))
        if (excluded := validations.get("not")) is not None:
            checks.append(_not(self.node(parse(excluded))))
        return checks


def _types(schema: Schema) -> tuple[str, ...]:
    if schema.int_or_string:
        return ("integer", "string")
    return (schema.type,) if schema.type else ()


def _passes_as(value: Any, actual: str, types: tuple[str, ...]) -> bool:
    """An integer is a number; a number without fraction is an integer."""
    if actual == "integer":
        return "number" in types
    return actual == "number" and "integer" in types and float(value).is_integer()


def _wrong_type(path: str, expected: str, actual: str) -> Cause:
    detail = f'{path} in body must be of type {expected}: "{actual}"'
    return dataclasses.replace(invalid_value(path or NO_FIELD, actual, detail), type="FieldValueTypeInvalid")


def _report(problems: Sequence[Problem], path: str, causes: list[Cause]) -> None:
    for problem in problems:
        causes.append(Cause(problem.type, problem.message, path or NO_FIELD))


def _correlate(value: list[Any], old: Any, keys: tuple[str, ...]) -> Callable[[int], Any]:
    """Which element of the old list an element is to be compared with: by the keys of a list map, otherwise none."""
    if not keys or not isinstance(old, list):
        return lambda index: MISSING
    before = {_map_key(element, keys): element for element in old if isinstance(element, dict)}

    def correlated(index: int) -> Any:
        element = value[index]
        return before.get(_map_key(element, keys), MISSING) if isinstance(element, dict) else MISSING

    return correlated


def _map_key(element: dict[str, Any], keys: tuple[str, ...]) -> str:
    return unique_key([element.get(key) for key in keys])


def _enum(allowed: Sequence[Any]) -> _Check:
    # Kubernetes lists what is not text as JSON.
    shown = [value if isinstance(value, str) else msgspec.json.encode(value).decode() for value in allowed]

    def check(value: Any, old: Any, path: str, causes: list[Cause]) -> None:
        if not any(equal(value, candidate) for candidate in allowed):
            causes.append(not_supported(path or NO_FIELD, value, shown))

    return check


def _attempt(check: _Check, value: Any, path: str) -> list[Cause]:
    found: list[Cause] = []
    check(value, MISSING, path, found)
    return found


def _composition(path: str, text: str) -> Cause:
    return invalid_value(NO_FIELD, "", f'"{path}" {text}')


def _fewest(failures: Sequence[list[Cause]]) -> list[Cause]:
    """The alternative that came closest stands for all."""
    return min(failures, key=lambda found: len(found))


def _any_of(alternatives: list[_Check]) -> _Check:
    def check(value: Any, old: Any, path: str, causes: list[Cause]) -> None:
        failures = []
        for alternative in alternatives:
            found = _attempt(alternative, value, path)
            if not found:
                return
            failures.append(found)
        causes.append(_composition(path, "must validate at least one schema (anyOf)"))
        causes.extend(_fewest(failures))

    return check


def _one_of(alternatives: list[_Check]) -> _Check:
    def check(value: Any, old: Any, path: str, causes: list[Cause]) -> None:
        results = [_attempt(alternative, value, path) for alternative in alternatives]
        valid = sum(not found for found in results)
        if valid == 1:
            return
        found = f"Found {valid} valid alternatives" if valid else "Found none valid"
        causes.append(_composition(path, f"must validate one and only one schema (oneOf). {found}"))
        if not valid:
            causes.extend(_fewest(results))

    return check


def _all_of(parts: list[_Check]) -> _Check:
    def check(value: Any, old: Any, path: str, causes: list[Cause]) -> None:
        results = [_attempt(part, value, path) for part in parts]
        failed = [found for found in results if found]
        for found in failed:
            causes.extend(found)
        if failed:
            none = ". None validated" if len(failed) == len(parts) else ""
            causes.append(_composition(path, f"must validate all the schemas (allOf){none}"))

    return check


def _not(excluded: _Check) -> _Check:
    def check(value: Any, old: Any, path: str, causes: list[Cause]) -> None:
        if not _attempt(excluded, value, path):
            causes.append(_composition(path, "must not validate the schema (not)"))

    return check


def _check_lists(value: Any, old: Any, schema: Schema, path: str, causes: list[Cause]) -> None:
    """Duplicates in lists that are sets or maps. Lists that have not changed are left alone."""
    if old is not MISSING and equal(value, old):
        return
    if isinstance(value, dict):
        for key, child in value.items():
            known = schema.properties.get(key)
            where = f"{path}.{key}" if path else key
            if known is None:
                known, where = schema.additional, f"{path}[{key}]"
            if known is not None and isinstance(child, (dict, list)):
                before = old.get(key, MISSING) if isinstance(old, dict) else MISSING
                _check_lists(child, before, known, where, causes)
    elif isinstance(value, list):
        if schema.list_type == "set":
            _duplicates(value, path, causes)
        elif schema.list_type == "map":
            for index, element in enumerate(value):
                if element is not None and not isinstance(element, dict):
                    detail = "must be an object for an array of list-type map"
                    causes.append(invalid_value(f"{path}[{index}]", element, detail))
                    return
            keys = [{key: (e or {})[key] for key in schema.list_map_keys if key in (e or {})} for e in value]
            _duplicates(keys, path, causes)
        if schema.items is not None:
            correlated = _correlate(value, old, schema.list_map_keys if schema.list_type == "map" else ())
            for index, child in enumerate(value):
                if isinstance(child, (dict, list)):
                    _check_lists(child, correlated(index), schema.items, f"{path}[{index}]", causes)


def _duplicates(values: list[Any], path: str, causes: list[Cause]) -> None:
    """Names the second appearance of each value that appears more than once."""
    seen: dict[str, int] = {}
    for index, value in enumerate(values):
        key = unique_key(value)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] == 2:
            shown = msgspec.json.encode(value).decode()
            causes.append(Cause("FieldValueDuplicate", f"Duplicate value: {shown}", f"{path}[{index}]"))
