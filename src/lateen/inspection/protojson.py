"""Envoy's admin interface writes names of fields as in the protos; tools expect those of protobuf's JSON."""

from __future__ import annotations

from typing import Any, Final

from lateen.translate.envoy_types import message_class

_PREFIX: Final = "type.googleapis.com/"
_AS_IT_IS: Final = frozenset(
    {"google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue", "google.protobuf.Duration",
     "google.protobuf.Timestamp"}
)  # fmt: skip
"""Of which JSON has no fields."""


def camel(data: Any, message: str) -> Any:
    """JSON data of a message (its full name) with `lowerCamelCase` names. Keys of maps stay, and what is unknown."""
    found = message_class(message)
    return data if found is None else _message(data, found.DESCRIPTOR)


def _message(data: Any, descriptor: Any) -> Any:
    if not isinstance(data, dict) or descriptor.full_name in _AS_IT_IS:
        return data
    if descriptor.full_name == "google.protobuf.Any":
        return _any(data)
    return {_name(key, descriptor): _value(value, descriptor.fields_by_name.get(key)) for key, value in data.items()}


def _any(data: dict[str, Any]) -> Any:
    found = message_class(str(data.get("@type", "")).removeprefix(_PREFIX))
    if found is None:
        return data
    return _message(data, found.DESCRIPTOR)


def _name(key: str, descriptor: Any) -> str:
    field = descriptor.fields_by_name.get(key)
    return key if field is None else str(field.json_name)


def _value(data: Any, field: Any) -> Any:
    if field is None or field.message_type is None:
        return data
    inner = field.message_type
    if inner.GetOptions().map_entry:
        value = inner.fields_by_name["value"]
        return {key: _value(each, value) for key, each in data.items()} if isinstance(data, dict) else data
    if isinstance(data, list):
        return [_message(each, inner) for each in data]
    return _message(data, inner)
