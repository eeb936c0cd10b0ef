"""What the parts of an agent know of each other: the lifecycle and the keeping of certificates write it, the server on
15020 reads it, and asks for what its callers want."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["AgentState"]


class AgentState:
    """Mutable, of one event loop. The server never writes the attributes."""

    def __init__(self, on_quit: Callable[[], None] = lambda: None, on_drain: Callable[[], None] = lambda: None) -> None:
        self.certificate = False
        """A certificate that has not expired is where the proxy looks for it, or the proxy needs none."""
        self.certificate_expires: float | None = None
        """When, in seconds since 1970; None while there is none."""
        self.envoy = False
        """Envoy runs, and its admin interface has answered. Whether it serves now, that says."""
        self.draining = False
        """The end has begun: connections drain."""
        self.obstacle = "starting"
        """What it waits for, for people; empty when there is nothing."""
        self._on_quit = on_quit
        self._on_drain = on_drain

    def request_quit(self) -> None:
        """Drain and end, as after SIGTERM. More than one request is as one."""
        self._on_quit()

    def request_drain(self) -> None:
        """Drain, and go on until the end is asked for."""
        self._on_drain()
