"""Words of others, for terminals. Anybody may connect as a proxy and call itself what it likes."""

from __future__ import annotations

import re
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def printable(text: str) -> str:
    """One line, with control characters as escapes: it neither makes lines of its own nor tells a terminal what to
    do."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def printable_lines(text: str) -> str:
    """The same of text that has lines."""
    return "\n".join(map(printable, text.split("\n")))
