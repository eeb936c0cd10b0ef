from __future__ import annotations

import datetime as dt
from typing import Any

from lateen.cluster.controllers.job.cron import due_time, job_name, surplus
from lateen.cluster.cron_schedule import parse


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


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
