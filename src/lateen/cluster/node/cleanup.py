"""Ends what a node has left on the machine: processes, mounts, limits, files. Works without a node process."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from lateen.cluster.layout import Layout
from lateen.cluster.node.cgroups import Cgroups
from lateen.cluster.process_start import start_time_of

_log = logging.getLogger(__name__)

_KILL_SECONDS = 5.0


def clean_up_node(layout: Layout, number: int) -> None:
    """Removes all pods of one node. Nothing happens when there are none. Networks are the fabric's to remove."""
    pods = layout.node_root(number) / "pods"
    directories = [path for path in pods.iterdir() if path.is_dir()] if pods.is_dir() else []
    shims = [pid for path in directories for pid in shims_of(path)]
    for pid in shims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _wait_until_gone(shims)
    # Containers die with their shim; what escaped into the machine's process ids is found by its control group.
    Cgroups.detect(layout.node(number).name).remove_all()
    shutil.rmtree(pods, ignore_errors=True)


def shims_of(directory: Path) -> list[int]:
    """The process ids of the shims (and of what they have forked and not yet executed) of the pod in `directory`."""
    if not (directory / "sandbox.json").exists():
        return []
    wanted = str(directory).encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
            if wanted in arguments and b"-I" in arguments[:3]:
                found.append(int(entry.name))
    return found


def _wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + _KILL_SECONDS
    for pid in pids:
        while start_time_of(pid) is not None:
            if time.monotonic() > deadline:
                _log.warning("process %d does not end", pid)
                return
            time.sleep(0.01)
