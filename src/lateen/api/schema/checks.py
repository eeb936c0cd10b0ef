"""What msgspec does not check: members of a oneof, CEL rules, lists with keys, depth of free-form objects.

The checks of a message are compiled once, into closures that visit only the fields that have something to check and
build no path until a fault is found: a good object costs a few microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lateen.api.schema.cel import compile_rule
from lateen.api.schema.message import Rule
from lateen.api.schema.shape import Anything, Entries, FieldShape, Items, MessageShape, Shape

DEEPEST: Final = 64
"""Levels that a free-form object may be nested."""

Found = list[tuple[str, str]]
"""Faults: where, below the value that was checked (`.route[0]`), and what."""

Check = Callable[[Any], Found | None]
"""Judges one value as decoded from JSON, already known to be of the right type. None: no faults."""


def compile_checks(shape: Shape) -> Check | None:
    """None: the shape has nothing to check."""
    match shape:
        case MessageShape():
            inner = _compile_message(shape)
        case Items():
            inner = _compile_items(shape)
        case Entries():
            entry = compile_checks(shape.value)
            inner = None if entry is None else _entries(entry)
        case Anything():
            inner = _depth
        case _:
            inner = None
    return _with_rules(inner, shape.rules)


def _with_rules(inner: Check | None, rules: Sequence[Rule]) -> Check | None:
    if not rules:
        return inner
    compiled = [(compile_rule(rule.expression), rule.message) for rule in rules]

    def check(value: Any) -> Found | None:
        found = inner(value) if inner is not None else None
        for holds, message in compiled:
            if not holds(value):
                found = [*(found or ()), ("", message)]
        return found

    return check


def _compile_message(shape: MessageShape) -> Check | None:
    children: dict[str, Check] = {}
    for field in shape.fields:
        check = compile_checks(field.shape)
        if check is not None:
            children[field.name] = check
    groups = [group for group in shape.oneofs if len(group) > 1]
    if not children and not groups:
        return None

    def check_message(value: Mapping[str, Any]) -> Found | None:
        found: Found | None = None
        for name, item in value.items():
            child = children.get(name)
            if child is not None and item is not None:
                inner = child(item)
                if inner:
                    found = [*(found or ()), *((f".{name}{path}", message) for path, message in inner)]
        for group in groups if len(value) > 1 else ():
            present = [name for name in group if value.get(name) is not None]
            if len(present) > 1:
                found = [*(found or ()), (f".{present[1]}", _oneof_message(present, group))]
        return found

    return check_message


def _oneof_message(present: Sequence[str], group: Sequence[str]) -> str:
    return f"{' and '.join(present)} exclude each other: only one of {', '.join(group)} may be set"


def _compile_items(shape: Items) -> Check | None:
    each = compile_checks(shape.item)
    keys = _item_keys(shape)
    if each is None and not keys:
        return None

    def check_items(value: Sequence[Any]) -> Found | None:
        found: Found | None = None
        if each is not None:
            for index, item in enumerate(value):
                inner = each(item)
                if inner:
                    found = [*(found or ()), *((f"[{index}]{path}", message) for path, message in inner)]
        if keys:
            found = [*(found or ()), *_duplicates(value, keys)] or None
        return found

    return check_items


def _item_keys(shape: Items) -> list[FieldShape]:
    if not shape.map_keys:
        return []
    if not isinstance(shape.item, MessageShape):
        raise TypeError("a list with keys has messages as its items")
    fields = {field.name: field for field in shape.item.fields}
    return [fields[name] for name in shape.map_keys]


def _duplicates(value: Sequence[Mapping[str, Any]], keys: Sequence[FieldShape]) -> Found:
    found: Found = []
    first: dict[tuple[Any, ...], int] = {}
    for index, item in enumerate(value):
        identity = tuple(item.get(key.name, key.default) for key in keys)
        if identity in first:
            shown = ", ".join(f"{key.name} {part!r}" for key, part in zip(keys, identity, strict=True))
            found.append((f"[{index}]", f"the same {shown} as item [{first[identity]}]"))
        else:
            first[identity] = index
    return found


def _entries(each: Check) -> Check:
    def check_entries(value: Mapping[str, Any]) -> Found | None:
        found: Found | None = None
        for key, item in value.items():
            inner = each(item)
            if inner:
                found = [*(found or ()), *((f"[{key}]{path}", message) for path, message in inner)]
        return found

    return check_entries


def _depth(value: Any) -> Found | None:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(DEEPEST):
        level = (
            [
                child
                for item in level
                for child in (item.values() if isinstance(item, dict) else item)
                if isinstance(child, (dict, list))
            ]
            if level
            else level
        )
        if not level:
            return None
    return [("", f"nested deeper than {DEEPEST} levels")]
