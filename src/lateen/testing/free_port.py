"""A port for a server that a test is about to start."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port of 127.0.0.1 that is free now, and stays so unless somebody else happens to be given it first."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port
