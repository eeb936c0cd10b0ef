"""The slow path: walks a value against its shape, tells all that is wrong with it, and straightens what is lenient.

Proto-JSON lets users write the same value in several ways: field names in snake_case, numbers as strings, enums by
number, null for absent. Walking turns each into its one strict form, which the fast path then decodes: so both ways
give the same value.
"""

from __future__ import annotations

import binascii
import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import re2

from lateen.api.schema.duration import parse_duration
from lateen.api.schema.fault import Fault, error
from lateen.api.schema.shape import (
    Alternatives,
    Anything,
    Boolean,
    Choice,
    Entries,
    FieldShape,
    Items,
    MessageShape,
    Number,
    Shape,
    Span,
    Text,
)

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.0+)?(?:[eE]\+?[0-9]{1,2})?")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_SPECIAL: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_LONGEST_SHOWN: Final = 60
MOST_FAULTS: Final = 50
"""Faults told of one object."""


class _Bad:
    """Stands for a value that has faults."""


_BAD: Final = _Bad()


def straighten(value: Any, shape: Shape, path: str, faults: list[Fault]) -> Any:
    """The strict form of a value. Faults, located below `path`, are appended; then the result means nothing."""
    is_proto = not isinstance(shape, MessageShape) or shape.strict
    return _Walk(faults, is_proto).any(value, shape, path)


class _Walk:
    def __init__(self, faults: list[Fault], is_proto: bool) -> None:
        self._faults = faults
        self._is_proto = is_proto
        """Numbers may be strings, and enums numbers. In Kubernetes' own kinds they may not."""

    def _bad(self, path: str, message: str) -> _Bad:
        if len(self._faults) < MOST_FAULTS:
            self._faults.append(error(path, message))
        elif len(self._faults) == MOST_FAULTS:
            self._faults.append(error("", "there are further faults"))
        return _BAD

    def any(self, value: Any, shape: Shape, path: str) -> Any:
        match shape:
            case MessageShape():
                return self._message(value, shape, path)
            case Items():
                return self._items(value, shape, path)
            case Entries():
                return self._entries(value, shape, path)
            case Text():
                return self._text(value, shape, path)
            case Number():
                return self._number(value, shape, path)
            case Choice():
                return self._choice(value, shape, path)
            case Boolean():
                return value if isinstance(value, bool) else self._bad(path, _expected("true or false", value))
            case Span():
                return self._span(value, path)
            case Alternatives():
                good = isinstance(value, (str, int)) and not isinstance(value, bool)
                return value if good else self._bad(path, _expected("a string or an integer", value))
            case Anything():
                if shape.is_object and not isinstance(value, Mapping):
                    return self._bad(path, _expected("an object", value))
                return value

    def _message(self, value: Any, shape: MessageShape, path: str) -> Any:
        if not isinstance(value, Mapping):
            return self._bad(path, _expected("an object", value))
        found: dict[str, Any] = {}
        seen: dict[str, str] = {}
        names = _names(shape)
        for key, item in value.items():
            field = names.get(key)
            if field is None:
                if shape.strict:
                    self._bad(_join(path, key), _unknown(key, shape))
                continue
            if item is None:
                continue
            if field.name in seen:
                self._bad(_join(path, key), f"the same field as {seen[field.name]}, which is set already")
                continue
            seen[field.name] = key
            found[field.name] = self.any(item, field.shape, _join(path, key))
        for field in shape.fields:
            if field.required and field.name not in seen:
                self._bad(_join(path, field.name), f"missing: {_kind(field.shape)} is required")
        return found

    def _items(self, value: Any, shape: Items, path: str) -> Any:
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
            return self._bad(path, _expected("a list", value))
        self._length(len(value), shape.min_length, shape.max_length, "items", path)
        return [self.any(item, shape.item, f"{path}[{index}]") for index, item in enumerate(value)]

    def _entries(self, value: Any, shape: Entries, path: str) -> Any:
        if not isinstance(value, Mapping):
            return self._bad(path, _expected("an object", value))
        self._length(len(value), shape.min_length, shape.max_length, "entries", path)
        found: dict[str, Any] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                self._bad(f"{path}[{key}]", _expected("a string as key", key))
                continue
            self._text(key, shape.key, f"{path}[{key}]")
            found[key] = self.any(item, shape.value, f"{path}[{key}]")
        return found

    def _length(self, length: int, least: int | None, most: int | None, what: str, path: str) -> None:
        if least is not None and length < least:
            self._bad(path, f"expected at least {least} {what}, got {length}")
        if most is not None and length > most:
            self._bad(path, f"expected at most {most} {what}, got {length}")

    def _text(self, value: Any, shape: Text, path: str) -> Any:
        if not isinstance(value, str):
            return self._bad(path, _expected("a string", value) + _quoting(value))
        if shape.base64:
            return self._base64(value, path)
        self._length(len(value), shape.min_length, shape.max_length, "characters", path)
        if shape.pattern is not None and re2.search(shape.pattern, value) is None:
            self._bad(path, f"expected a string that matches {shape.pattern}, got {_shown(value)}")
        return value

    def _base64(self, value: str, path: str) -> Any:
        padded = value.replace("-", "+").replace("_", "/")
        padded += "=" * (-len(padded) % 4)
        try:
            binascii.a2b_base64(padded, strict_mode=True)
        except ValueError as problem:
            return self._bad(path, f"expected base64, got {_shown(value)}: {problem}")
        return padded

    def _number(self, value: Any, shape: Number, path: str) -> Any:
        expected = "an integer" if shape.is_integer else "a number"
        number: int | float | None = None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            number = value
        elif isinstance(value, str) and self._is_proto:
            number = _read_number(value, shape.is_integer)
        if number is None:
            return self._bad(path, _expected(expected, value))
        if shape.is_integer:
            if isinstance(number, float) and not (math.isfinite(number) and number.is_integer()):
                return self._bad(path, _expected(expected, value))
            number = int(number)
        for broken, bound in (
            (shape.minimum is not None and number < shape.minimum, f"at least {_plain(shape.minimum)}"),
            (shape.maximum is not None and number > shape.maximum, f"at most {_plain(shape.maximum)}"),
            (shape.above is not None and number <= shape.above, f"more than {_plain(shape.above)}"),
            (shape.below is not None and number >= shape.below, f"less than {_plain(shape.below)}"),
        ):
            if broken:
                return self._bad(path, f"expected {bound}, got {_shown(value)}")
        return number

    def _choice(self, value: Any, shape: Choice, path: str) -> Any:
        if isinstance(value, str) and value in shape.values:
            return value
        if self._is_proto and type(value) is int and value in shape.numbers:
            return shape.values[shape.numbers.index(value)]
        hint = _closest(value, shape.values) if isinstance(value, str) else ""
        return self._bad(path, f"expected one of {', '.join(shape.values)}, got {_shown(value)}{hint}")

    def _span(self, value: Any, path: str) -> Any:
        if not isinstance(value, str):
            return self._bad(path, _expected("a duration such as 1.5s, 100ms or 1h30m", value))
        try:
            parse_duration(value)
        except ValueError as problem:
            return self._bad(path, str(problem))
        return value


def _names(shape: MessageShape) -> dict[str, FieldShape]:
    """Fields by all the names they may be written with."""
    if not shape.strict:
        return {field.name: field for field in shape.fields}
    return {name: field for field in shape.fields for name in (field.proto_name, field.other_name, field.name) if name}


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


def _read_number(text: str, is_integer: bool) -> int | float | None:
    if is_integer:
        if not _INTEGER.fullmatch(text):
            return None
        return int(text) if text.lstrip("-").isdigit() else float(text)
    if text in _SPECIAL:
        return _SPECIAL[text]
    return float(text) if _FLOAT.fullmatch(text) else None


def _plain(bound: float | None) -> str:
    return str(int(bound)) if bound is not None and float(bound).is_integer() else str(bound)


def _expected(what: str, value: Any) -> str:
    return f"expected {what}, got {_shown(value)}"


def _quoting(value: Any) -> str:
    return "; put it in quotes" if isinstance(value, (bool, int, float)) else ""


def _shown(value: Any) -> str:
    """A value in few words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            short = value if len(value) <= _LONGEST_SHOWN else value[: _LONGEST_SHOWN - 1] + "…"
            return msgspec.json.encode(short).decode()
        case int() | float():
            return str(value)
        case Mapping():
            return "an object"
        case Sequence():
            return "a list"
    return f"a {type(value).__name__}"


def _kind(shape: Shape) -> str:
    match shape:
        case MessageShape() | Entries() | Anything():
            return "an object"
        case Items():
            return "a list"
        case Number():
            return "an integer" if shape.is_integer else "a number"
        case Choice():
            return f"one of {', '.join(shape.values)}"
        case Span():
            return "a duration"
        case Boolean():
            return "true or false"
    return "a string"


def _unknown(key: object, shape: MessageShape) -> str:
    names = [field.name for field in shape.fields]
    hint = _closest(str(key), names)
    if not hint:
        listed = f"; expected one of {', '.join(sorted(names))}" if len(names) <= 12 else ""
        return f"unknown field{listed}"
    return f"unknown field{hint}"


def _closest(text: str, candidates: Sequence[str]) -> str:
    """`; did you mean ...?`, or nothing."""
    plain = {candidate.lower().replace("_", ""): candidate for candidate in candidates}
    wanted = text.lower().replace("_", "").replace("-", "")
    near = difflib.get_close_matches(wanted, list(plain), n=1, cutoff=0.7)
    return f"; did you mean {plain[near[0]]}?" if near else ""
