"""A container's log file in CRI format, of bounded size.

Source: the CRI logging design: `<RFC 3339 with nanoseconds> <stdout|stderr> <P|F> <text>`, P for a line that goes on.
"""

from __future__ import annotations

import os
import time

MAX_LINE = 16384
"""Bytes of text per entry, as containerd: longer lines are cut into partial entries."""


class LogWriter:
    """Appends to `path`; beyond `max_bytes` the file becomes `<path>.1` and a new one starts.

    A file that cannot be written loses lines: the container must not stop because of its log.
    """

    def __init__(self, path: str, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._fd = -1
        self._size = 0
        self._pending: dict[str, bytes] = {"stdout": b"", "stderr": b""}
        self._second = -1
        self._prefix = ""
        self._open()

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        self._size = os.fstat(self._fd).st_size

    def _timestamp(self) -> str:
        second, nanosecond = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{nanosecond:09d}Z"

    def write(self, stream: str, data: bytes) -> None:
        """Takes a piece of output, which may begin and end within a line."""
        *lines, rest = (self._pending[stream] + data).split(b"\n")
        stamp = self._timestamp()
        full = f"{stamp} {stream} F ".encode()
        partial = f"{stamp} {stream} P ".encode()
        entries = []
        for line in lines:
            while len(line) > MAX_LINE:
                entries.append(partial + line[:MAX_LINE] + b"\n")
                line = line[MAX_LINE:]
            entries.append(full + line + b"\n")
        while len(rest) >= MAX_LINE:
            entries.append(partial + rest[:MAX_LINE] + b"\n")
            rest = rest[MAX_LINE:]
        self._pending[stream] = rest
        self._append(b"".join(entries))

    def end(self, stream: str) -> None:
        """The stream is over: what is left of its last line is written."""
        rest = self._pending[stream]
        self._pending[stream] = b""
        if rest:
            self._append(f"{self._timestamp()} {stream} F ".encode() + rest + b"\n")

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _append(self, data: bytes) -> None:
        if not data or self._fd < 0:
            return
        try:
            if self._size and self._size + len(data) > self._max_bytes:
                os.rename(self._path, self._path + ".1")
                os.close(self._fd)
                self._open()
            self._size += os.write(self._fd, data)
        except OSError:
            return
