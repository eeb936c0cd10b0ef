from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.cron_schedule import parse

_FROM = dt.datetime(2026, 1, 30, 10, 15, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("* * * * *", "2026-01-30T10:16"),
        ("*/10 * * * *", "2026-01-30T10:20"),
        ("0 * * * *", "2026-01-30T11:00"),
        ("@hourly", "2026-01-30T11:00"),
        ("@daily", "2026-01-31T00:00"),
        ("0 0 31 * *", "2026-01-31T00:00"),
        ("0 0 * * mon", "2026-02-02T00:00"),
        ("0 0 1 feb-mar ?", "2026-02-01T00:00"),
        ("0 0 15 * sun", "2026-02-01T00:00"),
        ("5,10 3-4 * * *", "2026-01-31T03:05"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
    ],
)
def test_next(schedule: str, expected: str) -> None:
    found = parse(schedule).next_after(_FROM)
    assert found is not None
    assert found.strftime("%Y-%m-%dT%H:%M") == expected


def test_never() -> None:
    assert parse("0 0 31 2 *").next_after(_FROM) is None


def test_every() -> None:
    found = parse("@every 1h30m").next_after(_FROM)
    assert found == dt.datetime(2026, 1, 30, 11, 45, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "* * * *",
        "60 * * * *",
        "* * 0 * *",
        "5-1 * * * *",
        "*/0 * * * *",
        "@soon",
        "x * * * *",
        "@every 5",
        "TZ=No/Where * * * * *",
    ],
)
def test_refuses(schedule: str) -> None:
    with pytest.raises(ValueError):
        parse(schedule)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("* * * * *", "2026-01-01T00:00:00", "2026-01-01T00:01:00"),
        ("*/15 * * * *", "2026-01-01T00:16:00", "2026-01-01T00:30:00"),
        ("0 9-17/4 * * mon-fri", "2026-01-02T17:30:00", "2026-01-05T09:00:00"),
        ("0 0 13 * 5", "2026-01-01T00:00:00", "2026-01-02T00:00:00"),
        ("0 0 29 feb *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("@monthly", "2026-01-31T10:00:00", "2026-02-01T00:00:00"),
        ("@every 1h30m", "2026-01-01T00:00:00", "2026-01-01T01:30:00"),
        ("TZ=Asia/Tokyo 0 9 * * *", "2026-01-01T00:00:00", "2026-01-02T00:00:00"),
    ],
)
def test_next_in_a_zone(schedule: str, after: str, expected: str) -> None:
    assert parse(schedule).next_after(at(after)) == at(expected)


def test_a_time_the_clocks_skip_is_skipped() -> None:
    schedule = parse("30 2 * * *", "Europe/Berlin")
    assert schedule.next_after(at("2026-03-28T12:00:00")) == at("2026-03-30T00:30:00")


@given(st.text("0123456789*/,-@TZ= jan", max_size=30))
def test_any_text_is_a_schedule_or_an_error(text: str) -> None:
    try:
        moment = parse(text).next_after(at("2026-01-01T00:00:00"))
    except ValueError:
        return
    assert moment is None or moment > at("2026-01-01T00:00:00")
