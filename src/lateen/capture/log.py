"""What the command says while it works, as Istio's logging flags ask for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Final

import msgspec

LEVELS: Final = ("none", "fatal", "error", "warn", "info", "debug")
_SCOPES: Final = ("default", "iptables", "all")


class Log(msgspec.Struct, frozen=True):
    """Writes lines of at most this level."""

    write: Callable[[str], None]
    level: str = "info"
    json: bool = False
    """One JSON object per line."""

    def error(self, message: str) -> None:
        self._say("error", message)

    def warn(self, message: str) -> None:
        self._say("warn", message)

    def info(self, message: str) -> None:
        self._say("info", message)

    def debug(self, message: str) -> None:
        self._say("debug", message)

    def _say(self, level: str, message: str) -> None:
        if LEVELS.index(level) > LEVELS.index(self.level):
            return
        if self.json:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self.write(json.dumps({"level": level, "time": stamp, "scope": "iptables", "msg": message}))
        else:
            self.write(message if level == "info" else f"{level}: {message}")


def output_level(text: str) -> str:
    """The level meant for us in `scope:level,...`; the last that fits counts. Raises ValueError."""
    level = "info"
    for word in filter(None, text.split(",")):
        scope, colon, given = word.rpartition(":")
        if given not in LEVELS:
            raise ValueError(f"{word!r}: the level is one of {', '.join(LEVELS)}")
        if not colon or scope in _SCOPES:
            level = given
    return level
