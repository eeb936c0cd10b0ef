"""Type faults of built-in objects, which Kubernetes meets while decoding JSON into Go types and answers with 400.

Source: Go's `encoding/json` (`UnmarshalTypeError`) and the types that unmarshal themselves: Time, Quantity,
IntOrString and byte slices.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from lateen.cluster import quantity
from lateen.cluster.apiserver.schema.formats import INTEGER_RANGES, is_date_time
from lateen.cluster.apiserver.schema.schema import Schema

_BASE64 = re.compile(r"[A-Za-z0-9+/\r\n]*")


def decode_errors(obj: Any, schema: Schema) -> list[str]:
    """What Go's decoder would say of values of the wrong type, in document order; Go reports the first alone.

    A null is always fine: it leaves the field unset.
    """
    found: list[str] = []
    name = _go_name(schema)
    if not isinstance(obj, dict):
        return [f"json: cannot unmarshal {_json_type(obj)} into Go value of type {name}"]
    _walk(obj, schema, name, "", found)
    return found


def _go_name(schema: Schema) -> str:
    return schema.definition.rpartition(".")[2]


def _walk(value: Any, schema: Schema, struct: str, path: str, found: list[str]) -> None:
    """`struct` is the innermost Go struct around the value; `path` the fields from the root, without indices."""
    if value is None or (schema.preserve_unknown and not schema.properties):
        return
    if schema.int_or_string:
        if not _is_int(value) and not isinstance(value, str):
            found.append(f"json: cannot unmarshal {_json_type(value)} into Go value of type int32")
        return
    if special := _SELF_UNMARSHALLING.get(schema.format):
        if complaint := special(value):
            found.append(complaint)
        return
    if schema.type == "object":
        if not isinstance(value, dict):
            found.append(_mismatch(value, struct, path, _go_type(schema)))
            return
        inner = _go_name(schema) or struct
        for key, child in value.items():
            if (known := schema.properties.get(key)) is not None:
                _walk(child, known, inner, f"{path}.{key}" if path else key, found)
            elif schema.additional is not None:
                # Go does not name map keys.
                _walk(child, schema.additional, inner, path, found)
    elif schema.type == "array":
        if not isinstance(value, list):
            found.append(_mismatch(value, struct, path, _go_type(schema)))
        elif schema.items is not None:
            for child in value:
                _walk(child, schema.items, struct, path, found)
    elif not _fits(value, schema):
        found.append(_mismatch(value, struct, path, _go_type(schema)))


def _fits(value: Any, schema: Schema) -> bool:
    match schema.type:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            lowest, highest = INTEGER_RANGES[schema.format or "int64"]
            return _is_int(value) and lowest <= value <= highest
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
    return True


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _mismatch(value: Any, struct: str, path: str, expected: str) -> str:
    shown = _json_type(value)
    if shown == "number" and expected.startswith("int"):
        # It is a number, only not one that fits: Go shows it.
        shown = f"number {msgspec.json.encode(value).decode()}"
    return f"json: cannot unmarshal {shown} into Go struct field {struct}.{path} of type {expected}"


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _go_type(schema: Schema) -> str:
    match schema.type:
        case "array":
            return f"[]{_go_type(schema.items)}" if schema.items is not None else "[]interface {}"
        case "object" if schema.additional is not None and not schema.properties:
            return f"map[string]{_go_type(schema.additional)}"
        case "object":
            # `io.k8s.api.core.v1.Container` is package v1's Container.
            return ".".join(schema.definition.rsplit(".", 2)[-2:])
        case "integer":
            return schema.format or "int64"
        case "number":
            return "float64"
        case "boolean":
            return "bool"
    match schema.format:
        case "byte":
            return "[]uint8"
        case "quantity":
            return "resource.Quantity"
        case "date-time":
            return "v1.Time"
    return "string"


def _time(value: Any) -> str:
    if not isinstance(value, str):
        return f"json: cannot unmarshal {_json_type(value)} into Go value of type string"
    if value == "" or is_date_time(value):
        return ""
    shown = msgspec.json.encode(value).decode()
    return f'parsing time {shown} as "2006-01-02T15:04:05Z07:00": cannot parse {shown} as "2006"'


def _quantity(value: Any) -> str:
    if value == "":
        return ""
    try:
        quantity.parse(value)
    except ValueError as error:
        return str(error)
    return ""


def _bytes(value: Any) -> str:
    if not isinstance(value, str):
        return f"json: cannot unmarshal {_json_type(value)} into Go value of type []uint8"
    stripped = value.replace("\r", "").replace("\n", "")
    body = stripped.rstrip("=")
    clean = _BASE64.match(body)
    good = clean.end() if clean is not None else 0
    if good < len(body):
        return f"illegal base64 data at input byte {good}"
    padding = len(stripped) - len(body)
    if len(stripped) % 4 or padding > 2:
        return f"illegal base64 data at input byte {len(body) - len(body) % 4 if padding == 0 else len(body)}"
    return ""


_SELF_UNMARSHALLING: dict[str, Callable[[Any], str]] = {
    "date-time": _time,
    "quantity": _quantity,
    "byte": _bytes,
}
