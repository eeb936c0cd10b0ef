"""Reads metrics in Prometheus' text format, as far as tests need it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_LINE = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Sample(NamedTuple):
    name: str
    labels: Mapping[str, str]
    value: float


def samples(text: str, prefix: str = "") -> list[Sample]:
    """The samples whose names begin with `prefix`."""
    found = []
    for line in text.splitlines():
        matched = _LINE.fullmatch(line) if line.startswith(prefix) and not line.startswith("#") else None
        if matched is not None:
            labels = dict(_LABEL.findall(matched["labels"] or ""))
            found.append(Sample(matched["name"], labels, float(matched["value"])))
    return found
