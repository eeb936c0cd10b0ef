"""Values as Go has them: what is true, what a field is, how a value is printed and compared.

Maps and slices are dicts and lists. What Go has as structs (objects of Kubernetes, messages of the mesh API) is
wrapped, because a missing field of a struct is its zero value, and a missing key of a map is nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final

import msgspec

from lateen.api.schema.duration import Duration
from lateen.injection.go_template.errors import TemplateError

_MAPS: Final = frozenset(
    ("labels", "annotations", "nodeSelector", "limits", "requests", "matchLabels", "data", "stringData", "binaryData")
)
"""Fields of Kubernetes' objects that are maps of strings."""
_SAME: Final = frozenset(("Value", "GetValue", "String", "AsInterface"))
"""Of scalars and enums: methods that give the scalar again."""


class Zero:
    """The zero value of a field whose type is not known: false, empty, and printed as nothing."""

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Zero) or other in ("", 0, False, None) or other == [] or other == {}

    def __hash__(self) -> int:
        return 0


ZERO: Final = Zero()


class StringMap(dict[str, Any]):
    """A map whose missing keys are the empty string."""


class GoObject(msgspec.Struct, frozen=True):
    """An object of Kubernetes: `.ObjectMeta.Labels` is its `metadata.labels`."""

    raw: Mapping[str, Any]

    def field(self, name: str) -> Any:
        wanted = name.lower()
        for key, value in self.raw.items():
            if key.lower() == wanted:
                return wrapped(value, key)
        return StringMap() if wanted in ("labels", "annotations", "nodeselector") else ZERO


class GoMessage(msgspec.Struct, frozen=True):
    """A message of the mesh API: `.ProxyConfig.StatusPort`, `.ProxyConfig.GetTracing`."""

    message: msgspec.Struct

    def field(self, name: str) -> Any:
        for wanted in (name.lower(), name[3:].lower() if name.startswith("Get") else ""):
            for attribute in self.message.__struct_fields__ if wanted else ():
                if attribute.replace("_", "") == wanted:
                    return wrapped(getattr(self.message, attribute), attribute)
        raise TemplateError(f"{type(self.message).__name__} has no field {name}")


class GoStruct(msgspec.Struct, frozen=True):
    """The data of a template: fields by their Go names."""

    fields: Mapping[str, Any]

    def field(self, name: str) -> Any:
        if name not in self.fields:
            raise TemplateError(f"there is no .{name}; there are {', '.join(sorted(self.fields))}")
        return self.fields[name]


_Wrapped = (GoObject, GoMessage, GoStruct)


def wrapped(value: Any, key: str = "") -> Any:
    """A value below an object or a message."""
    if isinstance(value, Mapping):
        if key in _MAPS or key in ("proxy_metadata", "runtime_values"):
            return StringMap(value)
        return GoObject(value)
    if isinstance(value, (list, tuple)):
        return [wrapped(each) for each in value]
    if isinstance(value, msgspec.Struct) and not isinstance(value, _Wrapped):
        return GoMessage(value)
    if isinstance(value, Enum):
        return str(value.value)
    return ZERO if value is None else value


def unwrapped(value: Any) -> Any:
    """Plain data again."""
    if isinstance(value, GoObject):
        return value.raw
    if isinstance(value, GoMessage):
        return msgspec.to_builtins(value.message, enc_hook=str)
    if isinstance(value, GoStruct):
        return {key: unwrapped(each) for key, each in value.fields.items()}
    if isinstance(value, Mapping):
        return {str(key): unwrapped(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [unwrapped(each) for each in value]
    if isinstance(value, Duration):
        return str(value)
    return None if value is ZERO else value


def is_true(value: Any) -> bool:
    """Go: not the zero value; a struct always is."""
    return True if isinstance(value, (*_Wrapped, Duration)) else bool(value)


def field_of(value: Any, name: str) -> Any:
    """`.name` of a value. Raises TemplateError."""
    if isinstance(value, _Wrapped):
        return value.field(name)
    if isinstance(value, StringMap):
        return value.get(name, "")
    if isinstance(value, Mapping):
        return value.get(name)
    if value is ZERO:
        return ZERO
    if value is None:
        raise TemplateError(f".{name} of nothing: what it should be a field of is not set")
    if isinstance(value, (str, int, float, Duration)) and name in _SAME:
        return value
    raise TemplateError(f"a {kind_of(value)} has no field {name}")


def items_of(value: Any) -> Iterator[tuple[Any, Any]]:
    """Keys and values as `range` goes through them: maps by sorted key. Raises TemplateError."""
    if isinstance(value, GoObject):
        value = value.raw
    if isinstance(value, Mapping):
        return iter([(key, value[key]) for key in sorted(value, key=str)])
    if isinstance(value, (list, tuple)):
        return enumerate(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return enumerate(range(value))
    if value is None or value is ZERO:
        return iter(())
    raise TemplateError(f"range cannot go through a {kind_of(value)}")


def kind_of(value: Any) -> str:
    """As Go's reflect names it."""
    if value is None:
        return "invalid"
    if isinstance(value, bool):
        return "bool"
    for kinds, name in (
        (int, "int"),
        (float, "float64"),
        ((str, Zero), "string"),
        (_Wrapped, "struct"),
        (Mapping, "map"),
        ((list, tuple), "slice"),
    ):
        if isinstance(value, kinds):
            return name
    return "struct"


def shown(value: Any) -> str:
    """As Go prints it (`%v`)."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is ZERO:
        return ""
    if isinstance(value, float):
        return _shown_float(value)
    if isinstance(value, (GoObject, GoMessage, GoStruct)):
        value = unwrapped(value)
    if isinstance(value, Mapping):
        inner = " ".join(f"{shown(key)}:{_inner(value[key])}" for key in sorted(value, key=str))
        return f"map[{inner}]"
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(_inner(each) for each in value)}]"
    return str(value)


def _inner(value: Any) -> str:
    return "<nil>" if value is None else shown(value)


def _shown_float(value: float) -> str:
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    return text.replace("e-0", "e-") if "e" in text and "e-0" not in text else text


def equal(left: Any, right: Any) -> bool:
    """Of scalars. Raises TemplateError for what Go cannot compare."""
    if left is ZERO or right is ZERO:
        return bool(left == right)
    if left is None or right is None:
        return left is right or (left or right) == ""
    if _basic(left) != _basic(right):
        raise TemplateError(f"{kind_of(left)} and {kind_of(right)} cannot be compared")
    return bool(left == right)


def less(left: Any, right: Any) -> bool:
    """Of numbers and strings. Raises TemplateError for everything else."""
    left = 0 if left is ZERO and isinstance(right, (int, float)) else "" if left is ZERO else left
    right = 0 if right is ZERO and isinstance(left, (int, float)) else "" if right is ZERO else right
    if _basic(left) != _basic(right) or _basic(left) == "bool":
        raise TemplateError(f"{kind_of(left)} and {kind_of(right)} have no order")
    return bool(left < right)


def _basic(value: Any) -> str:
    kind = kind_of(value)
    if kind in ("map", "slice", "struct", "invalid"):
        raise TemplateError(f"a {kind} cannot be compared")
    return "number" if kind in ("int", "float64") else kind
