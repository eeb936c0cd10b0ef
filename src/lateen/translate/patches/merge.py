"""How a patch is merged into a message (Istio: pkg/proto/merge).

Scalars replace, messages are merged field by field, lists are appended to (or replaced), entries of maps replace. Other
than in protobuf's own merge, a duration, a timestamp, an Any and a wrapped scalar replace as one value: half of one and
half of another is neither.
"""

from __future__ import annotations

from typing import Any, Final

from lateen.api.envoy.messages import message_class
from lateen.api.networking.envoy_filter import Operation

_VALUES: Final = frozenset(
    f"google.protobuf.{name}"
    for name in (
        "Any",
        "BoolValue",
        "BytesValue",
        "DoubleValue",
        "Duration",
        "FloatValue",
        "Int32Value",
        "Int64Value",
        "StringValue",
        "Timestamp",
        "UInt32Value",
        "UInt64Value",
    )
)


class Misfit(Exception):
    """A patch that cannot be merged into what was generated."""


def merge(target: Any, patch: Any, replace_lists: bool = False) -> None:
    """Merges one message into another of the same type."""
    for field, value in patch.ListFields():
        name = field.name
        if field.is_repeated:
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                _merge_map(getattr(target, name), value, field)
            else:
                if replace_lists:
                    target.ClearField(name)
                getattr(target, name).extend(value)
        elif field.message_type is None:
            setattr(target, name, value)
        elif field.message_type.full_name in _VALUES:
            getattr(target, name).CopyFrom(value)
        else:
            inner = getattr(target, name)
            inner.SetInParent()
            merge(inner, value, replace_lists)


def _merge_map(target: Any, patch: Any, field: Any) -> None:
    holds_messages = field.message_type.fields_by_name["value"].message_type is not None
    for key in patch:
        if holds_messages:
            target[key].CopyFrom(patch[key])
        else:
            target[key] = patch[key]


def merge_by(operation: Operation, target: Any, patch: Any) -> None:
    """Merges as MERGE or MERGE_AND_REPLACE_LIST say."""
    merge(target, patch, operation is Operation.MERGE_AND_REPLACE_LIST)


def merge_any_by(operation: Operation, target: Any, patch: Any) -> None:
    """Merges what one Any holds into what another holds. Raises Misfit if the types differ."""
    if target.TypeName() != patch.TypeName():
        raise Misfit(f"a {patch.TypeName()} cannot be merged into the {target.TypeName()} that was generated")
    class_ = message_class(target.TypeName())
    if class_ is None:
        raise Misfit(f"{target.TypeName()} is not known to this version: use REPLACE")
    merged = class_.FromString(target.value)
    merge_by(operation, merged, class_.FromString(patch.value))
    target.value = merged.SerializeToString(deterministic=True)
