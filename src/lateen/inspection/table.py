"""Tables in the form of istioctl's, which scripts cut into columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lateen.inspection.printable import printable

WIDE: Final = 5
"""Spaces between columns."""
NARROW: Final = 1


def table(header: Sequence[str], rows: Sequence[Sequence[str]], gap: int = WIDE) -> str:
    """Every column but the last is as wide as its widest cell and `gap` spaces; ends with a newline."""
    lines = [[printable(cell) for cell in line] for line in (header, *rows)]
    widths = [max(len(line[column]) for line in lines) + gap for column in range(len(header) - 1)]
    return "".join(
        "".join(cell.ljust(width) for cell, width in zip(line[:-1], widths, strict=True)) + line[-1] + "\n"
        for line in lines
    )
