"""Log lines: as text for people, or one JSON object each for machines, with the fields that Istio's have."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

LEVELS: Final = ("debug", "info", "warn", "error")
_NAMES: Final = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warn", logging.ERROR: "error"}


_LONGEST: Final = 8192
"""Characters of a message: it may quote what anybody has sent."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)}\t{_level(record)}\t{_scope(record)}\t{_one_line(_message(record))}"
        fields = "".join(f"\t{name}={json.dumps(value)}" for name, value in _fields(record).items())
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{line}{fields}{trace}"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "level": _level(record),
            "time": _time(record),
            "scope": _scope(record),
            "msg": _message(record),
            **_fields(record),
        }
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up_logs(level: str, *, as_json: bool, stream: TextIO | None = None) -> None:
    """Sends all log lines to a stream, by default standard error. `level` is one of LEVELS."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if as_json else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING if level == "warn" else level.upper())
    # Each request's line would be one per probe.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


def _level(record: logging.LogRecord) -> str:
    return _NAMES.get(record.levelno, record.levelname.lower())


def _message(record: logging.LogRecord) -> str:
    text = record.getMessage()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"


def _one_line(text: str) -> str:
    """Without control characters: messages have words of others in them, who shall neither write lines of their own nor
    tell terminals what to do."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _scope(record: logging.LogRecord) -> str:
    return record.name.removeprefix("lateen.")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What a line says beside its message: `extra={"fields": {...}}`."""
    found = getattr(record, "fields", None)
    return found if isinstance(found, dict) else {}
