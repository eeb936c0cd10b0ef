from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from lateen.api.schema.message import Lenient, Message, Rule, map_keys, other_name, rules, text_format


class Strict(Message):
    some_text: str = ""
    needed: int


class Loose(Lenient):
    some_text: str = ""
    needed: int


@pytest.mark.parametrize("kind", [Strict, Loose])
def test_subclasses_are_keyword_only_frozen_and_camel_case(kind: Any) -> None:
    made = kind(needed=1)
    assert msgspec.convert({"someText": "a", "needed": 1}, kind) == kind(some_text="a", needed=1)
    with pytest.raises(AttributeError):
        made.needed = 2
    with pytest.raises(TypeError):
        kind("a", 1)
    with pytest.raises(TypeError):
        kind()


def test_only_the_meshs_own_messages_refuse_unknown_fields() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"needed": 1, "other": 2}, Strict)
    assert msgspec.convert({"needed": 1, "other": 2}, Loose) == Loose(needed=1)


@pytest.mark.parametrize("kind", [Strict, Loose])
def test_defaults_are_left_out_of_json(kind: Any) -> None:
    assert msgspec.to_builtins(kind(needed=0)) == {"needed": 0}


def test_constraints_of_all_sorts_go_together() -> None:
    class Constrained(Message):
        text: Annotated[
            str, Meta(max_length=3), rules(("self != 'a'", "not a")), other_name("old_text"), text_format("date-time")
        ] = ""
        parts: Annotated[tuple[Strict, ...], Meta(max_length=3), map_keys("needed")] = ()

    text, parts = msgspec.inspect.type_info(Constrained).fields
    assert text.type.extra == {
        "rules": (Rule("self != 'a'", "not a"),),
        "other_name": "old_text",
        "format": "date-time",
    }
    assert text.type.type.max_length == 3
    assert parts.type.extra == {"map_keys": ("needed",)}
