from __future__ import annotations

import types
from enum import Enum
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from msgspec import Meta

from lateen.api.schema.duration import Duration
from lateen.api.schema.message import AnyStruct, Lenient, Message, Rule, UInt32, map_keys, other_name, rules
from lateen.api.schema.shape import (
    Alternatives,
    Anything,
    Boolean,
    Choice,
    Entries,
    Items,
    MessageShape,
    Number,
    Span,
    Text,
    messages,
    shape_of,
)

RULE = Rule("self > 0", "positive")


class Colour(Enum):
    RED = "RED"
    GREEN = "GREEN"
    __numbers__ = {"GREEN": 5}


class Leaf(Message):
    name: str


class Tree(Message):
    from_: str = msgspec.field(name="from", default="x")
    maybe: Annotated[UInt32, rules((RULE.expression, RULE.message)), other_name("perhaps")] | None = None
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    is_on: bool = False
    colour: Colour = Colour.RED
    wait: Duration | None = None
    port: int | str = 0
    free: AnyStruct | None = None
    any: Any = None
    raw: bytes = b""
    leaves: Annotated[tuple[Leaf, ...], Meta(min_length=1), map_keys("name")] = ()
    by_name: dict[str, Leaf] = {}
    leaf: Leaf | None = None

    oneofs: ClassVar = (("is_on", "by_name"),)
    rules: ClassVar = (Rule("true", "always"),)


SHAPE = shape_of(Tree)
FIELDS = {field.attribute: field for field in SHAPE.fields}


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("from_", Text()),
        ("maybe", Number(True, 0, 4294967295, rules=(RULE,))),
        ("share", Number(False, above=0, below=1)),
        ("is_on", Boolean()),
        ("colour", Choice(Colour, ("RED", "GREEN"), (0, 5))),
        ("wait", Span()),
        ("port", Alternatives()),
        ("free", Anything()),
        ("any", Anything(is_object=False)),
        ("raw", Text(base64=True)),
        ("leaves", Items(shape_of(Leaf), 1, None, ("name",))),
        ("by_name", Entries(shape_of(Leaf))),
        ("leaf", shape_of(Leaf)),
    ],
)
def test_every_type_has_its_shape(attribute: str, expected: Any) -> None:
    assert FIELDS[attribute].shape == expected


def test_fields_know_their_names_and_when_they_may_be_absent() -> None:
    assert (FIELDS["from_"].name, FIELDS["from_"].proto_name) == ("from", "from")
    assert (FIELDS["is_on"].name, FIELDS["is_on"].proto_name) == ("isOn", "is_on")
    assert FIELDS["maybe"].other_name == "perhaps"
    assert [name for name, field in FIELDS.items() if field.nullable] == ["maybe", "wait", "free", "leaf"]
    assert not FIELDS["from_"].required
    assert FIELDS["from_"].default == "x"
    assert shape_of(Leaf).fields[0].required


def test_messages_know_what_excludes_what() -> None:
    assert SHAPE.strict
    assert SHAPE.oneofs == (("isOn", "byName"),)
    assert SHAPE.rules == (Rule("true", "always"),)
    assert [shape.type for shape in messages(SHAPE)] == [Tree, Leaf, Leaf, Leaf]


def test_messages_of_kubernetes_are_not_strict() -> None:
    class Foreign(Lenient):
        name: str = ""

    assert shape_of(Foreign) == MessageShape(Foreign, shape_of(Foreign).fields, strict=False)


@pytest.mark.parametrize("odd", [set[int], dict[int, str], float | str])
def test_what_json_has_no_form_for_is_refused(odd: Any) -> None:
    body = {"__annotations__": {"field": odd}, "__module__": __name__}
    message: Any = types.new_class("Odd", (Message,), exec_body=lambda namespace: namespace.update(body))
    with pytest.raises(TypeError):
        shape_of(message)
