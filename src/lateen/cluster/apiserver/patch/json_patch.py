"""JSON patch (RFC 6902) as the API server applies it.

Differences from the RFC are Kubernetes': negative array indices count from the end, and `test` for null holds where
the member is absent. Errors are 400 for a patch that is none, 413 for too many operations, 422 for one that does
not apply.
"""

from __future__ import annotations

import json
from typing import Any

from lateen.cluster.objects import deep_copy
from lateen.cluster.status import StatusError, bad_request

MAX_OPERATIONS = 10_000
MAX_COPIED_BYTES = 3 * 1024 * 1024
"""Bound on what all `copy` operations of one patch may duplicate together."""

_NEEDS_VALUE = frozenset({"add", "replace", "test"})
_NEEDS_FROM = frozenset({"move", "copy"})
_KNOWN = _NEEDS_VALUE | _NEEDS_FROM | {"remove"}


class _Inapplicable(Exception):
    """An operation does not fit the document."""


def apply(doc: Any, operations: Any) -> Any:
    """A new document; `doc` is left as it is."""
    checked = _checked(operations)
    result = deep_copy(doc)
    copied = 0
    try:
        for operation in checked:
            result, size = _apply_one(result, operation)
            copied += size
            if copied > MAX_COPIED_BYTES:
                raise _Inapplicable(f"copy operations exceed {MAX_COPIED_BYTES} bytes")
    except _Inapplicable as error:
        message = "the server rejected our request due to an error in our request"
        raise StatusError(422, "Invalid", message) from error
    return result


def _checked(operations: Any) -> list[dict[str, Any]]:
    if not isinstance(operations, list):
        raise bad_request("json: cannot unmarshal a JSON patch: expected an array of operations")
    if len(operations) > MAX_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise StatusError(413, "RequestEntityTooLarge", message)
    for operation in operations:
        if not isinstance(operation, dict):
            raise bad_request("json: cannot unmarshal a JSON patch operation: expected an object")
        kind = operation.get("op")
        if kind not in _KNOWN:
            raise bad_request(f"Unexpected kind: {kind}")
        if not isinstance(operation.get("path"), str):
            raise bad_request(f"operation {kind} needs a path")
        if kind in _NEEDS_FROM and not isinstance(operation.get("from"), str):
            raise bad_request(f"operation {kind} needs a from")
        if kind in _NEEDS_VALUE and "value" not in operation and kind != "test":
            raise bad_request(f"operation {kind} needs a value")
    return operations


def _apply_one(doc: Any, operation: dict[str, Any]) -> tuple[Any, int]:
    """The changed document, and how many bytes were copied."""
    path = _tokens(operation["path"])
    match operation["op"]:
        case "add":
            return _add(doc, path, deep_copy(operation["value"])), 0
        case "replace":
            return _replace(doc, path, deep_copy(operation["value"])), 0
        case "remove":
            return _remove(doc, path)[0], 0
        case "test":
            _test(doc, path, operation.get("value"))
            return doc, 0
        case "move":
            source = _tokens(operation["from"])
            if path[: len(source)] == source and len(path) > len(source):
                raise _Inapplicable("cannot move a value into itself")
            doc, value = _remove(doc, source)
            return _add(doc, path, value), 0
        case _:
            value = deep_copy(_get(doc, _tokens(operation["from"])))
            return _add(doc, path, value), len(json.dumps(value))


def _tokens(pointer: str) -> list[str]:
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise _Inapplicable(f"{pointer!r} is not a JSON pointer")
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")]


def _position(container: list[Any], token: str, size: int) -> int:
    """An array index below `size`; negative ones count from the end."""
    digits = token.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or (len(digits) > 1 and digits[0] == "0"):
        raise _Inapplicable(f"{token!r} is not an array index")
    index = int(token)
    if index < 0:
        index += size
    if not 0 <= index < size:
        raise _Inapplicable(f"index {token} is out of range of {len(container)} items")
    return index


def _get(doc: Any, path: list[str]) -> Any:
    for token in path:
        if isinstance(doc, dict):
            if token not in doc:
                raise _Inapplicable(f"no member {token!r}")
            doc = doc[token]
        elif isinstance(doc, list):
            doc = doc[_position(doc, token, len(doc))]
        else:
            raise _Inapplicable(f"nothing below a scalar at {token!r}")
    return doc


def _add(doc: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    container, token = _get(doc, path[:-1]), path[-1]
    if isinstance(container, dict):
        container[token] = value
    elif isinstance(container, list):
        if token == "-":
            container.append(value)
        else:
            container.insert(_position(container, token, len(container) + 1), value)
    else:
        raise _Inapplicable(f"nothing can be added below a scalar at {token!r}")
    return doc


def _replace(doc: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    _get(doc, path)
    container, token = _get(doc, path[:-1]), path[-1]
    if isinstance(container, dict):
        container[token] = value
    else:
        container[_position(container, token, len(container))] = value
    return doc


def _remove(doc: Any, path: list[str]) -> tuple[Any, Any]:
    if not path:
        raise _Inapplicable("the whole document cannot be removed")
    value = _get(doc, path)
    container, token = _get(doc, path[:-1]), path[-1]
    if isinstance(container, dict):
        del container[token]
    else:
        del container[_position(container, token, len(container))]
    return doc, value


def _test(doc: Any, path: list[str], expected: Any) -> None:
    try:
        actual = _get(doc, path)
    except _Inapplicable:
        if expected is None and _has_container(doc, path):
            return
        raise
    if not json_equal(actual, expected):
        raise _Inapplicable(f"testing value {'/'.join(path)} failed")


def _has_container(doc: Any, path: list[str]) -> bool:
    try:
        return isinstance(_get(doc, path[:-1]), dict)
    except _Inapplicable:
        return False


def json_equal(a: Any, b: Any) -> bool:
    """Equality of JSON values: unlike Python's, `true` is not 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(json_equal(v, b[k]) for k, v in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(json_equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)
