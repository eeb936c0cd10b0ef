"""A port for a server that a test is about to start."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import Final

_RANGE: Final = range(16_000, 30_000)
"""Below those that the kernel gives to whoever connects or asks for any; clear of the mesh's own and of NodePorts."""


def free_port() -> int:
    """A port of 127.0.0.1 that is free now, and is given to no other test of this machine before 14,000 others are."""
    with (Path(tempfile.gettempdir()) / f"lateen-free-ports-{os.getuid()}").open("a+") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        turn.seek(0)
        last = int(turn.read() or _RANGE[0])
        while True:
            last = last + 1 if last + 1 in _RANGE else _RANGE[0]
            try:
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", last))
                    probe.listen()
                    break
            except OSError:
                continue
        turn.truncate(0)
        turn.write(str(last))
    return last
