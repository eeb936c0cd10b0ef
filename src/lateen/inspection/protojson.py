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


def camel(data: Any, message: str, *, known: bool = False) -> Any:
    """JSON data of a message (its full name) with `lowerCamelCase` names. Keys of maps stay.

    Fields that the installed types lack, which are older than Envoy's, stay as they are; `known` leaves them out.
    """
    found = message_class(message)
    return data if found is None else _Walk(known).message(data, found.DESCRIPTOR)


class _Walk:
    def __init__(self, known: bool) -> None:
        self._known = known

    def message(self, data: Any, descriptor: Any) -> Any:
        if not isinstance(data, dict) or descriptor.full_name in _AS_IT_IS:
            return data
        if descriptor.full_name == "google.protobuf.Any":
            found = message_class(str(data.get("@type", "")).removeprefix(_PREFIX))
            return data if found is None else self.message(data, found.DESCRIPTOR)
        result = {}
        for key, value in data.items():
            field = descriptor.fields_by_name.get(key)
            if field is not None:
                result[str(field.json_name)] = self._value(value, field)
            elif key.startswith("@") or not self._known:
                result[key] = value
        return result

    def _value(self, data: Any, field: Any) -> Any:
        inner = field.message_type
        if inner is None:
            return data
        if inner.GetOptions().map_entry:
            value = inner.fields_by_name["value"]
            return {key: self._value(each, value) for key, each in data.items()} if isinstance(data, dict) else data
        if isinstance(data, list):
            return [self.message(each, inner) for each in data]
        return self.message(data, inner)
