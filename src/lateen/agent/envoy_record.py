"""What an agent leaves for the next one of its pod: which process is Envoy, and since when it drains."""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from lateen.agent.replaced_file import replace

__all__ = ["EnvoyRecord", "forget", "read", "write"]


class EnvoyRecord(NamedTuple):
    pid: int
    started: int
    """`process.start_time` of it."""
    draining_since: float | None = None
    """Seconds of CLOCK_MONOTONIC, which all processes of a machine share."""


def write(directory: str, record: EnvoyRecord) -> None:
    replace(_path(directory), json.dumps(record._asdict()))


def read(directory: str) -> EnvoyRecord | None:
    """None where there is none that can be read: then there is nothing to take over."""
    try:
        with open(_path(directory), encoding="utf-8") as file:
            found = EnvoyRecord(**json.load(file))
    except (OSError, ValueError, TypeError):
        return None
    whole = isinstance(found.pid, int) and isinstance(found.started, int)
    return found if whole and isinstance(found.draining_since, float | int | None) else None


def forget(directory: str) -> None:
    try:
        os.unlink(_path(directory))
    except FileNotFoundError:
        return


def _path(directory: str) -> str:
    return os.path.join(directory, "envoy-process.json")
