"""OpenAPI v2 in gnostic's protobuf encoding, which older versions of kubectl insist on.

Source: the message definitions of `openapiv2/OpenAPIv2.proto` in google/gnostic. Only what our documents contain is
encoded; fields are `(number, how)`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

_STRINGS: Final = {"$ref": 1, "format": 2, "title": 3, "description": 4, "pattern": 13}
_DOUBLES: Final = {"multipleOf": 6, "maximum": 7, "minimum": 9}
_BOOLEANS: Final = {"exclusiveMaximum": 8, "exclusiveMinimum": 10, "uniqueItems": 16}
_INTEGERS: Final = {
    "maxLength": 11,
    "minLength": 12,
    "maxItems": 14,
    "minItems": 15,
    "maxProperties": 17,
    "minProperties": 18,
}
_METHODS: Final = {"get": 2, "put": 3, "post": 4, "delete": 5, "options": 6, "head": 7, "patch": 8}


def encode(document: Mapping[str, Any]) -> bytes:
    """A whole v2 document."""
    info = document["info"]
    paths = (_named(name, _path_item(item)) for name, item in document["paths"].items())
    definitions = (_named(name, _schema(schema)) for name, schema in document["definitions"].items())
    return b"".join(
        (
            _text(1, document["swagger"]),
            _message(2, _text(1, info["title"]) + _text(2, info["version"])),
            _message(8, _repeated(2, paths)),
            _message(9, _repeated(1, definitions)),
        )
    )


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _message(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _text(number: int, value: str) -> bytes:
    return _message(number, value.encode()) if value else b""


def _texts(number: int, values: Iterable[str]) -> bytes:
    return b"".join(_message(number, value.encode()) for value in values)


def _integer(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value) if value else b""


def _double(number: int, value: float) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<d", value)


def _repeated(number: int, contents: Iterable[bytes]) -> bytes:
    return b"".join(_message(number, content) for content in contents)


def _named(name: str, content: bytes) -> bytes:
    return _text(1, name) + _message(2, content)


def _any(value: Any) -> bytes:
    """Any value as YAML, of which JSON is a part."""
    return _message(2, msgspec.json.encode(value) + b"\n")


def _extensions(number: int, node: Mapping[str, Any]) -> bytes:
    return _repeated(number, (_named(key, _any(value)) for key, value in node.items() if key.startswith("x-")))


def _schema(node: Mapping[str, Any]) -> bytes:
    out = [_text(number, node[key]) for key, number in _STRINGS.items() if key in node]
    out += [_double(number, node[key]) for key, number in _DOUBLES.items() if key in node]
    out += [_integer(number, int(node[key])) for key, number in _BOOLEANS.items() if key in node]
    out += [_integer(number, node[key]) for key, number in _INTEGERS.items() if key in node]
    if "default" in node:
        out.append(_message(5, _any(node["default"])))
    out.append(_texts(19, node.get("required") or ()))
    out.append(_repeated(20, (_any(value) for value in node.get("enum") or ())))
    additional = node.get("additionalProperties")
    if isinstance(additional, Mapping):
        out.append(_message(21, _message(1, _schema(additional))))
    elif additional is not None:
        out.append(_message(21, _integer(2, int(additional))))
    if node.get("type"):
        out.append(_message(22, _text(1, node["type"])))
    if "items" in node:
        out.append(_message(23, _message(1, _schema(node["items"]))))
    out.append(_repeated(24, (_schema(part) for part in node.get("allOf") or ())))
    if "properties" in node:
        named = (_named(name, _schema(child)) for name, child in node["properties"].items())
        out.append(_message(25, _repeated(1, named)))
    out.append(_extensions(31, node))
    return b"".join(out)


def _path_item(item: Mapping[str, Any]) -> bytes:
    operations = (_message(number, _operation(item[method])) for method, number in _METHODS.items() if method in item)
    parameters = (_message(9, _message(1, _parameter(parameter))) for parameter in item.get("parameters") or ())
    return b"".join((*operations, *parameters))


def _operation(node: Mapping[str, Any]) -> bytes:
    responses = (
        _named(code, _message(1, _response(response))) for code, response in (node.get("responses") or {}).items()
    )
    return b"".join(
        (
            _text(5, node.get("operationId", "")),
            _texts(6, node.get("produces") or ()),
            _texts(7, node.get("consumes") or ()),
            *(_message(8, _message(1, _parameter(parameter))) for parameter in node.get("parameters") or ()),
            _message(9, _repeated(1, responses)),
            _extensions(13, node),
        )
    )


def _parameter(node: Mapping[str, Any]) -> bytes:
    if node["in"] == "body":
        body = (
            _text(2, node["name"])
            + _text(3, "body")
            + _integer(4, int(node.get("required", False)))
            + _message(5, _schema(node["schema"]))
        )
        return _message(1, body)
    described = (
        _integer(1, int(node.get("required", False)))
        + _text(2, node["in"])
        + _text(3, node.get("description", ""))
        + _text(4, node["name"])
    )
    if node["in"] == "path":
        return _message(2, _message(4, described + _text(5, node.get("type", ""))))
    return _message(2, _message(3, described + _text(6, node.get("type", ""))))


def _response(node: Mapping[str, Any]) -> bytes:
    out = _text(1, node.get("description", ""))
    if "schema" in node:
        out += _message(2, _message(1, _schema(node["schema"])))
    return out
