from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.controllers.job.cron import due_time, job_name, surplus
from lateen.cluster.controllers.job.schedule import ScheduleError, parse


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
def test_next(schedule: str, after: str, expected: str) -> None:
    assert parse(schedule).next(at(after)) == at(expected)


def test_a_time_the_clocks_skip_is_skipped() -> None:
    schedule = parse("30 2 * * *", "Europe/Berlin")
    assert schedule.next(at("2026-03-28T12:00:00")) == at("2026-03-30T00:30:00")


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "60 * * * *", "* * 0 * *", "5-1 * * * *", "*/0 * * * *", "a * * * *", "TZ=No/Where * * * * *"],
)
def test_nonsense(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse(text)


@given(st.text("0123456789*/,-@TZ= jan", max_size=30))
def test_any_text_is_a_schedule_or_an_error(text: str) -> None:
    try:
        moment = parse(text).next(at("2026-01-01T00:00:00"))
    except ScheduleError:
        return
    assert moment is None or moment > at("2026-01-01T00:00:00")


def cron(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "c", "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": spec, "status": {}}


def test_due_time() -> None:
    every_minute = parse("* * * * *")
    assert due_time(cron(), every_minute, at("2026-01-01T00:00:30")) == (None, False)
    assert due_time(cron(), every_minute, at("2026-01-01T00:03:30")) == (at("2026-01-01T00:03:00"), False)
    assert due_time(cron(), every_minute, at("2026-01-05T00:03:30")) == (at("2026-01-05T00:03:00"), True)
    late = cron(startingDeadlineSeconds=20)
    assert due_time(late, every_minute, at("2026-01-01T00:03:30")) == (None, False)
    assert job_name(cron(), at("2026-01-01T00:03:00")) == "c-29453763"


def test_history() -> None:
    jobs = [
        {
            "metadata": {"name": f"j{n}"},
            "status": {"startTime": f"2026-01-01T00:0{n}:00Z", "conditions": [{"type": type, "status": "True"}]},
        }
        for n, type in enumerate(["Complete"] * 5 + ["Failed"] * 2)
    ]
    assert [j["metadata"]["name"] for j in surplus(cron(), jobs)] == ["j0", "j1", "j5"]
