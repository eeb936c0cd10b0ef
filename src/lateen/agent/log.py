"""Lines on standard output, in the form of Istio's agents: time, level, message, separated by tabs; or JSON."""

from __future__ import annotations

import os
import time

# The keeper imports this, and does without `typing`, which takes a megabyte.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from lateen.agent.settings import LogSettings

__all__ = ["LEVELS", "Log", "write"]

LEVELS = ("none", "error", "warn", "info", "debug")
"""As `--log_output_level` has them; each says what those before it do, too."""


class Log:
    """Writes at once and whole lines, so that several processes may share the output."""

    def __init__(self, settings: LogSettings, scope: str = "agent") -> None:
        self._level = LEVELS.index(settings.level)
        self._as_json = settings.as_json
        self._scope = scope

    def debug(self, message: str) -> None:
        self._write("debug", message)

    def info(self, message: str) -> None:
        self._write("info", message)

    def warn(self, message: str) -> None:
        self._write("warn", message)

    def error(self, message: str) -> None:
        self._write("error", message)

    def _write(self, level: str, message: str) -> None:
        if LEVELS.index(level) > self._level:
            return
        write(level, self._scope, message, self._as_json)


def write(level: str, scope: str, message: str, as_json: bool) -> None:
    """One line, whatever the level."""
    line = _line(_now(), level, scope, message, as_json)
    try:
        os.write(1, line.encode("utf-8", "replace"))
    except OSError:
        return  # who reads the log has gone; that is no reason to end a proxy


def _line(now: str, level: str, scope: str, message: str, as_json: bool) -> str:
    if not as_json:
        return f"{now}\t{level}\t{scope}\t{' '.join(message.split())}\n"
    import json  # the keeper does without

    return json.dumps({"level": level, "time": now, "scope": scope, "msg": message}) + "\n"


def _now() -> str:
    """UTC with microseconds, RFC 3339."""
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{microseconds:06d}Z"
