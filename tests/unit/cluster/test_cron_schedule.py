from __future__ import annotations

import datetime as dt

import pytest

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
    "schedule", ["", "* * * *", "60 * * * *", "* * 0 * *", "5-1 * * * *", "*/0 * * * *", "@soon", "x * * * *"]
)
def test_refuses(schedule: str) -> None:
    with pytest.raises(ValueError):
        parse(schedule)
