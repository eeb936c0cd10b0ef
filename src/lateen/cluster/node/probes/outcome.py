"""What a single probe or hook says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """`message` is what events show of a failure."""

    success: bool
    message: str = ""
