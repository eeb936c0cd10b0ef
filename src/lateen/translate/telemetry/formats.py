"""Envoy's substitution commands (`%NAME(ARGUMENT)%`), as far as tags of metrics are made of them."""

from __future__ import annotations

import json
from typing import Final

UNKNOWN: Final = "unknown"


def command(name: str, argument: str = "") -> str:
    return f"%{name}({argument})%" if argument else f"%{name}%"


def first_of(*commands: tuple[str, str], default: str = UNKNOWN) -> str:
    """The first of these commands (name and argument) that has a value, else `default`.

    The default is a time in a form that has no time in it: no other command gives a constant. A matcher on the tag's
    value (`Tag.rules`) would do the same for three times the memory per listener.
    """
    constant = ("START_TIME", default)
    operators = [{"command": name, "param": argument} if argument else name for name, argument in (*commands, constant)]
    return command("COALESCE", json.dumps({"operators": operators}, separators=(",", ":")))
