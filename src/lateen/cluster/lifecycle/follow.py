"""Reading a log file's end, and on as it grows and is replaced."""

from __future__ import annotations

import collections
import os
import time
from collections.abc import Iterator
from pathlib import Path

_POLL_SECONDS = 0.2


def read_log(path: Path, count: int, *, follow: bool = False) -> Iterator[str]:
    """The file's last `count` lines with their line ends; none when it does not exist.

    With `follow` also every line that is written from then on, in the new file when the log is rotated; it then ends
    only by interruption.
    """
    inode, position = None, 0
    try:
        with open(path, errors="replace") as file:
            yield from collections.deque(iter(file.readline, ""), maxlen=max(count, 0))
            inode, position = os.fstat(file.fileno()).st_ino, file.tell()
    except FileNotFoundError:
        pass
    while follow:
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
