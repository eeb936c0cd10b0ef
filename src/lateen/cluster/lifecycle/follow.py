"""Reading a log file's end, and on as it grows and is replaced."""

from __future__ import annotations

import collections
import time
from collections.abc import Iterator
from pathlib import Path

_POLL_SECONDS = 0.2


def last_lines(path: Path, count: int) -> list[str]:
    """The file's last lines with their line ends; none when it does not exist."""
    try:
        with open(path, errors="replace") as file:
            return list(collections.deque(file, maxlen=max(count, 0)))
    except FileNotFoundError:
        return []


def follow(path: Path) -> Iterator[str]:
    """Lines written from now on; goes on with the new file when the log is rotated. Ends only by interruption."""
    position = path.stat().st_size if path.exists() else 0
    inode = path.stat().st_ino if path.exists() else None
    while True:
        if path.exists():
            found = path.stat()
            if found.st_ino != inode or found.st_size < position:
                inode, position = found.st_ino, 0
            with open(path, errors="replace") as file:
                file.seek(position)
                while line := file.readline():
                    yield line
                position = file.tell()
        time.sleep(_POLL_SECONDS)
