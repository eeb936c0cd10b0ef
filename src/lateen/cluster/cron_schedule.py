"""Cron schedules as CronJobs write them, and when they next fire.

Source: k8s.io/kubernetes CronJobs (github.com/robfig/cron, standard parser): five fields, names of months and days,
`*`, `?`, lists, ranges, steps, and `@hourly` and its like; `@every <duration>` too.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: i + 1 for i, name in enumerate(_MONTH_NAMES)}
_DAYS = {name: i for i, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?", re.ASCII)
_MAX_LENGTH = 256
_HORIZON_DAYS = 366 * 5 + 2
"""A schedule that does not fire within five years (31 February) never does."""


@dataclass(frozen=True, slots=True)
class _Field:
    values: frozenset[int]
    starred: bool


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """Times are compared in the zone of the datetime that is asked about."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: _Field
    months: frozenset[int]
    weekdays: _Field
    every: dt.timedelta | None = None

    def _day_matches(self, day: dt.date) -> bool:
        in_month, in_week = day.day in self.days.values, day.isoweekday() % 7 in self.weekdays.values
        # Two restricted fields are alternatives; a starred one restricts nothing.
        if self.days.starred or self.weekdays.starred:
            return in_month and in_week
        return in_month or in_week

    def next_after(self, moment: dt.datetime) -> dt.datetime | None:
        """The first time strictly after `moment`; None when there is none within five years."""
        if self.every is not None:
            return moment.replace(microsecond=0) + self.every
        start = moment.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
        day = start.date()
        for offset in range(_HORIZON_DAYS):
            date = day + dt.timedelta(days=offset)
            if date.month not in self.months or not self._day_matches(date):
                continue
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    found = dt.datetime.combine(date, dt.time(hour, minute), tzinfo=moment.tzinfo)
                    if found >= start:
                        return found
        return None


def parse(text: str) -> CronSchedule:
    """Reads a schedule without a time zone prefix. Raises ValueError, which says what is wrong."""
    text = text.strip()
    if len(text) > _MAX_LENGTH:
        raise ValueError("schedule too long")
    every = None
    if text.startswith("@every "):
        every = _duration(text.removeprefix("@every "))
        text = "* * * * *"
    elif text.startswith("@"):
        if text not in _DESCRIPTORS:
            raise ValueError(f"unrecognized descriptor: {text}")
        text = _DESCRIPTORS[text]
    parts = text.split()
    if len(parts) != 5:
        raise ValueError(f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]")
    minutes = _field(parts[0], 0, 59, {})
    hours = _field(parts[1], 0, 23, {})
    days = _field(parts[2], 1, 31, {})
    months = _field(parts[3], 1, 12, _MONTHS)
    weekdays = _field(parts[4], 0, 6, _DAYS)
    return CronSchedule(minutes.values, hours.values, days, months.values, weekdays, every)


def _duration(text: str) -> dt.timedelta:
    m = _DURATION.fullmatch(text.strip())
    seconds = 0 if m is None else int(m[1] or 0) * 3600 + int(m[2] or 0) * 60 + int(m[3] or 0)
    if seconds < 1:
        raise ValueError(f"failed to parse duration @every {text}")
    return dt.timedelta(seconds=seconds)


def _field(text: str, low: int, high: int, names: dict[str, int]) -> _Field:
    values: set[int] = set()
    starred = False
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, {}) if slash else 1
        if step == 0:
            raise ValueError(f"step of range should be a positive number: {part}")
        if span in ("*", "?"):
            first, last = low, high
            starred = starred or step == 1
        else:
            first_text, dash, last_text = span.partition("-")
            first = _number(first_text, names)
            last = _number(last_text, names) if dash else (high if slash else first)
        if first < low:
            raise ValueError(f"beginning of range ({first}) below minimum ({low}): {part}")
        if last > high:
            raise ValueError(f"end of range ({last}) above maximum ({high}): {part}")
        if first > last:
            raise ValueError(f"beginning of range ({first}) beyond end of range ({last}): {part}")
        values.update(range(first, last + 1, step))
    return _Field(frozenset(values), starred)


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"\d{1,4}", text, re.ASCII):
        raise ValueError(f"failed to parse int from {text}")
    return int(text)
