"""The JSON patch (RFC 6902) that makes one value of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Operation = dict[str, Any]


def json_patch(before: Any, after: Any) -> list[Operation]:
    """Operations in order; empty where nothing differs."""
    found: list[Operation] = []
    _differ(before, after, "", found)
    return found


def _differ(before: Any, after: Any, path: str, found: list[Operation]) -> None:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in before:
            if key not in after:
                found.append({"op": "remove", "path": f"{path}/{_escaped(key)}"})
        for key, value in after.items():
            if key in before:
                _differ(before[key], value, f"{path}/{_escaped(key)}", found)
            else:
                found.append({"op": "add", "path": f"{path}/{_escaped(key)}", "value": value})
    elif isinstance(before, list) and isinstance(after, list):
        _differ_in_items(before, after, path, found)
    elif not _same(before, after):
        found.append({"op": "replace", "path": path, "value": after})


def _differ_in_items(before: Sequence[Any], after: Sequence[Any], path: str, found: list[Operation]) -> None:
    """What begins and ends both lists is left alone, so that an item that is put in first is one operation."""
    shorter = min(len(before), len(after))
    start = 0
    while start < shorter and _same(before[start], after[start]):
        start += 1
    end = 0
    while end < shorter - start and _same(before[-1 - end], after[-1 - end]):
        end += 1
    old, new = len(before) - start - end, len(after) - start - end
    for index in range(start, start + min(old, new)):
        _differ(before[index], after[index], f"{path}/{index}", found)
    for index in range(start + old - 1, start + new - 1, -1):
        found.append({"op": "remove", "path": f"{path}/{index}"})
    for index in range(start + old, start + new):
        found.append({"op": "add", "path": f"{path}/{index}", "value": after[index]})


def _same(before: Any, after: Any) -> bool:
    """JSON's true is not 1."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return before.keys() == after.keys() and all(_same(before[key], after[key]) for key in before)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(_same(*pair) for pair in zip(before, after, strict=True))
    return isinstance(before, bool) is isinstance(after, bool) and bool(before == after)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
