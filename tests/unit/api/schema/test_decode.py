"""Decoding of a message that has one of everything."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from msgspec import Meta

from lateen.api.schema.decode import Decoder
from lateen.api.schema.duration import Duration
from lateen.api.schema.encode import encode
from lateen.api.schema.message import AnyStruct, Int32, Lenient, Message, Rule, UInt32, map_keys, other_name, rules


class Colour(Enum):
    RED = "RED"
    GREEN = "GREEN"
    BLUE = "BLUE"
    __numbers__ = {"BLUE": 1000}


class Part(Message):
    name: Annotated[str, Meta(min_length=1)]
    size: UInt32 = 0
    note: str = ""

    rules: ClassVar = (Rule("!has(self.note) || self.size > 0", "note needs a size"),)


class Whole(Message):
    title: str = ""
    count_of_all: Int32 = 0
    limit: Annotated[int, Meta(ge=1, le=10)] | None = None
    share: Annotated[float, Meta(ge=0, le=100)] | None = None
    is_open: bool | None = None
    colour: Colour = Colour.RED
    wait: Annotated[Duration, rules(("duration(self) >= duration('1ms')", "at least 1ms"))] | None = None
    parts: Annotated[tuple[Part, ...], Meta(max_length=3), map_keys("name")] = ()
    labels: dict[str, Annotated[str, rules(("self != '*'", "no wildcard"))]] = {}
    free: AnyStruct | None = None
    exact: str | None = None
    prefix: str | None = None
    from_: Part | None = msgspec.field(name="from", default=None)
    raw: bytes = b""
    port: int | str | None = None
    keys_uri: Annotated[str, other_name("keysURI")] = ""

    oneofs: ClassVar = (("exact", "prefix"),)


class Foreign(Lenient):
    name: str = ""
    number: int = 0
    colour: Colour = Colour.RED
    items: tuple[Part, ...] = ()


DECODER = Decoder(Whole)


def decoded(value: Any) -> Whole:
    found, faults = DECODER.decode(value)
    assert faults == ()
    assert found is not None
    return found


def faults(value: Any, path: str = "spec") -> list[tuple[str, str]]:
    found, told = DECODER.decode(value, path)
    assert found is None
    return [(fault.path, fault.message) for fault in told]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, Whole()),
        ({"countOfAll": 5}, Whole(count_of_all=5)),
        ({"count_of_all": 5}, Whole(count_of_all=5)),
        ({"countOfAll": "5"}, Whole(count_of_all=5)),
        ({"countOfAll": 5.0}, Whole(count_of_all=5)),
        ({"countOfAll": "5.0"}, Whole(count_of_all=5)),
        ({"countOfAll": "1e3"}, Whole(count_of_all=1000)),
        ({"countOfAll": "-5"}, Whole(count_of_all=-5)),
        ({"countOfAll": None, "title": None, "parts": None}, Whole()),
        ({"share": "12.5"}, Whole(share=12.5)),
        ({"share": 12}, Whole(share=12.0)),
        ({"isOpen": False}, Whole(is_open=False)),
        ({"colour": "GREEN"}, Whole(colour=Colour.GREEN)),
        ({"colour": 1}, Whole(colour=Colour.GREEN)),
        ({"colour": 1000}, Whole(colour=Colour.BLUE)),
        ({"wait": "1m"}, Whole(wait=Duration(60 * 10**9))),
        ({"from": {"name": "a"}}, Whole(from_=Part(name="a"))),
        ({"free": {"a": [None, {"b": 1}]}}, Whole(free={"a": [None, {"b": 1}]})),
        ({"raw": "aGk="}, Whole(raw=b"hi")),
        ({"raw": "aGk"}, Whole(raw=b"hi")),
        ({"raw": "_-8="}, Whole(raw=b"\xff\xef")),
        ({"port": "http"}, Whole(port="http")),
        ({"port": 80}, Whole(port=80)),
        ({"keysUri": "a"}, Whole(keys_uri="a")),
        ({"keys_uri": "a"}, Whole(keys_uri="a")),
        ({"keysURI": "a"}, Whole(keys_uri="a")),
        ({"exact": "", "prefix": None}, Whole(exact="")),
        ({"labels": {"a": "b"}}, Whole(labels={"a": "b"})),
    ],
)
def test_what_istio_accepts_is_accepted(value: Any, expected: Whole) -> None:
    assert decoded(value) == expected


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ([], "spec", "expected an object, got a list"),
        ({"titel": "a"}, "spec.titel", "unknown field; did you mean title?"),
        ({"zzz": 1}, "spec.zzz", "unknown field"),
        ({"title": 5}, "spec.title", "expected a string, got 5; put it in quotes"),
        ({"title": True}, "spec.title", "expected a string, got true; put it in quotes"),
        ({"title": ["a"]}, "spec.title", "expected a string, got a list"),
        ({"countOfAll": "five"}, "spec.countOfAll", 'expected an integer, got "five"'),
        ({"countOfAll": 1.5}, "spec.countOfAll", "expected an integer, got 1.5"),
        ({"countOfAll": "1.5"}, "spec.countOfAll", 'expected an integer, got "1.5"'),
        ({"countOfAll": True}, "spec.countOfAll", "expected an integer, got true"),
        ({"countOfAll": 2**31}, "spec.countOfAll", "expected at most 2147483647, got 2147483648"),
        ({"countOfAll": "05"}, "spec.countOfAll", 'expected an integer, got "05"'),
        ({"limit": 0}, "spec.limit", "expected at least 1, got 0"),
        ({"limit": "11"}, "spec.limit", 'expected at most 10, got "11"'),
        ({"share": 100.5}, "spec.share", "expected at most 100, got 100.5"),
        ({"share": "a"}, "spec.share", 'expected a number, got "a"'),
        ({"isOpen": "true"}, "spec.isOpen", 'expected true or false, got "true"'),
        ({"colour": "GREN"}, "spec.colour", 'expected one of RED, GREEN, BLUE, got "GREN"; did you mean GREEN?'),
        ({"colour": 2}, "spec.colour", "expected one of RED, GREEN, BLUE, got 2"),
        ({"wait": 5}, "spec.wait", "expected a duration such as 1.5s, 100ms or 1h30m, got 5"),
        ({"wait": "5"}, "spec.wait", "expected a duration such as 1.5s, 100ms or 1h30m, got '5'"),
        ({"wait": "0s"}, "spec.wait", "at least 1ms"),
        ({"parts": {"name": "a"}}, "spec.parts", "expected a list, got an object"),
        ({"parts": [{}]}, "spec.parts[0].name", "missing: a string is required"),
        ({"parts": [{"name": None}]}, "spec.parts[0].name", "missing: a string is required"),
        ({"parts": [{"name": ""}]}, "spec.parts[0].name", "expected at least 1 characters, got 0"),
        ({"parts": [{"name": c} for c in "abcd"]}, "spec.parts", "expected at most 3 items, got 4"),
        ({"parts": [{"name": "a"}, {"name": "a"}]}, "spec.parts[1]", "the same name 'a' as item [0]"),
        ({"parts": [{"name": "a", "note": "b"}]}, "spec.parts[0]", "note needs a size"),
        ({"labels": {"a": "*"}}, "spec.labels[a]", "no wildcard"),
        ({"labels": {"a": None}}, "spec.labels[a]", "expected a string, got null"),
        ({"free": 5}, "spec.free", "expected an object, got 5"),
        ({"raw": "%"}, "spec.raw", 'expected base64, got "%"'),
        ({"port": 1.5}, "spec.port", "expected a string or an integer, got 1.5"),
        ({"exact": "", "prefix": "a"}, "spec.prefix", "exact and prefix exclude each other"),
        ({"count_of_all": 1, "countOfAll": 1}, "spec.countOfAll", "the same field as count_of_all"),
        ({"from": {"name": "a", "size": -1}}, "spec.from.size", "expected at least 0, got -1"),
    ],
)
def test_what_is_wrong_is_told_where_it_is(value: Any, path: str, message: str) -> None:
    told = faults(value)
    assert [where for where, _ in told] == [path]
    assert told[0][1].startswith(message)


def test_all_faults_are_told_at_once() -> None:
    told = faults({"title": 5, "limit": 0, "parts": [{"nam": "a"}, 5], "colour": "PINK"})
    assert [path for path, _ in told] == [
        "spec.title",
        "spec.limit",
        "spec.parts[0].nam",
        "spec.parts[0].name",
        "spec.parts[1]",
        "spec.colour",
    ]


def test_rules_are_not_judged_of_what_has_the_wrong_type() -> None:
    assert [path for path, _ in faults({"title": 5, "wait": "0s"})] == ["spec.title"]


def test_the_number_of_faults_is_bounded() -> None:
    told = faults({f"wrong{number}": 1 for number in range(1000)})
    assert len(told) == 51
    assert told[-1] == ("", "there are further faults")


def test_long_values_are_told_of_in_short() -> None:
    ((_, message),) = faults({"colour": "x" * 10_000})
    assert len(message) < 150


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": [value]}
    return value


def test_free_form_objects_are_bounded_in_depth() -> None:
    assert decoded({"free": nested(30)}).free == nested(30)
    assert faults({"free": nested(100)}) == [("spec.free", "nested deeper than 64 levels")]
    assert faults({"free": nested(100_000)}) == [("spec.free", "nested deeper than 64 levels")]


def test_foreign_messages_may_have_further_fields_but_no_other_spellings() -> None:
    decoder = Decoder(Foreign)
    assert decoder.decode({"name": "a", "whatever": {"b": 1}, "items": None}) == (Foreign(name="a"), ())
    _, told = decoder.decode({"number": "5", "colour": 1})
    assert [fault.path for fault in told] == ["number", "colour"]


def test_encoding_leaves_out_what_is_at_its_default() -> None:
    whole = Whole(from_=Part(name="a"), wait=Duration(1_500_000_000), exact="", is_open=False, colour=Colour.GREEN)
    assert encode(whole) == {
        "from": {"name": "a"},
        "wait": "1.5s",
        "exact": "",
        "isOpen": False,
        "colour": "GREEN",
    }
    assert decoded(encode(whole)) == whole


def test_types_that_json_cannot_spell_are_refused_when_the_decoder_is_made() -> None:
    class Odd(Message):
        numbers: set[int] | None = None

    with pytest.raises(TypeError, match="no API message may have the type"):
        Decoder(Odd)
