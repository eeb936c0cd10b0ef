"""Telling the user what is being done: one line a step, with the time it took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol, TextIO


class Progress(Protocol):
    """Something that shows steps; used as `with progress.step("..."):`."""

    def step(self, what: str) -> contextlib.AbstractContextManager[None]: ...


class Silent:
    """Shows nothing."""

    def step(self, what: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


class Lines:
    """Writes `what ... 0.4s` as steps end; on a terminal the running step shows, in colour unless told not to."""

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._colour = colour and self._terminal

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        started = time.monotonic()
        if self._terminal:
            self._stream.write(f"  {what} ...")
            self._stream.flush()
        try:
            yield
        except BaseException:
            self._finish(what, "failed", "31")
            raise
        self._finish(what, f"{time.monotonic() - started:.1f}s", "32")

    def _finish(self, what: str, outcome: str, code: str) -> None:
        shown = f"\x1b[{code}m{outcome}\x1b[0m" if self._colour else outcome
        start = "\r\x1b[K" if self._terminal else ""
        self._stream.write(f"{start}  {what}: {shown}\n")
        self._stream.flush()
