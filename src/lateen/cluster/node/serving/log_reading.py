"""Reading container logs in CRI format: `<RFC 3339 with nanoseconds> stdout F text`, one entry per line.

Source: the kubelet's `pkg/kubelet/kuberuntime/logs`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lateen.cluster.node.runtime import LogFiles

POLL_SECONDS = 0.1
"""How often a follower looks for new lines and rotation."""
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class LogOptions:
    """`core/v1 PodLogOptions`."""

    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since: dt.datetime | None = None
    stream: str = "All"
    """`All`, `Stdout` or `Stderr`."""


async def read_log(files: LogFiles, options: LogOptions) -> AsyncIterator[bytes]:
    """The log's text in pieces. Following ends when the attempt has ended."""
    rendering = _Rendering(options)
    start = list(files.paths) if options.tail_lines is None else []
    offset = 0
    if options.tail_lines is not None:
        start, offset = _tail(files.paths, options.tail_lines)
    remaining = options.limit_bytes
    async for lines in _entries(files, start, offset, options.follow):
        text = rendering.render(lines)
        if remaining is not None:
            text = text[:remaining]
            remaining -= len(text)
        if text:
            yield text
        if remaining == 0:
            return


async def _entries(files: LogFiles, paths: Sequence[Path], offset: int, follow: bool) -> AsyncIterator[list[bytes]]:
    """Complete lines, some at a time."""
    seen: set[int] = set()
    for path in paths:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            continue
        with file:
            inode = os.fstat(file.fileno()).st_ino
            if inode in seen:
                # The file was rotated since the paths were listed.
                continue
            seen.add(inode)
            file.seek(offset)
            offset = 0
            pending = b""
            is_current = follow and path == files.path
            while True:
                # Both are looked at before reading: what they tell of is then on disk.
                ended, rotated = files.finished.is_set(), _inode(path) != inode
                chunk = file.read(_CHUNK)
                if chunk:
                    *lines, pending = (pending + chunk).split(b"\n")
                    yield lines
                elif not is_current or (ended and not rotated):
                    break
                elif rotated and _inode(path) is not None:
                    async for lines in _entries(files, [path], 0, True):
                        yield lines
                    break
                else:
                    await _wait(files.finished)


async def _wait(finished: asyncio.Event) -> None:
    if finished.is_set():
        await asyncio.sleep(POLL_SECONDS)
        return
    try:
        async with asyncio.timeout(POLL_SECONDS):
            await finished.wait()
    except TimeoutError:
        return


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _tail(paths: Sequence[Path], count: int) -> tuple[list[Path], int]:
    """Where the last `count` lines begin: the paths from there on, and the offset in the first."""
    for index in range(len(paths) - 1, -1, -1):
        try:
            with paths[index].open("rb") as file:
                offset, found = _last_lines(file, count)
        except FileNotFoundError:
            continue
        if found >= count:
            return list(paths[index:]), offset
        count -= found
    return list(paths), 0


def _last_lines(file: BinaryIO, count: int) -> tuple[int, int]:
    """The offset of the last `count` lines, and how many of them the file has."""
    end = position = file.seek(0, os.SEEK_END)
    if count == 0:
        return end, 0
    found = 0
    while position > 0:
        size = min(_CHUNK, position)
        position -= size
        file.seek(position)
        chunk = file.read(size)
        at = len(chunk)
        while (at := chunk.rfind(b"\n", 0, at)) >= 0:
            # The newline of the line before marks where a line begins; the very last one ends the last line.
            if position + at + 1 < end:
                found += 1
                if found == count:
                    return position + at + 1, found
    return 0, found + (1 if end else 0)


class _Rendering:
    def __init__(self, options: LogOptions) -> None:
        self._timestamps = options.timestamps
        self._since = _sortable(options.since) if options.since else ""
        self._stream = options.stream.lower().encode()
        self._partial = False

    def render(self, lines: Sequence[bytes]) -> bytes:
        rendered = []
        for line in lines:
            parts = line.split(b" ", 3)
            if len(parts) < 3:
                continue
            time, stream, tags = parts[:3]
            if self._stream not in (b"all", stream):
                continue
            if self._since and _sortable_text(time) < self._since:
                continue
            text = parts[3] if len(parts) > 3 else b""
            if self._timestamps and not self._partial:
                rendered.append(time + b" ")
            rendered.append(text)
            self._partial = tags.split(b":")[0] == b"P"
            if not self._partial:
                rendered.append(b"\n")
        return b"".join(rendered)


def _sortable(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000"


_UTC = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)")


def _sortable_text(time: bytes) -> str:
    """The time with nine digits of fraction, to compare as text; offsets other than UTC are converted."""
    match = _UTC.fullmatch(time)
    if match:
        return f"{match[1].decode()}.{(match[2] or b'').decode():0<9}"
    try:
        # Python reads at most six digits of fraction.
        trimmed = re.sub(r"(\.\d{6})\d+", r"\1", time.decode(errors="replace"))
        return _sortable(dt.datetime.fromisoformat(trimmed))
    except ValueError:
        return ""
