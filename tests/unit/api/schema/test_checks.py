from __future__ import annotations

from typing import Annotated, ClassVar

import pytest
from msgspec import Meta

from lateen.api.kinds import KUBERNETES_KINDS
from lateen.api.schema.checks import compile_checks
from lateen.api.schema.message import Message, Rule, map_keys, rules
from lateen.api.schema.shape import shape_of


class Plain(Message):
    name: Annotated[str, Meta(max_length=5)] = ""


class Choice(Message):
    a: str | None = None
    b: str | None = None
    c: Plain | None = None

    oneofs: ClassVar = (("a", "b", "c"),)


class Outer(Message):
    choice: Choice | None = None
    choices: tuple[Choice, ...] = ()
    by_name: dict[str, Choice] = {}
    plain: Plain | None = None
    port: Annotated[int, rules(("self > 0", "positive"), ("self < 9", "small"))] = 0
    keyed: Annotated[tuple[Plain, ...], map_keys("name")] = ()

    rules: ClassVar = (Rule("!has(self.plain)", "no plain"),)


CHECK = compile_checks(shape_of(Outer))


def test_what_msgspec_checks_alone_costs_nothing_more() -> None:
    assert compile_checks(shape_of(Plain)) is None
    for kind in KUBERNETES_KINDS:
        assert kind.value is not None
        assert compile_checks(shape_of(kind.value)) is None, kind.kind


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, None),
        ({"choice": {"a": "x"}, "choices": [{"b": "x"}], "port": 5, "keyed": [{"name": "a"}, {}]}, None),
        ({"choice": None, "choices": [{"a": None, "b": ""}]}, None),
        (
            {"choice": {"a": "", "b": ""}},
            [(".choice.b", "a and b exclude each other: only one of a, b, c may be set")],
        ),
        (
            {"choices": [{}, {"a": "", "b": "", "c": {}}]},
            [(".choices[1].b", "a and b and c exclude each other: only one of a, b, c may be set")],
        ),
        (
            {"byName": {"k": {"a": "", "c": {}}}},
            [(".byName[k].c", "a and c exclude each other: only one of a, b, c may be set")],
        ),
        ({"port": 0}, [(".port", "positive")]),
        ({"port": 9}, [(".port", "small")]),
        ({"plain": {}}, [("", "no plain")]),
        ({"keyed": [{"name": "a"}, {}, {"name": "a"}]}, [(".keyed[2]", "the same name 'a' as item [0]")]),
        ({"keyed": [{}, {}]}, [(".keyed[1]", "the same name '' as item [0]")]),
        ({"port": 0, "plain": {}}, [(".port", "positive"), ("", "no plain")]),
    ],
)
def test_faults_are_found_where_they_are(value: object, expected: object) -> None:
    assert CHECK is not None
    assert CHECK(value) == expected
