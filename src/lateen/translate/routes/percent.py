"""Percentages in protobuf."""

from __future__ import annotations

from typing import Any

from envoy.type.v3 import percent_pb2

_PER_PERCENT = 10_000


def set_percent(out: Any, percent: float) -> None:
    """Fills a FractionalPercent, to a ten-thousandth of a percent."""
    out.numerator = round(percent * _PER_PERCENT)
    out.denominator = percent_pb2.FractionalPercent.MILLION


def set_whole_percent(out: Any, percent: int) -> None:
    """Fills a FractionalPercent."""
    out.numerator = percent
    out.denominator = percent_pb2.FractionalPercent.HUNDRED
