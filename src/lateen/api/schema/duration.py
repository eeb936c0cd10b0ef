"""google.protobuf.Duration, and the two ways users write one: proto-JSON (`1.5s`) and Go (`1h30m`, `100ms`)."""

from __future__ import annotations

import re
from typing import Any, Final

_NANO: Final = 10**9
_LIMIT: Final = 315_576_000_000 * _NANO
"""The longest that google.protobuf.Duration holds: about 10,000 years."""

_UNITS: Final = {
    "h": 3600 * _NANO,
    "m": 60 * _NANO,
    "s": _NANO,
    "ms": 10**6,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ns": 1,
}
_TERM = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|us|µs|μs|ns|m|s)")
_LONGEST: Final = 100
"""Characters. All units with all their digits have less; expressions over much more take long."""
_WHOLE_SECONDS = re.compile(r"[0-9]{1,11}s")


class Duration:
    """A length of time, exact to the nanosecond. Immutable.

    A class of its own rather than a number or a tuple, so that the decoder hands the text of a duration to `parse`.
    """

    __slots__ = ("nanoseconds",)

    nanoseconds: int

    def __init__(self, nanoseconds: int) -> None:
        object.__setattr__(self, "nanoseconds", nanoseconds)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"durations are immutable: cannot set {name}")

    @property
    def seconds(self) -> float:
        return self.nanoseconds / _NANO

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duration) and self.nanoseconds == other.nanoseconds

    def __lt__(self, other: Duration) -> bool:
        return self.nanoseconds < other.nanoseconds

    def __le__(self, other: Duration) -> bool:
        return self.nanoseconds <= other.nanoseconds

    def __gt__(self, other: Duration) -> bool:
        return self.nanoseconds > other.nanoseconds

    def __ge__(self, other: Duration) -> bool:
        return self.nanoseconds >= other.nanoseconds

    def __hash__(self) -> int:
        return hash(self.nanoseconds)

    def __reduce__(self) -> tuple[type[Duration], tuple[int]]:
        return (Duration, (self.nanoseconds,))

    def __repr__(self) -> str:
        return f"Duration({self})"

    def __str__(self) -> str:
        """As proto-JSON: seconds with no more decimals than needed."""
        sign = "-" if self.nanoseconds < 0 else ""
        whole, rest = divmod(abs(self.nanoseconds), _NANO)
        decimals = f".{rest:09d}".rstrip("0") if rest else ""
        return f"{sign}{whole}{decimals}s"


def parse_duration(text: str) -> Duration:
    """Reads `1.5s` and `1h30m` alike. Raises ValueError saying what is expected."""
    if len(text) > _LONGEST:
        raise ValueError(f"expected a duration of at most {_LONGEST} characters, got {len(text)}")
    if _WHOLE_SECONDS.fullmatch(text):
        return Duration(int(text[:-1]) * _NANO)
    rest = text[1:] if text[:1] in ("-", "+") else text
    nanoseconds, position = 0, 0
    while position < len(rest):
        term = _TERM.match(rest, position)
        if term is None:
            break
        nanoseconds += _term(term[1], _UNITS[term[2]])
        position = term.end()
    if not rest or position < len(rest):
        if rest == "0":
            return Duration(0)
        raise ValueError(f"expected a duration such as 1.5s, 100ms or 1h30m, got {text!r}")
    if nanoseconds > _LIMIT:
        raise ValueError(f"the duration {text!r} is longer than 10,000 years")
    return Duration(-nanoseconds if text[0] == "-" else nanoseconds)


def _term(number: str, unit: int) -> int:
    """A decimal number of units in whole nanoseconds, rounded down as Go does."""
    whole, _, decimals = number.partition(".")
    total = int(whole or "0") * unit
    if decimals:
        total += int(decimals) * unit // 10 ** len(decimals)
    return total
