"""Cron schedules as CronJobs write them, and the moments they mean.

Source: k8s.io/kubernetes CronJobs (github.com/robfig/cron, standard parser): five fields, names of months and days,
`*`, `?`, lists, ranges, steps, `@hourly` and its like, `@every <duration>`, and a `TZ=` prefix.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
_ZONED = re.compile(r"(?:CRON_)?TZ=(\S+)\s+(.*)")
_DURATION_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(h|ms|m|s)", re.ASCII)
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_MAX_SECONDS = 2**63 / 1e9
"""What a Go duration holds."""
_MAX_LENGTH = 256
_HORIZON_DAYS = 366 * 5 + 2
"""A schedule that does not fire within five years (31 February) never does."""


class UnknownTimeZoneError(ValueError):
    """A time zone that the machine's database does not know."""


@dataclass(frozen=True, slots=True)
class _Field:
    values: frozenset[int]
    starred: bool


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """The moments of a schedule in one time zone; with `every` the fields do not count."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: _Field
    months: frozenset[int]
    weekdays: _Field
    zone: dt.tzinfo
    every: dt.timedelta | None = None

    def next_after(self, moment: dt.datetime) -> dt.datetime | None:
        """The first time strictly after `moment`, in UTC; None when there is none within five years."""
        if self.every is not None:
            return moment.replace(microsecond=0) + self.every
        day = moment.astimezone(self.zone).date()
        for offset in range(_HORIZON_DAYS):
            date = day + dt.timedelta(days=offset)
            if date.month not in self.months or not self._has_day(date):
                continue
            for found in self._moments(date):
                if found > moment:
                    return found
        return None

    def _has_day(self, day: dt.date) -> bool:
        in_month, in_week = day.day in self.days.values, day.isoweekday() % 7 in self.weekdays.values
        # Two restricted fields are alternatives; a starred one restricts nothing.
        if self.days.starred or self.weekdays.starred:
            return in_month and in_week
        return in_month or in_week

    def _moments(self, day: dt.date) -> list[dt.datetime]:
        found = []
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                moment = dt.datetime.combine(day, dt.time(hour, minute), self.zone).astimezone(dt.UTC)
                # A time that the clocks skip does not come back as the same time.
                if moment.astimezone(self.zone).hour == hour:
                    found.append(moment)
        return found


def parse(text: str, time_zone: str = "") -> CronSchedule:
    """Reads a schedule; its own `TZ=` prefix counts where `time_zone` is empty, and UTC without either.

    Raises ValueError, which says what is wrong (UnknownTimeZoneError for a time zone).
    """
    text = text.strip()
    if len(text) > _MAX_LENGTH:
        raise ValueError("schedule too long")
    if prefixed := _ZONED.fullmatch(text):
        time_zone, text = time_zone or prefixed[1], prefixed[2]
    zone = _zone(time_zone)
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
    return CronSchedule(minutes.values, hours.values, days, months.values, weekdays, zone, every)


def _zone(name: str) -> dt.tzinfo:
    if not name or name == "UTC":
        return dt.UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownTimeZoneError(f"unknown time zone {name}") from None


def _duration(text: str) -> dt.timedelta:
    """A Go duration in whole seconds, one at least."""
    text = text.strip()
    parts = _DURATION_PART.findall(text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not parts or "".join(number + unit for number, unit in parts) != text or seconds > _MAX_SECONDS:
        raise ValueError(f"failed to parse duration @every {text}")
    return dt.timedelta(seconds=max(1, int(seconds)))


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
