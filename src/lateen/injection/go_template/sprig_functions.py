"""The functions of Sprig that injection templates use. None of them reads files, the network, the clock or the
environment, and none is random: the same pod is injected the same way."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import re2

from lateen.injection.go_template.budget import bounded_length
from lateen.injection.go_template.errors import TemplateError
from lateen.injection.go_template.go_values import ZERO, GoObject, is_true, kind_of, shown, unwrapped
from lateen.injection.go_template.printf import quoted

_Function = Callable[..., Any]


def default(otherwise: Any, value: Any = None) -> Any:
    return value if is_true(value) else otherwise


def coalesce(*values: Any) -> Any:
    return next((value for value in values if is_true(value)), None)


def fail(message: str) -> Any:
    raise TemplateError(message)


def _list(value: Any) -> list[Any]:
    if value is None or value is ZERO:
        return []
    if not isinstance(value, (list, tuple)):
        raise TemplateError(f"a list is expected, not a {kind_of(value)}")
    return list(value)


def _map(value: Any) -> dict[str, Any]:
    if isinstance(value, GoObject):
        return dict(value.raw)
    if value is None or value is ZERO:
        return {}
    if not isinstance(value, Mapping):
        raise TemplateError(f"a map is expected, not a {kind_of(value)}")
    return dict(value)


def _number(value: Any) -> int | float:
    if value is ZERO or value is None:
        return 0
    if isinstance(value, str):
        try:
            return int(value, 0) if value.strip() else 0
        except ValueError:
            try:
                return float(value)
            except ValueError:
                return 0
    return value  # type: ignore[no-any-return]


def _int(value: Any) -> int:
    number = _number(value)
    return int(number) if not isinstance(number, float) or math.isfinite(number) else 0


def _divided(left: Any, right: Any) -> int:
    if not _int(right):
        raise TemplateError("division by zero")
    quotient = abs(_int(left)) // abs(_int(right))
    return quotient if (_int(left) < 0) == (_int(right) < 0) else -quotient


def _product(*values: Any) -> int:
    result = 1
    for value in values:
        result *= _int(value)
        if abs(result) > 2**63:
            raise TemplateError("a number is too large")
    return result


def _set(found: Any, key: str, value: Any) -> Any:
    """Sprig changes the map itself; `$x` and what is given back are the same map."""
    if not isinstance(found, dict):
        raise TemplateError(f"a map is expected, not a {kind_of(found)}")
    found[key] = value
    return found


def _unset(found: Any, key: str) -> Any:
    if not isinstance(found, dict):
        raise TemplateError(f"a map is expected, not a {kind_of(found)}")
    found.pop(key, None)
    return found


def _dictionary(*pairs: Any) -> dict[str, Any]:
    keys, values = pairs[::2], [*pairs[1::2], *([""] if len(pairs) % 2 else [])]
    return {shown(key): value for key, value in zip(keys, values, strict=True)}


def _merged(*maps: Any, first_wins: bool = True) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for each in maps if not first_wins else reversed(maps):
        for key, value in _map(each).items():
            both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
            # The arguments are in rising order of precedence here.
            result[key] = _merged(result[key], value, first_wins=False) if both else value
    return result


def _dug(*arguments: Any) -> Any:
    *keys, otherwise, value = arguments
    for key in keys:
        found = _map(value)
        if key not in found:
            return otherwise
        value = found[key]
    return value


def _has(item: Any, values: Any) -> bool:
    return unwrapped(item) in [unwrapped(each) for each in _list(values)]


def _unique(values: Any) -> list[Any]:
    found: list[Any] = []
    for value in _list(values):
        if not _has(value, found):
            found.append(value)
    return found


def _joined(separator: str, values: Any) -> str:
    return separator.join(shown(each) for each in _list(values) if each is not None)


def _truncated(length: int, text: Any) -> str:
    return shown(text)[:length] if length >= 0 else shown(text)[length:]


def _repeated(count: int, text: Any) -> str:
    bounded_length(len(shown(text)) * max(count, 0))
    return shown(text) * count


def _until(count: int) -> list[int]:
    bounded_length(abs(count))
    return list(range(count)) if count >= 0 else list(range(0, count, -1))


def _until_step(start: int, stop: int, step: int) -> list[int]:
    if not step:
        return []
    bounded_length(max(0, (stop - start) // step))
    return list(range(start, stop, step))


def _indented(spaces: int, text: Any) -> str:
    source = shown(text)
    bounded_length(spaces * (source.count("\n") + 1))
    pad = " " * spaces
    return pad + source.replace("\n", "\n" + pad)


def _replaced(old: str, new: str, text: Any) -> str:
    source = shown(text)
    bounded_length(len(source) + source.count(old) * max(0, len(new) - len(old)))
    return source.replace(old, new)


def _split(separator: str, text: Any) -> list[str]:
    return shown(text).split(separator) if separator else list(shown(text))


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace")
    except ValueError as problem:
        return str(problem)


def _from_json(text: Any) -> Any:
    try:
        return json.loads(shown(text))
    except (ValueError, RecursionError):
        return None


def to_json(value: Any) -> str:
    return json.dumps(unwrapped(value), separators=(",", ":"), sort_keys=True)


def _matching(pattern: str) -> Any:
    try:
        return re2.compile(pattern)
    except re2.error as problem:
        raise TemplateError(f"{pattern!r} is not a regular expression: {problem}") from None


def _regex_replaced(pattern: str, text: Any, replacement: str) -> str:
    """Go writes groups as `$1` and `${1}`."""
    compiled = _matching(pattern)
    template = _matching(r"\$\{?(\w+)\}?").sub(r"\\g<\1>", replacement.replace("\\", "\\\\"))
    found: str = compiled.sub(template, shown(text))
    return found


def _regex_found(pattern: str, text: Any) -> str:
    found = _matching(pattern).search(shown(text))
    return found[0] if found is not None else ""


def _ternary(yes: Any, no: Any, condition: bool) -> Any:
    return yes if condition else no


def _text(method: Callable[[str], Any]) -> _Function:
    return lambda text: method(shown(text))


def _two(method: Callable[[str, str], Any]) -> _Function:
    """Sprig puts the text last, so that it can be piped in."""
    return lambda part, text: method(shown(text), shown(part))


SPRIG_FUNCTIONS: Final[Mapping[str, _Function]] = {
    "default": default,
    "coalesce": coalesce,
    "empty": lambda value: not is_true(value),
    "ternary": _ternary,
    "fail": fail,
    # strings
    "quote": lambda *values: " ".join(quoted(shown(each)) for each in values if each is not None),
    "squote": lambda *values: " ".join(f"'{shown(each)}'" for each in values if each is not None),
    "trim": _text(str.strip),
    "upper": _text(str.upper),
    "lower": _text(str.lower),
    "toLower": _text(str.lower),
    "toUpper": _text(str.upper),
    "title": _text(str.title),
    "nospace": _text(lambda text: "".join(text.split())),
    "trimSuffix": _two(str.removesuffix),
    "trimPrefix": _two(str.removeprefix),
    "trimAll": _two(str.strip),
    "hasPrefix": _two(str.startswith),
    "hasSuffix": _two(str.endswith),
    "contains": lambda part, text: shown(part) in shown(text),
    "replace": _replaced,
    "trunc": _truncated,
    "substr": lambda start, end, text: shown(text)[max(start, 0) : end if end >= 0 else None],
    "repeat": _repeated,
    "nindent": lambda spaces, text: "\n" + _indented(spaces, text),
    "join": _joined,
    "splitList": _split,
    "split": lambda separator, text: {f"_{i}": part for i, part in enumerate(_split(separator, text))},
    "cat": lambda *values: " ".join(shown(each) for each in values if each is not None),
    "toString": shown,
    "toStrings": lambda values: [shown(each) for each in _list(values)],
    "regexMatch": lambda pattern, text: _matching(pattern).search(shown(text)) is not None,
    "regexReplaceAll": _regex_replaced,
    "regexFind": _regex_found,
    # numbers
    "int": _int,
    "int64": _int,
    "atoi": _int,
    "float64": lambda value: float(_number(value)),
    "add": lambda *values: sum(_int(each) for each in values),
    "add1": lambda value: _int(value) + 1,
    "sub": lambda left, right: _int(left) - _int(right),
    "mul": _product,
    "div": _divided,
    "mod": lambda left, right: _int(left) - _int(right) * _divided(left, right),
    "max": lambda *values: max(_int(each) for each in values),
    "min": lambda *values: min(_int(each) for each in values),
    "floor": lambda value: float(math.floor(_number(value))),
    "ceil": lambda value: float(math.ceil(_number(value))),
    "until": _until,
    "untilStep": _until_step,
    # lists
    "list": lambda *values: list(values),
    "first": lambda values: next(iter(_list(values)), None),
    "last": lambda values: (_list(values) or [None])[-1],
    "rest": lambda values: _list(values)[1:],
    "initial": lambda values: _list(values)[:-1],
    "append": lambda values, value: [*_list(values), value],
    "push": lambda values, value: [*_list(values), value],
    "prepend": lambda values, value: [value, *_list(values)],
    "concat": lambda *lists: [each for values in lists for each in _list(values)],
    "has": _has,
    "without": lambda values, *others: [each for each in _list(values) if not _has(each, others)],
    "uniq": _unique,
    "compact": lambda values: [each for each in _list(values) if is_true(each)],
    "reverse": lambda values: _list(values)[::-1],
    "sortAlpha": lambda values: sorted(shown(each) for each in _list(values)),
    # maps
    "dict": _dictionary,
    "get": lambda found, key: _map(found).get(key, ""),
    "set": _set,
    "unset": _unset,
    "hasKey": lambda found, key: key in _map(found),
    "keys": lambda *maps: [key for each in maps for key in _map(each)],
    "values": lambda found: list(_map(found).values()),
    "pick": lambda found, *keys: {key: value for key, value in _map(found).items() if key in keys},
    "omit": lambda found, *keys: {key: value for key, value in _map(found).items() if key not in keys},
    "merge": lambda *maps: _merged(*maps),
    "mergeOverwrite": lambda *maps: _merged(*maps, first_wins=False),
    "dig": _dug,
    # forms
    "toJson": to_json,
    "toPrettyJson": lambda value: json.dumps(unwrapped(value), indent=2, sort_keys=True),
    "toRawJson": to_json,
    "fromJson": _from_json,
    "b64enc": lambda text: base64.b64encode(shown(text).encode()).decode(),
    "b64dec": lambda text: _decoded(shown(text)),
    "sha256sum": lambda text: hashlib.sha256(shown(text).encode()).hexdigest(),
    "kindOf": kind_of,
    "kindIs": lambda kind, value: kind_of(value) == kind,
    "typeOf": kind_of,
    "typeIs": lambda kind, value: kind_of(value) == kind,
}
