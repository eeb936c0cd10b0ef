"""Durations as values of options."""

from __future__ import annotations

from typing import Any

import click

from lateen.api.schema.duration import parse_duration


class Duration(click.ParamType[float]):
    """As Go writes them (`5m0s`), in seconds."""

    name = "DURATION"

    def __init__(self, *, above_zero: bool = False) -> None:
        self._above_zero = above_zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            seconds = parse_duration(value).seconds
        except ValueError as problem:
            self.fail(str(problem), param, ctx)
        if self._above_zero and seconds <= 0:
            self.fail("expected a duration above zero", param, ctx)
        return seconds
