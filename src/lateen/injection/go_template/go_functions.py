"""The functions that Go's templates have of themselves; `and` and `or` are the evaluator's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Final
from urllib.parse import quote_plus

from lateen.injection.go_template.errors import TemplateError
from lateen.injection.go_template.go_values import (
    ZERO,
    GoObject,
    StringMap,
    equal,
    is_true,
    kind_of,
    less,
    shown,
    wrapped,
)
from lateen.injection.go_template.printf import printf, quoted


def length(value: Any) -> int:
    if value is ZERO:
        return 0
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, GoObject):
        return len(value.raw)
    if isinstance(value, (Mapping, list, tuple)):
        return len(value)
    raise TemplateError(f"a {kind_of(value)} has no length")


def index(value: Any, *keys: Any) -> Any:
    """`index m "a" 1` is m["a"][1]. A key that a map lacks is its zero value."""
    for key in keys:
        value = _item(value, key)
    return value


def _item(value: Any, key: Any) -> Any:
    if isinstance(value, StringMap):
        return value.get(str(key), "")
    if isinstance(value, GoObject):
        return wrapped(value.raw.get(str(key)), str(key))
    if isinstance(value, Mapping):
        return value.get(key)
    if value is ZERO:
        return ZERO
    if isinstance(value, (list, tuple, str)) and isinstance(key, int) and not isinstance(key, bool):
        if not 0 <= key < len(value):
            raise TemplateError(f"index {key} of {len(value)} items")
        return value[key]
    if value is None:
        raise TemplateError("of nothing")
    raise TemplateError(f"a {kind_of(value)} has no item {key!r}")


def slice_(value: Any, *ends: int) -> Any:
    if not isinstance(value, (str, list, tuple)) or len(ends) > 2:
        raise TemplateError("a string or a list is expected, and at most two ends")
    start = ends[0] if ends else 0
    end = ends[1] if len(ends) > 1 else len(value)
    if not 0 <= start <= end <= len(value):
        raise TemplateError(f"from {start} to {end} of {len(value)} items")
    return value[start:end]


def eq(first: Any, *others: Any) -> bool:
    """Whether the first equals any of the others."""
    if not others:
        raise TemplateError("needs two arguments")
    return any(equal(first, other) for other in others)


def print_(*values: Any) -> str:
    """Go: with spaces between operands of which neither is a string."""
    text = ""
    for number, value in enumerate(values):
        if number and not isinstance(value, str) and not isinstance(values[number - 1], str):
            text += " "
        text += shown(value)
    return text


GO_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "eq": eq,
    "ne": lambda left, right: not equal(left, right),
    "lt": less,
    "le": lambda left, right: not less(right, left),
    "gt": lambda left, right: less(right, left),
    "ge": lambda left, right: not less(left, right),
    "not": lambda value: not is_true(value),
    "len": length,
    "index": index,
    "slice": slice_,
    "print": print_,
    "println": lambda *values: " ".join(shown(each) for each in values) + "\n",
    "printf": printf,
    "html": lambda *values: escape(print_(*values)),
    "js": lambda *values: quoted(print_(*values))[1:-1],
    "urlquery": lambda *values: quote_plus(print_(*values)),
}
