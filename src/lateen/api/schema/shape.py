"""The shape of a message: its types and constraints as one small tree.

Everything that is derived from the types reads this tree: the checks that msgspec does not do, the walk that locates
faults, the CRDs and the reference documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final

import msgspec
from msgspec import inspect

from lateen.api.schema.duration import Duration
from lateen.api.schema.message import Message, Rule


class Anything(msgspec.Struct, frozen=True):
    """Any JSON value; `is_object` if it must be an object (google.protobuf.Struct)."""

    is_object: bool = True
    rules: tuple[Rule, ...] = ()


class Boolean(msgspec.Struct, frozen=True):
    rules: tuple[Rule, ...] = ()


class Number(msgspec.Struct, frozen=True):
    is_integer: bool
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    """Exclusive minimum."""
    below: float | None = None
    """Exclusive maximum."""
    rules: tuple[Rule, ...] = ()


class Text(msgspec.Struct, frozen=True):
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    base64: bool = False
    """Stands for bytes."""
    format: str = ""
    """As Kubernetes names it: `date-time`."""
    rules: tuple[Rule, ...] = ()


class Choice(msgspec.Struct, frozen=True):
    """An enum. An enum whose proto numbers are not 0, 1, 2, ... names the others in `__numbers__`."""

    type: type[Enum]
    values: tuple[str, ...]
    numbers: tuple[int, ...]
    """The proto numbers of the values."""
    rules: tuple[Rule, ...] = ()


class Span(msgspec.Struct, frozen=True):
    """A duration."""

    rules: tuple[Rule, ...] = ()


class Alternatives(msgspec.Struct, frozen=True):
    """A string or an integer (Kubernetes' IntOrString)."""

    rules: tuple[Rule, ...] = ()


class Items(msgspec.Struct, frozen=True):
    item: Shape
    min_length: int | None = None
    max_length: int | None = None
    map_keys: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


class Entries(msgspec.Struct, frozen=True):
    value: Shape
    key: Text = Text()
    min_length: int | None = None
    max_length: int | None = None
    rules: tuple[Rule, ...] = ()


class FieldShape(msgspec.Struct, frozen=True):
    name: str
    """As users write it: camelCase."""
    attribute: str
    """As Python has it."""
    shape: Shape
    required: bool
    nullable: bool
    """A message or a wrapped scalar: absent is None."""
    default: Any
    other_name: str = ""
    """A second name that the CRD has."""

    @property
    def proto_name(self) -> str:
        return self.attribute.rstrip("_")


class MessageShape(msgspec.Struct, frozen=True):
    type: type[msgspec.Struct]
    fields: tuple[FieldShape, ...]
    strict: bool
    """Unknown fields are faults."""
    oneofs: tuple[tuple[str, ...], ...] = ()
    """Groups of fields as users write them, of which at most one may be set."""
    rules: tuple[Rule, ...] = ()


Shape = Anything | Boolean | Number | Text | Choice | Span | Alternatives | Items | Entries | MessageShape

_RULES: Final = "rules"


def shape_of(message: type[msgspec.Struct]) -> MessageShape:
    """The shape of a message type. Raises TypeError for a type that no API message may have."""
    found = _shape(inspect.type_info(message), {})
    assert isinstance(found, MessageShape)
    return found


def _shape(info: inspect.Type, extra: Mapping[str, Any]) -> Shape:
    rules: tuple[Rule, ...] = extra.get(_RULES, ())
    match info:
        case inspect.Metadata():
            return _shape(info.type, {**extra, **(info.extra or {})})
        case inspect.BoolType():
            return Boolean(rules)
        case inspect.IntType():
            return Number(True, info.ge, info.le, info.gt, info.lt, rules)
        case inspect.FloatType():
            return Number(False, info.ge, info.le, info.gt, info.lt, rules)
        case inspect.StrType():
            return Text(info.min_length, info.max_length, info.pattern, format=extra.get("format", ""), rules=rules)
        case inspect.BytesType():
            return Text(info.min_length, info.max_length, base64=True, rules=rules)
        case inspect.EnumType():
            return _choice(info.cls, rules)
        case inspect.CustomType() if info.cls is Duration:
            return Span(rules)
        case inspect.AnyType() | inspect.RawType():
            return Anything(is_object=False, rules=rules)
        case inspect.VarTupleType() | inspect.ListType():
            item = _shape(info.item_type, {})
            return Items(item, info.min_length, info.max_length, extra.get("map_keys", ()), rules)
        case inspect.DictType():
            return _entries(info, rules)
        case inspect.UnionType():
            return _union(info, extra)
        case inspect.StructType():
            return _message(info, rules)
    raise TypeError(f"no API message may have the type {info}")


def _choice(enum: type[Enum], rules: tuple[Rule, ...]) -> Choice:
    values = tuple(str(member.value) for member in enum)
    others: Mapping[str, int] = getattr(enum, "__numbers__", {})
    return Choice(enum, values, tuple(others.get(value, number) for number, value in enumerate(values)), rules)


def _entries(info: inspect.DictType, rules: tuple[Rule, ...]) -> Shape:
    value = _shape(info.value_type, {})
    if isinstance(value, Anything) and not value.is_object:
        return Anything(rules=rules)
    key = _shape(info.key_type, {})
    if not isinstance(key, Text):
        raise TypeError(f"keys of a map are strings in JSON, not {info.key_type}")
    return Entries(value, key, info.min_length, info.max_length, rules)


def _union(info: inspect.UnionType, extra: Mapping[str, Any]) -> Shape:
    members = [member for member in info.types if not isinstance(member, inspect.NoneType)]
    if len(members) == 1:
        return _shape(members[0], extra)
    if {type(member) for member in members} == {inspect.IntType, inspect.StrType}:
        return Alternatives(extra.get(_RULES, ()))
    raise TypeError(f"no API message may have the type {info}")


def _message(info: inspect.StructType, rules: tuple[Rule, ...]) -> MessageShape:
    fields = tuple(_field(field) for field in info.fields)
    names = {field.attribute: field.name for field in fields}
    own_rules: tuple[Rule, ...] = ()
    oneofs: tuple[tuple[str, ...], ...] = ()
    if issubclass(info.cls, Message):
        own_rules = info.cls.rules
        oneofs = tuple(tuple(names[attribute] for attribute in group) for group in info.cls.oneofs)
    return MessageShape(info.cls, fields, info.forbid_unknown_fields, oneofs, (*own_rules, *rules))


def _field(field: inspect.Field) -> FieldShape:
    info: inspect.Type = field.type
    extra: dict[str, Any] = {}
    while isinstance(info, inspect.Metadata):
        extra = {**(info.extra or {}), **extra}
        info = info.type
    nullable = isinstance(info, inspect.UnionType) and info.includes_none
    if isinstance(info, inspect.UnionType):
        for member in info.types:
            if isinstance(member, inspect.Metadata):
                extra = {**(member.extra or {}), **extra}
    default = None if field.default is msgspec.NODEFAULT else field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    return FieldShape(
        field.encode_name,
        field.name,
        _shape(info, extra),
        field.required,
        nullable,
        default,
        extra.get("other_name", ""),
    )


def messages(shape: Shape) -> Iterator[MessageShape]:
    """A shape's messages, each before those inside it."""
    match shape:
        case MessageShape():
            yield shape
            for field in shape.fields:
                yield from messages(field.shape)
        case Items():
            yield from messages(shape.item)
        case Entries():
            yield from messages(shape.value)
