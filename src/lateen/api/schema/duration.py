"""google.protobuf.Duration."""

from __future__ import annotations

from typing import NamedTuple


class Duration(NamedTuple):
    """A length of time, exact to the nanosecond."""

    nanoseconds: int

    @property
    def seconds(self) -> float:
        return self.nanoseconds / 1e9
