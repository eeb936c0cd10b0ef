"""Operations on an ordered list of a message: filters and routes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lateen.api.networking.envoy_filter import Operation


def place(
    items: Any, value: Any, operation: Operation, selects: Callable[[Any], bool] | None, end: int | None = None
) -> None:
    """Adds, inserts, replaces or removes in a repeated field.

    `selects` tells the items that the patch names; None: it names none, and then REPLACE and REMOVE do nothing,
    INSERT_BEFORE is first and INSERT_AFTER last. `end` is where the last place is, if not at the end.
    """
    last = len(items) if end is None else end
    match operation:
        case Operation.ADD:
            insert(items, last, value)
        case Operation.INSERT_FIRST:
            if selects is None or _index(items, selects) is not None:
                insert(items, 0, value)
        case Operation.INSERT_BEFORE:
            index = 0 if selects is None else _index(items, selects)
            if index is not None:
                insert(items, index, value)
        case Operation.INSERT_AFTER:
            after = None if selects is None else _index(items, selects)
            if selects is None:
                insert(items, last, value)
            elif after is not None:
                insert(items, after + 1, value)
        case Operation.REPLACE:
            index = None if selects is None else _index(items, selects)
            if index is not None:
                items[index].CopyFrom(value)
        case Operation.REMOVE:
            if selects is not None:
                remove(items, selects)


def called(name: str | None) -> Callable[[Any], bool] | None:
    """Selects by name; nothing is selected by no name."""
    if name is None:
        return None
    return lambda item: item.name == name


def insert(items: Any, index: int, value: Any) -> None:
    if index == len(items):
        items.append(value)
    else:
        items.insert(index, value)


def remove(items: Any, selects: Callable[[Any], bool]) -> None:
    for index in reversed(range(len(items))):
        if selects(items[index]):
            del items[index]


def _index(items: Any, selects: Callable[[Any], bool]) -> int | None:
    return next((index for index, item in enumerate(items) if selects(item)), None)
