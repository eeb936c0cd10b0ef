from __future__ import annotations

import copy

import msgspec
import pytest

from lateen.api.schema.decode import decode_duration
from lateen.api.schema.duration import Duration, parse_duration

SECOND = 10**9


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0s", 0),
        ("0", 0),
        ("5s", 5 * SECOND),
        ("1.5s", 1_500_000_000),
        ("1.000000001s", SECOND + 1),
        ("100ms", 100_000_000),
        ("1h30m", 5400 * SECOND),
        ("1h1m1.5s", 3661 * SECOND + SECOND // 2),
        ("10us", 10_000),
        ("10µs", 10_000),
        ("7ns", 7),
        (".5s", SECOND // 2),
        ("1.s", SECOND),
        ("-1.5s", -1_500_000_000),
        ("+2m", 120 * SECOND),
    ],
)
def test_both_ways_of_writing_a_duration_are_read(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == Duration(nanoseconds)


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "5x", "1h 30m", "-", "--1s", "1.5.5s", "1e3s", "٣s", "5s\n"])
def test_anything_else_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as"):
        parse_duration(text)


def test_a_duration_that_protobuf_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than 10,000 years"):
        parse_duration("9999999999999h")


@pytest.mark.parametrize("text", ["0s", "5s", "1.5s", "0.000000001s", "-0.25s", "3600s"])
def test_it_is_shown_as_proto_json(text: str) -> None:
    assert str(parse_duration(text)) == text


def test_it_is_an_immutable_value() -> None:
    second = Duration(SECOND)
    with pytest.raises(AttributeError):
        second.nanoseconds = 5
    assert second == Duration(SECOND)
    assert hash(second) == hash(Duration(SECOND))
    assert copy.deepcopy(second) == second
    assert second != SECOND
    assert Duration(1) < second <= Duration(SECOND) < Duration(2 * SECOND)
    assert second > Duration(1)
    assert second >= Duration(SECOND)
    assert second.seconds == 1.0


def test_the_decoder_takes_text_alone() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(5, Duration, dec_hook=decode_duration)


@pytest.mark.parametrize("hostile", ["1" * 100_000, "1." * 50_000, "1s" * 50_000, "." * 100_000])
def test_hostile_texts_are_refused_unread(hostile: str) -> None:
    with pytest.raises(ValueError, match="at most 100 characters, got 100000"):
        parse_duration(hostile)
