"""From a protobuf body to the JSON value that a client speaking JSON would have sent.

Sources: k8s.io/apimachinery `runtime.Unknown` (the envelope), the generated.proto files of k8s.io/api (numbers), and
the JSON forms of the types that have their own (`metav1.Time`, `resource.Quantity`, `intstr.IntOrString`, ...).
"""

from __future__ import annotations

import base64
import datetime as dt
import struct
from typing import Any

import msgspec

from lateen.cluster.apiserver.protobuf.messages import Field, Message, message
from lateen.cluster.apiserver.protobuf.wire import LENGTH, WireError, fields, signed
from lateen.cluster.objects import GVK, Obj, split_api_version
from lateen.cluster.status import bad_request

MAGIC = b"k8s\0"
_MAX_DEPTH = 64
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MISSING: Any = object()
# Kinds that belong to every group are encoded by the one message of the meta group.
_META_KINDS = frozenset({"DeleteOptions", "Status", "CreateOptions", "PatchOptions", "UpdateOptions", "ListOptions"})


def decode(body: bytes) -> Obj:
    """The object in a request body of type `application/vnd.kubernetes.protobuf`. Raises StatusError (400)."""
    if not body.startswith(MAGIC):
        raise bad_request("the body is not in Kubernetes' protobuf encoding: it does not begin with k8s\\0")
    try:
        api_version, kind, raw = _envelope(body[len(MAGIC) :])
        value = _Decoder().message(message_name(GVK(*split_api_version(api_version), kind)), raw, 0)
    except (WireError, ValueError, RecursionError) as error:
        raise bad_request(f"the protobuf body cannot be decoded: {error}") from error
    if not isinstance(value, dict):
        raise bad_request(f"the protobuf body is not an object of kind {kind}")
    return {"kind": kind, "apiVersion": api_version, **value}


def message_name(gvk: GVK) -> str:
    """`apps/v1 Deployment` -> `apps.v1.Deployment`; `rbac.authorization.k8s.io/v1 Role` -> `rbac.v1.Role`."""
    if gvk.kind in _META_KINDS:
        return f"meta.v1.{gvk.kind}"
    return f"{gvk.group.split('.')[0] or 'core'}.{gvk.version}.{gvk.kind}"


def _envelope(data: bytes) -> tuple[str, str, bytes]:
    type_meta = raw = b""
    for number, kind, value in fields(data):
        if kind == LENGTH and isinstance(value, bytes):
            if number == 1:
                type_meta = value
            elif number == 2:
                raw = value
            elif number == 3 and value:
                raise WireError(f"content encoding {value!r} is not supported")
    named = {number: value.decode() for number, _, value in fields(type_meta) if isinstance(value, bytes)}
    return named.get(1, ""), named.get(2, ""), raw


class _Decoder:
    """Decodes one body; reads the shape of each message it meets once."""

    def __init__(self) -> None:
        self._shapes: dict[str, Message] = {}

    def message(self, name: str, data: bytes, depth: int) -> Any:
        """A message's JSON value; `_MISSING` for those whose zero value has no JSON form."""
        if depth > _MAX_DEPTH:
            raise WireError(f"messages are nested more than {_MAX_DEPTH} deep")
        special = _SPECIAL.get(name)
        if special is not None:
            return special(self, data, depth)
        shape = self._shape(name)
        found: Obj = {}
        for number, kind, value in fields(data):
            field = shape.get(number)
            if field is not None:  # An unknown number is a newer client's field: it is dropped, as Kubernetes does.
                self._add(found, field, kind, value, depth)
        return found

    def _shape(self, name: str) -> Message:
        shape = self._shapes.get(name) or message(name)
        if shape is None:
            raise WireError(f"there is no message {name}")
        self._shapes[name] = shape
        return shape

    def _add(self, found: Obj, field: Field, kind: int, value: int | bytes, depth: int) -> None:
        if field.map:
            key, item = self._entry(field, _bytes(field, value), depth)
            found.setdefault(field.name, {})[key] = item
        elif field.repeated:
            found.setdefault(field.name, []).append(self._value(field, kind, value, depth))
        else:
            decoded = self._value(field, kind, value, depth)
            if decoded is _MISSING or (field.omit_zero and not decoded):
                return
            if field.inline:
                found.update(decoded)
            else:
                found[field.name] = decoded

    def _value(self, field: Field, kind: int, value: int | bytes, depth: int) -> Any:
        match field.type:
            case "string":
                return _bytes(field, value).decode()
            case "bytes":
                return base64.b64encode(_bytes(field, value)).decode()
            case "int32" | "int64":
                return signed(_integer(field, value), 32 if field.type == "int32" else 64)
            case "bool":
                return bool(_integer(field, value))
            case "double":
                return struct.unpack("<d", _bytes(field, value))[0]
        return self.message(field.type, _bytes(field, value), depth + 1)

    def _entry(self, field: Field, data: bytes, depth: int) -> tuple[str, Any]:
        key = ""
        item: Any = _ZERO.get(field.type, _MISSING)
        for number, kind, value in fields(data):
            if number == 1:
                key = _bytes(field, value).decode()
            elif number == 2:
                item = self._value(field, kind, value, depth)
        return key, self.message(field.type, b"", depth + 1) if item is _MISSING else item


_ZERO: dict[str, Any] = {"string": "", "bytes": "", "int32": 0, "int64": 0, "bool": False, "double": 0.0}


def _bytes(field: Field, value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise WireError(f"field {field.name}: a number where {field.type} was expected")
    return value


def _integer(field: Field, value: int | bytes) -> int:
    if not isinstance(value, int):
        raise WireError(f"field {field.name}: bytes where {field.type} was expected")
    return value


# --- messages whose JSON form is their own -----------------------------------------------------------------------


def _numbers(data: bytes) -> dict[int, Any]:
    return {number: value for number, _, value in fields(data)}


def _instant(data: bytes) -> dt.datetime | None:
    if not data:
        return None
    found = _numbers(data)
    seconds, nanos = signed(found.get(1, 0), 64), signed(found.get(2, 0), 32)
    try:
        return _EPOCH + dt.timedelta(seconds=seconds, microseconds=nanos // 1000)
    except OverflowError:
        raise WireError(f"{seconds} seconds is not a time") from None


def _time(decoder: _Decoder, data: bytes, depth: int) -> Any:
    at = _instant(data)
    return _MISSING if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro_time(decoder: _Decoder, data: bytes, depth: int) -> Any:
    at = _instant(data)
    return _MISSING if at is None else at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _quantity(decoder: _Decoder, data: bytes, depth: int) -> Any:
    return _numbers(data).get(1, b"0").decode()


def _int_or_string(decoder: _Decoder, data: bytes, depth: int) -> Any:
    found = _numbers(data)
    return found.get(3, b"").decode() if found.get(1, 0) == 1 else signed(found.get(2, 0), 32)


def _raw_json(decoder: _Decoder, data: bytes, depth: int) -> Any:
    raw = _numbers(data).get(1, b"")
    try:
        return msgspec.json.decode(raw) if raw else _MISSING
    except msgspec.DecodeError as error:
        raise WireError(f"embedded JSON: {error}") from error


def _items(decoder: _Decoder, data: bytes, depth: int) -> Any:
    return [value.decode() for number, kind, value in fields(data) if number == 1 and isinstance(value, bytes)]


_SCHEMA = "apiextensions.v1.JSONSchemaProps"


def _schema_or_bool(decoder: _Decoder, data: bytes, depth: int) -> Any:
    found = _numbers(data)
    return decoder.message(_SCHEMA, found[2], depth + 1) if 2 in found else bool(found.get(1))


def _schema_or_array(decoder: _Decoder, data: bytes, depth: int) -> Any:
    found = _numbers(data)
    if 1 in found:
        return decoder.message(_SCHEMA, found[1], depth + 1)
    return [decoder.message(_SCHEMA, v, depth + 1) for n, k, v in fields(data) if n == 2 and isinstance(v, bytes)]


def _schema_or_strings(decoder: _Decoder, data: bytes, depth: int) -> Any:
    found = _numbers(data)
    if 1 in found:
        return decoder.message(_SCHEMA, found[1], depth + 1)
    return [v.decode() for n, k, v in fields(data) if n == 2 and isinstance(v, bytes)]


_SPECIAL = {
    "meta.v1.Time": _time,
    "meta.v1.MicroTime": _micro_time,
    "meta.v1.FieldsV1": _raw_json,
    "resource.Quantity": _quantity,
    "intstr.IntOrString": _int_or_string,
    "runtime.RawExtension": _raw_json,
    "apiextensions.v1.JSON": _raw_json,
    "apiextensions.v1.JSONSchemaPropsOrBool": _schema_or_bool,
    "apiextensions.v1.JSONSchemaPropsOrArray": _schema_or_array,
    "apiextensions.v1.JSONSchemaPropsOrStringArray": _schema_or_strings,
    "authentication.v1.ExtraValue": _items,
    "authorization.v1.ExtraValue": _items,
    "certificates.v1.ExtraValue": _items,
}
