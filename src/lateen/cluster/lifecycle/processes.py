"""Processes known by PID file: a PID alone may be reused, so its start time is kept beside it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path

from lateen.cluster.process_start import start_time_of
from lateen.cluster.replaced_file import replace_file


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process as it was when it was recorded. `start_time` is in clock ticks since boot (`/proc/PID/stat`)."""

    pid: int
    start_time: int

    @property
    def alive(self) -> bool:
        return start_time_of(self.pid) == self.start_time


def identify(pid: int) -> ProcessRecord | None:
    """The process as it is now; None when it is gone already."""
    start_time = start_time_of(pid)
    return None if start_time is None else ProcessRecord(pid, start_time)


def write_record(path: Path, process: ProcessRecord) -> None:
    """Writes a PID file. Raises OSError."""
    replace_file(path, f"{process.pid} {process.start_time}\n".encode())


def record(path: Path, pid: int) -> ProcessRecord | None:
    """Writes the PID file of a running process; None (and no file) when it is gone already. Raises OSError."""
    found = identify(pid)
    if found is not None:
        write_record(path, found)
    return found


def read_record(path: Path) -> ProcessRecord | None:
    """The recorded process, whether alive or not; None when there is no readable record."""
    try:
        pid, start_time = path.read_text().split()
        return ProcessRecord(int(pid), int(start_time))
    except (OSError, ValueError):
        return None


def terminate(process: ProcessRecord, grace_seconds: float) -> bool:
    """SIGTERM, then SIGKILL when the grace has passed; returns once it is gone. True if it went by itself."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        if not process.alive:
            return True
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        if _wait(descriptor, grace_seconds):
            return True
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        _wait(descriptor, 10)
        return False
    finally:
        os.close(descriptor)


def kill(process: ProcessRecord) -> None:
    """SIGKILL alone: the process gets no chance to stop what it looks after. Returns once it is gone."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if process.alive:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            _wait(descriptor, 10)
    finally:
        os.close(descriptor)


def _wait(descriptor: int, seconds: float) -> bool:
    """A pidfd becomes readable when its process ends."""
    readable, _, _ = select.select([descriptor], [], [], seconds)
    return bool(readable)
