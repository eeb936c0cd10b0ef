"""The shapes of Kubernetes' protobuf messages: which field has which number, type and place in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final


@dataclass(frozen=True, slots=True)
class Field:
    """`type` is `string`, `bytes`, `int32`, `int64`, `bool`, `double` or a message's name."""

    name: str
    type: str
    inline: bool
    omit_zero: bool
    repeated: bool
    map: bool


Message = Mapping[int, Field]


def _table() -> Mapping[str, str]:
    text = resources.files(__package__).joinpath("messages.txt").read_text()
    return {name: rest for name, _, rest in (line.partition(" ") for line in text.splitlines()) if name != "#"}


_LINES: Final = _table()
"""The constant table, a line of text a message: few of the hundreds are ever used by one process."""


def message(name: str) -> Message | None:
    """The shape of a message such as `core.v1.Pod`, or None when Kubernetes has none of that name that we know."""
    line = _LINES.get(name)
    return None if line is None else dict(map(_field, line.split()))


def _field(text: str) -> tuple[int, Field]:
    name, number, kind = text.split(":")
    bare = kind.rstrip("!?*%")
    flags = kind[len(bare) :]
    return int(number), Field(name, bare, "!" in flags, "?" in flags, "*" in flags, "%" in flags)
