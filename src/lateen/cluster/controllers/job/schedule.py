"""Cron schedules: five fields or a macro, and the moments they mean.

Source: github.com/robfig/cron's standard parser, which CronJobs use: with both a day of month and a day of week
restricted, either will do.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = {"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6}
_MONTHS |= {"jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12}
_DAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = re.compile(r"@every\s+((?:\d+(?:\.\d+)?[hms])+)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_HORIZON_YEARS = 5


class ScheduleError(ValueError):
    """A schedule or time zone that cannot be read."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The moments of a schedule in one time zone; `every` is set instead of the fields for `@every`."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool
    zone: dt.tzinfo
    every: float = 0.0

    def next(self, after: dt.datetime) -> dt.datetime | None:
        """The first moment after `after`, in UTC; None when there is none in five years."""
        if self.every:
            return (after + dt.timedelta(seconds=self.every)).replace(microsecond=0)
        local = after.astimezone(self.zone)
        day = local.date()
        first = True
        for _ in range(_HORIZON_YEARS * 366):
            if day.month in self.months and self._has_day(day):
                for moment in self._moments(day):
                    if not first or moment > after:
                        return moment.astimezone(dt.UTC)
            first = False
            day += dt.timedelta(days=1)
        return None

    def _has_day(self, day: dt.date) -> bool:
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_date and by_weekday
        return by_date or by_weekday

    def _moments(self, day: dt.date) -> list[dt.datetime]:
        found = []
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                moment = dt.datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone)
                # A time that the clocks skip does not come back as the same time.
                if moment.astimezone(dt.UTC).astimezone(self.zone).hour == hour:
                    found.append(moment)
        return found


def parse(text: str, time_zone: str = "") -> Schedule:
    """Reads a schedule; its own `TZ=` prefix counts where `time_zone` is empty. Raises ScheduleError."""
    text = text.strip()
    prefixed = re.fullmatch(r"(?:CRON_)?TZ=(\S+)\s+(.*)", text)
    if prefixed:
        time_zone, text = time_zone or prefixed[1], prefixed[2]
    zone = _zone(time_zone)
    every = _EVERY.fullmatch(text)
    if every:
        seconds = sum(float(n) * _UNITS[u] for n, u in re.findall(r"(\d+(?:\.\d+)?)([hms])", every[1]))
        empty: frozenset[int] = frozenset()
        return Schedule(empty, empty, empty, empty, empty, True, True, zone, max(1.0, seconds))
    fields = _MACROS.get(text, text).split()
    if len(fields) != 5:
        raise ScheduleError(f"expected exactly 5 fields, found {len(fields)}: {text}")
    minute, hour, day, month, weekday = fields
    return Schedule(
        _field(minute, 0, 59),
        _field(hour, 0, 23),
        _field(day, 1, 31),
        _field(month, 1, 12, _MONTHS),
        _field(weekday, 0, 6, _DAYS),
        day.startswith(("*", "?")),
        weekday.startswith(("*", "?")),
        zone,
    )


def _zone(name: str) -> dt.tzinfo:
    if not name or name == "UTC":
        return dt.UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleError(f"unknown time zone {name}") from None


def _field(text: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, {}) if slash else 1
        first_text, dash, last_text = span.partition("-")
        if span in ("*", "?"):
            first, last = low, high
        else:
            first = _number(first_text, names or {})
            last = _number(last_text, names or {}) if dash else (high if slash else first)
        if step < 1 or not low <= first <= last <= high:
            raise ScheduleError(f"beyond {low}-{high}: {part}")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"\d{1,3}", text):
        raise ScheduleError(f"failed to parse number: {text!r}")
    return int(text)
