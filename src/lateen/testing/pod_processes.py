"""The processes of a pod, found from this machine: tests kill them, and measure what they take."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    started: int
    """In ticks of the machine's clock. Which of two is newer does not follow from their numbers: those begin anew."""
    parent: int
    """The PID of the process whose child it was when it was found."""
    command: str

    def kill(self, timeout: float = 30.0) -> None:
        """`kill -9`, and waits until it is gone."""
        descriptor = os.pidfd_open(self.pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            select.select([descriptor], [], [], timeout)
        finally:
            os.close(descriptor)

    @property
    def cpu_seconds(self) -> float:
        """Since its start, of user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def proportional_bytes(self) -> int:
        """Memory, with what it shares with others counted by share (PSS)."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        return 0


def processes(pod: str, words: str = "") -> list[Process]:
    """Those whose environment says that they are of the pod (POD_NAME, which proxies and the control plane have), and
    whose command line holds `words`; the oldest first."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"POD_NAME={pod}".encode() not in (path / "environ").read_bytes().split(b"\0"):
                continue
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if words in command:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
                found.append(Process(int(path.name), int(fields[19]), int(fields[1]), command))
    return sorted(found, key=lambda each: (each.started, each.pid))
