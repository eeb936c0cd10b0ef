"""Builds Envoy's messages from JSON as users write it, with located faults.

What this version does not know is passed over with a warning, so that a value may be meant for a newer Envoy: unknown
fields are left out, and a `typed_config` of an unknown type of Envoy's becomes a TypedStruct, which Envoy itself
interprets. Types that are not Envoy's (Istio's own filters, for example) are nothing that a stock Envoy takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from google.protobuf import json_format

from lateen.api.envoy.messages import message_class, message_descriptor
from lateen.api.schema.fault import Fault, error, warning

_ANY: Final = "google.protobuf.Any"
_TYPED_STRUCT: Final = "xds.type.v3.TypedStruct"
_TYPED_STRUCTS: Final = (_TYPED_STRUCT, "udpa.type.v1.TypedStruct")
_OF_ENVOY: Final = ("envoy.", "xds.", "udpa.", "google.")
_WELL_KNOWN: Final = "google.protobuf."
"""Messages with a JSON form of their own."""
_DEEPEST: Final = 64


def build(name: str, value: Mapping[str, Any], path: str) -> tuple[Any | None, tuple[Fault, ...]]:
    """A message of a type from JSON at `path` of its resource, and its faults.

    None if one of them is an ERROR, or if the value is of a type that only other builds of Envoy know: a WARNING.
    """
    descriptor = message_descriptor(name)
    class_ = message_class(name)
    if descriptor is None or class_ is None:
        return None, (error(path, f"{name} is not a message of Envoy's API"),)
    faults: list[Fault] = []
    message = class_()
    try:
        json_format.ParseDict(_known(value, descriptor, path, faults, 0), message)
    except _Wrong as wrong:
        return None, (*faults, wrong.fault)
    except (json_format.ParseError, ValueError, TypeError, AttributeError) as problem:
        return None, (*faults, error(path, f"cannot be read as {name}: {problem}"))
    return message, (*faults, *_deprecations(message, path))


class _Wrong(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def _known(value: Any, descriptor: Any, path: str, faults: list[Fault], depth: int) -> Any:
    """A value of a message type without what is not known."""
    if depth > _DEEPEST:
        raise _Wrong(error(path, "nested too deeply"))
    if not isinstance(value, Mapping):
        if descriptor.full_name.startswith(_WELL_KNOWN):
            return value
        raise _Wrong(error(path, f"expected an object, got {value!r}"))
    if descriptor.full_name == _ANY:
        return _any(value, path, faults, depth)
    if descriptor.full_name.startswith(_WELL_KNOWN):
        return value
    found = {}
    for key, item in value.items():
        field = descriptor.fields_by_name.get(key) or descriptor.fields_by_camelcase_name.get(key)
        where = f"{path}.{key}"
        if field is None:
            faults.append(warning(where, f"not a field of {descriptor.full_name} that this version knows: left out"))
        elif item is not None:
            found[key] = _field(item, field, where, faults, depth)
    return found


def _field(value: Any, field: Any, path: str, faults: list[Fault], depth: int) -> Any:
    type_ = field.message_type
    if type_ is None:
        return value
    if type_.GetOptions().map_entry:
        inner = type_.fields_by_name["value"].message_type
        if inner is None or not isinstance(value, Mapping):
            return value
        return {key: _known(item, inner, f"{path}[{key}]", faults, depth + 1) for key, item in value.items()}
    if field.is_repeated:
        if not isinstance(value, list | tuple):
            raise _Wrong(error(path, f"expected a list, got {value!r}"))
        return [_known(item, type_, f"{path}[{index}]", faults, depth + 1) for index, item in enumerate(value)]
    return _known(value, type_, path, faults, depth + 1)


def _any(value: Mapping[str, Any], path: str, faults: list[Fault], depth: int) -> Any:
    url = value.get("@type")
    if not isinstance(url, str) or not url:
        raise _Wrong(error(path, "expected the type of the message as @type"))
    rest = {key: item for key, item in value.items() if key != "@type"}
    name = url.rpartition("/")[2]
    if name in _TYPED_STRUCTS:
        return _unwrapped(value, path, depth) or value
    descriptor = message_descriptor(name)
    if descriptor is None:
        if not name.startswith(_OF_ENVOY):
            raise _Wrong(
                warning(path, f"{name} is no message of Envoy's API, which is all that proxies know: left out")
            )
        message_descriptor(_TYPED_STRUCT)  # imported, so that it can be parsed
        hint = "; try the v3 API" if ".v2." in name else ""
        faults.append(warning(path, f"{name} is not known to this version{hint}: Envoy will judge it"))
        return {"@type": f"type.googleapis.com/{_TYPED_STRUCT}", "type_url": url, "value": rest}
    if name.startswith(_WELL_KNOWN):
        return value
    return {"@type": url, **_known(rest, descriptor, path, faults, depth + 1)}


def _unwrapped(value: Mapping[str, Any], path: str, depth: int) -> Any | None:
    """What a TypedStruct stands for, as the message itself, so that it can be merged. None unless all is known."""
    message_descriptor(str(value["@type"]).rpartition("/")[2])  # imported, so that it can be parsed
    url = value.get("type_url") or value.get("typeUrl")
    inner = value.get("value")
    descriptor = message_descriptor(url.rpartition("/")[2]) if isinstance(url, str) else None
    if descriptor is None or not isinstance(inner, Mapping) or "@type" in inner:
        return None
    faults: list[Fault] = []
    try:
        known = _known(inner, descriptor, path, faults, depth + 1)
    except _Wrong:
        return None
    return {"@type": url, **known} if not faults and not descriptor.full_name.startswith(_WELL_KNOWN) else None


# --- what is deprecated -------------------------------------------------------------------------------------------


def _deprecations(message: Any, path: str) -> Iterator[Fault]:
    for url in dict.fromkeys(_frozen(message)):
        yield warning(path, f"{url} is deprecated by Envoy")
    for name in dict.fromkeys(_untyped(message)):
        yield warning(path, f"extension {name!r} has no typed_config: Envoy no longer finds extensions by name")


def _messages(message: Any) -> Iterator[Any]:
    """The messages directly in a message."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                yield from (value[key] for key in sorted(value))
        elif field.is_repeated:
            yield from value
        else:
            yield value


def _unpacked(message: Any) -> Any | None:
    """What an Any holds; None if it is not known, or not an Any."""
    if message.DESCRIPTOR.full_name != _ANY:
        return None
    class_ = message_class(message.TypeName())
    return class_.FromString(message.value) if class_ is not None else None


def _frozen(message: Any) -> Iterator[str]:
    """Types of a frozen version of the API (v2)."""
    from udpa.annotations import status_pb2

    for inner in _messages(message):
        held = _unpacked(inner)
        if held is not None:
            status = held.DESCRIPTOR.file.GetOptions().Extensions[status_pb2.file_status]
            if status.package_version_status == status_pb2.FROZEN:
                yield inner.type_url
            yield from _frozen(held)
        else:
            yield from _frozen(inner)


def _untyped(message: Any) -> Iterator[str]:
    """Names of extensions that have no configuration."""
    fields = message.DESCRIPTOR.fields_by_name
    if "typed_config" in fields and "name" in fields:
        sources = (name for name in ("typed_config", "config_discovery") if name in fields)
        if not any(message.HasField(name) for name in sources):
            yield message.name
    for inner in _messages(message):
        yield from _untyped(_unpacked(inner) or inner)
