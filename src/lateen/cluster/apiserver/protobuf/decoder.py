"""Decodes Kubernetes' protobuf envelope and messages into objects as their JSON would say.

Sources: the protobuf encoding guide; k8s.io/apimachinery `runtime/serializer/protobuf` (envelope `runtime.Unknown`).
"""

from __future__ import annotations

import base64
import datetime as dt
import math
import struct
from collections.abc import Iterator
from typing import Any

import msgspec

from lateen.cluster.apiserver.protobuf.field_table import Field, Messages, message_of
from lateen.cluster.objects import Obj, split_api_version

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"
_MAX_DEPTH = 100
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Value = int | bytes
"""A field as on the wire: varints and fixed numbers as integers, the rest as bytes."""


class MalformedError(ValueError):
    """The bytes are not what they are said to be."""


class ProtobufDecoder:
    """Decodes by a table of fields."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    def decode(self, body: bytes) -> Obj:
        """An enveloped object. Raises MalformedError."""
        if not body.startswith(_MAGIC):
            raise MalformedError("provided data does not appear to be a protobuf message, expected prefix")
        envelope = dict(_fields(body[len(_MAGIC) :]))
        identity = dict(_fields(_bytes(envelope.get(1, b""))))
        api_version, kind = _text(identity.get(1, b"")), _text(identity.get(2, b""))
        message = message_of(*split_api_version(api_version), kind, self._messages)
        if message is None:
            raise MalformedError(f'no kind "{kind}" is registered for version "{api_version}" in protobuf')
        return {"apiVersion": api_version, "kind": kind, **self._message(message, _bytes(envelope.get(2, b"")), 0)}

    def _message(self, name: str, data: bytes, depth: int) -> Obj:
        if depth > _MAX_DEPTH:
            raise MalformedError("nested too deeply")
        known = self._messages[name]
        found: Obj = {}
        for number, value in _fields(data):
            field = known.get(number)
            if field is not None:
                self._set(found, field, value, depth)
        return found

    def _set(self, found: Obj, field: Field, value: Value, depth: int) -> None:
        if field.name == "":
            found.update(self._message(field.type, _bytes(value), depth + 1))
        elif field.type.startswith("[]"):
            item = field.type[2:]
            items = found.setdefault(field.name, [])
            if item in ("int", "bool") and isinstance(value, bytes):
                items.extend(self._scalar(item, number) for number in _packed(value))
            else:
                items.append(self._value(item, value, depth))
        elif field.type.startswith("{}"):
            entry = dict(_fields(_bytes(value)))
            key = _text(entry.get(1, b""))
            found.setdefault(field.name, {})[key] = self._value(field.type[2:], entry.get(2, b""), depth)
        else:
            decoded = self._value(field.type, value, depth)
            # What Go leaves out of JSON; empty structs it never leaves out.
            if not (field.omit and not isinstance(decoded, dict) and decoded in (None, "", 0, [])):
                found[field.name] = decoded

    def _value(self, type_: str, value: Value, depth: int) -> Any:
        if type_ in ("int", "bool"):
            return self._scalar(type_, value)
        if type_ == "double":
            return _double(value)
        data = _bytes(value)
        match type_:
            case "string":
                return _text(data)
            case "bytes":
                return base64.b64encode(data).decode()
            case "quantity":
                return _text(dict(_fields(data)).get(1, b""))
            case "int_or_string":
                return self._int_or_string(data)
            case "time" | "micro_time":
                return _time(data, micro=type_ == "micro_time")
            case "raw":
                return _raw(data)
        if type_.startswith("list:"):
            return [self._value(type_[5:], item, depth) for number, item in _fields(data) if number == 1]
        if type_.startswith("one:"):
            return self._union(type_[4:], data, depth + 1)
        return self._message(type_, data, depth + 1)

    def _union(self, name: str, data: bytes, depth: int) -> Any:
        """The value of the field that is set; of several the one with the highest number, as Go's types prefer it."""
        found = self._message(name, data, depth)
        for _, field in sorted(self._messages[name].items(), reverse=True):
            if field.name in found:
                return found[field.name]
        return None

    def _scalar(self, type_: str, value: Value) -> int | bool:
        number = _number(value)
        if type_ == "bool":
            return bool(number)
        return number - (1 << 64) if number >= 1 << 63 else number

    def _int_or_string(self, data: bytes) -> int | str:
        fields = dict(_fields(data))
        if _number(fields.get(1, 0)) == 1:
            return _text(fields.get(3, b""))
        return self._scalar("int", fields.get(2, 0))


def _fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Field numbers and values, in the order of the wire."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        wire_type = tag & 7
        if wire_type == _VARINT:
            value, position = _varint(data, position)
            yield tag >> 3, value
            continue
        if wire_type == _BYTES:
            size, position = _varint(data, position)
        elif wire_type in (_FIXED64, _FIXED32):
            size = 8 if wire_type == _FIXED64 else 4
        else:
            raise MalformedError(f"unknown wire type {wire_type}")
        if size > len(data) - position:
            raise MalformedError("unexpected EOF")
        chunk = data[position : position + size]
        position += size
        yield tag >> 3, chunk if wire_type == _BYTES else int.from_bytes(chunk, "little")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    found = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise MalformedError("unexpected EOF")
        byte = data[position]
        position += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found & 0xFFFF_FFFF_FFFF_FFFF, position
    raise MalformedError("integer overflow")


def _packed(data: bytes) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = _varint(data, position)
        yield value


def _number(value: Value) -> int:
    if isinstance(value, bytes):
        raise MalformedError("expected a number")
    return value


def _double(value: Value) -> float | int:
    """JSON knows numbers only: whole ones are written without a point."""
    try:
        number: float = struct.unpack("<d", _number(value).to_bytes(8, "little"))[0]
    except OverflowError:
        raise MalformedError("expected a double") from None
    if not math.isfinite(number):
        raise MalformedError("JSON has no infinities and no NaN")
    return int(number) if number.is_integer() and abs(number) < 1e21 else number


def _bytes(value: Value) -> bytes:
    if isinstance(value, int):
        raise MalformedError("expected bytes")
    return value


def _text(value: Value) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise MalformedError(f"string field contains invalid UTF-8: {error}") from None


def _raw(data: bytes) -> Any:
    """JSON inside a message: RawExtension and FieldsV1."""
    inner = _bytes(dict(_fields(data)).get(1, b""))
    try:
        return msgspec.json.decode(inner) if inner else None
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedError(f"embedded JSON: {error}") from None


def _time(data: bytes, *, micro: bool) -> str | None:
    if not data:
        return None
    fields = dict(_fields(data))
    seconds = _number(fields.get(1, 0))
    seconds = seconds - (1 << 64) if seconds >= 1 << 63 else seconds
    nanoseconds = _number(fields.get(2, 0))
    try:
        at = dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise MalformedError(f"time: {error}") from None
    if micro:
        return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{min(nanoseconds // 1000, 999_999):06d}Z"
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
