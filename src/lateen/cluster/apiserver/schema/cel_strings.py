"""The string functions of CEL's `strings` extension, and the list functions of the same names that Kubernetes adds.

Sources: cel-go `ext.Strings`, k8s.io/apiserver `cel/library`. They are declared here rather than taken from the CEL
library because a function cannot be declared both by it (for strings) and by us (for lists).
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from typing import Any, Final

from cel_expr_python import cel

_TYPE = cel.Type
_STRING, _INT, _DYN, _BOOL = _TYPE.STRING, _TYPE.INT, _TYPE.DYN, _TYPE.BOOL
_LIST = _TYPE.List(_TYPE.DYN)

LONGEST_RESULT: Final = 1 << 20
"""Characters that one call may make."""

_VERB = re.compile(r"%(?:\.(\d+))?(.)", re.DOTALL)


Overloads = tuple[tuple[Any, ...], Callable[..., Any]]
"""Parameter types, and the implementation for them."""


def method(name: str, result: Any, *overloads: Overloads) -> Any:
    """Declares a function called as `receiver.name(...)`."""
    return cel.FunctionDecl(name, [overload(name, result, each, member=True) for each in overloads])


def function(name: str, result: Any, *overloads: Overloads) -> Any:
    """Declares a function called as `name(...)`."""
    return cel.FunctionDecl(name, [overload(name, result, each, member=False) for each in overloads])


def overload(name: str, result: Any, shape: Overloads, *, member: bool) -> Any:
    parameters, implementation = shape
    kinds = "_".join(parameter.name().lower() for parameter in parameters)
    return cel.Overload(
        f"{name.replace('.', '_')}_{kinds}_{'member' if member else 'global'}",
        return_type=result,
        parameters=list(parameters),
        is_member=member,
        impl=implementation,
    )


def declarations() -> list[Any]:
    return [
        method("charAt", _STRING, ((_STRING, _INT), _char_at)),
        method(
            "indexOf",
            _INT,
            ((_STRING, _STRING), lambda text, part: text.find(part)),
            ((_STRING, _STRING, _INT), _index_from),
            ((_LIST, _DYN), lambda items, item: items.index(item) if item in items else -1),
        ),
        method(
            "lastIndexOf",
            _INT,
            ((_STRING, _STRING), lambda text, part: text.rfind(part)),
            ((_STRING, _STRING, _INT), _last_index_from),
            ((_LIST, _DYN), lambda items, item: len(items) - 1 - items[::-1].index(item) if item in items else -1),
        ),
        method("join", _STRING, ((_LIST,), _join), ((_LIST, _STRING), _join)),
        method("lowerAscii", _STRING, ((_STRING,), lambda text: _ascii(text, str.lower))),
        method("upperAscii", _STRING, ((_STRING,), lambda text: _ascii(text, str.upper))),
        method(
            "replace", _STRING, ((_STRING, _STRING, _STRING), _replace), ((_STRING, _STRING, _STRING, _INT), _replace)
        ),
        method("split", _TYPE.List(_STRING), ((_STRING, _STRING), _split), ((_STRING, _STRING, _INT), _split)),
        method("substring", _STRING, ((_STRING, _INT), _substring), ((_STRING, _INT, _INT), _substring)),
        method("trim", _STRING, ((_STRING,), str.strip)),
        method("reverse", _STRING, ((_STRING,), lambda text: text[::-1])),
        method("format", _STRING, ((_STRING, _LIST), _format)),
        function("strings.quote", _STRING, ((_STRING,), lambda text: json.dumps(text, ensure_ascii=False))),
    ]


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise ValueError(f"index out of range: {index}")
    return text[index : index + 1]


def _index_from(text: str, part: str, offset: int) -> int:
    if not 0 <= offset <= len(text):
        raise ValueError(f"index out of range: {offset}")
    return text.find(part, offset)


def _last_index_from(text: str, part: str, offset: int) -> int:
    if not 0 <= offset <= len(text):
        raise ValueError(f"index out of range: {offset}")
    return text.rfind(part, 0, offset + len(part))


def _join(items: list[Any], separator: str = "") -> str:
    if not all(isinstance(item, str) for item in items):
        raise ValueError("no such overload")
    return _bounded(separator.join(items))


def _ascii(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(char) if char.isascii() else char for char in text)


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    most = text.count(old) if limit < 0 else min(limit, text.count(old))
    if len(text) + most * (len(new) - len(old)) > LONGEST_RESULT:
        raise ValueError("the result is too long")
    return text.replace(old, new, limit)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if separator == "":
        if limit < 0 or limit >= len(text):
            return list(text)
        return [*text[: limit - 1], text[limit - 1 :]]
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _substring(text: str, start: int, end: int | None = None) -> str:
    last = len(text) if end is None else end
    if not 0 <= start <= len(text):
        raise ValueError(f"index out of range: {start}")
    if not start <= last <= len(text):
        raise ValueError(f"invalid substring range. start: {start}, end: {last}")
    return text[start:last]


def _bounded(text: str) -> str:
    if len(text) > LONGEST_RESULT:
        raise ValueError("the result is too long")
    return text


def _format(template: str, arguments: list[Any]) -> str:
    remaining = iter(arguments)

    def replaced(found: re.Match[str]) -> str:
        if found[2] == "%" and found[1] is None:
            return "%"
        try:
            argument = next(remaining)
        except StopIteration:
            raise ValueError("index out of range of the format arguments") from None
        return _formatted(found[2], min(int(found[1] or 6), 100), argument)

    text = _VERB.sub(replaced, template)
    if next(remaining, None) is not None:
        raise ValueError("too many format arguments")
    return _bounded(text)


def _formatted(verb: str, precision: int, value: Any) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match verb:
        case "s":
            return shown(value)
        case "d" if number:
            return str(value)
        case "f" if number:
            return f"{value:.{precision}f}"
        case "e" if number:
            return f"{value:.{precision}e}"
        case "b" if isinstance(value, int):
            return f"{value:b}"
        case "o" if isinstance(value, int):
            return f"{value:o}"
        case "x" | "X":
            if isinstance(value, int) and not isinstance(value, bool):
                return f"{value:{verb}}"
            if isinstance(value, (str, bytes)):
                digits = (value.encode() if isinstance(value, str) else value).hex()
                return digits.upper() if verb == "X" else digits
    raise ValueError(f'could not parse formatting clause: unrecognized formatting clause "{verb}"')


def shown(value: Any) -> str:
    """A value as `%s` prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.timedelta):
        seconds = value.total_seconds()
        return f"{int(seconds) if seconds.is_integer() else seconds}s"
    if isinstance(value, list):
        return "[" + ", ".join(shown(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown(key)}: {shown(value[key])}" for key in sorted(value)) + "}"
    return str(value)
