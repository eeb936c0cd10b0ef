"""A port for a server that a test is about to start."""

from __future__ import annotations

import random
import socket
from typing import Final

_RANGE: Final = range(16_000, 30_000)
"""Below those that the kernel gives to whoever connects or asks for any; clear of the mesh's own and of NodePorts."""
# Hypothesis makes the common one begin alike in every test.
_CHANCE: Final = random.SystemRandom()


def free_port() -> int:
    """A port of 127.0.0.1 that is free now, and stays so unless somebody else is given the same of 14,000."""
    while True:
        port = _CHANCE.choice(_RANGE)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
