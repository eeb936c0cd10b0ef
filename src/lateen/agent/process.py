"""Processes by their pidfd: ours, and those that an earlier agent has started. No signal can go to another process that
has got the number."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping

__all__ = ["Process", "adopt", "child_of", "spawn", "start_time"]


class Process:
    """A process that is waited for by this event loop. `close` lets go of it, and does not end it."""

    def __init__(self, pid: int, pidfd: int, *, child: bool) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._child = child

    async def ended(self) -> int | None:
        """Waits for its end: the exit status, negative for a signal; None for a process that is no child of ours."""
        loop = asyncio.get_running_loop()
        gone: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._pidfd, _set, gone)
        try:
            await gone
        finally:
            loop.remove_reader(self._pidfd)
        if not self._child:
            return None
        return self._status()

    def _status(self) -> int | None:
        found = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def signal(self, number: signal.Signals) -> None:
        """Nothing happens when it has ended already."""
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return

    def close(self) -> None:
        os.close(self._pidfd)


def _set(gone: asyncio.Future[None]) -> None:
    if not gone.done():
        gone.set_result(None)


def spawn(command: tuple[str, ...], environment: Mapping[str, str], *, output: int = 1) -> Process:
    """Starts a process in a session of its own, which a terminal's signals do not reach. Raises OSError.

    `output` is the open file that it writes to. It reads nothing.
    """
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, output, 1)]
    every = set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}
    pid = os.posix_spawn(
        command[0], command, environment, file_actions=actions, setsid=True, setsigmask=(), setsigdef=every
    )
    return Process(pid, os.pidfd_open(pid), child=True)


def adopt(pid: int, started: int) -> Process | None:
    """The process of that number that began at that time (`start_time`); None when it has ended."""
    try:
        pidfd = os.pidfd_open(pid)
    except (OSError, OverflowError):
        return None
    if start_time(pid) != started:
        os.close(pidfd)
        return None
    return Process(pid, pidfd, child=False)


def child_of(parent: int, command: tuple[str, ...]) -> Process | None:
    """A child of another process that runs this command; None when there is none."""
    line = b"".join(part.encode() + b"\0" for part in command)
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        pid = int(name)
        fields = _stat(pid)
        if fields and int(fields[1]) == parent and _command_line(pid) == line:
            return adopt(pid, int(fields[19]))
    return None


def start_time(pid: int) -> int | None:
    """When a process began, in clock ticks since boot; None when there is no such process, or it is a zombie."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none of a process that has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return []
    return [] if not fields or fields[0] in ("Z", "X") else fields


def _command_line(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""
