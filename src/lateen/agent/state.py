"""What the parts of an agent know of each other: the lifecycle writes it, the server on 15020 reads it.

How the server fits in (`agent/server.py`, written to this interface):

    async def serve(state: AgentState, settings: AgentSettings, environment: Mapping[str, str]) -> None

runs for as long as the agent does, is cancelled at its end, and raises OSError when it cannot listen. It starts before
there is a certificate or an Envoy, so that readiness can say what is missing, and goes on while connections drain.
`environment` is the process's own, with what `proxyMetadata` sets.

- Ready: `state.certificate`, `state.envoy`, not `state.draining`, and Envoy's admin interface
  (`settings.admin`, host and port) says that it is live and has its first configuration.
- `/quitquitquit` calls `state.request_quit()`: the lifecycle then does what it does after SIGTERM.
- `asyncio` in an agent has no `ssl` (5 MB), unless `runtime.needs_ssl` finds a use for it in the environment (an HTTPS
  probe of the application). Never import `ssl` at the top of a module.
- `agent/admin.py` asks Envoy's admin interface; `agent/log.py` writes lines as Istio's agents do.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["AgentState"]


class AgentState:
    """Mutable, of one event loop. Only the lifecycle writes the attributes."""

    def __init__(self, on_quit: Callable[[], None] = lambda: None) -> None:
        self.certificate = False
        """A certificate that has not expired is where Envoy looks for it, or the proxy needs none."""
        self.certificate_expires: float | None = None
        """When, in seconds since 1970; None while there is none."""
        self.envoy = False
        """Envoy runs, and its admin interface has answered. Whether it serves now, that says."""
        self.draining = False
        """The end has begun: connections drain."""
        self.obstacle = "starting"
        """What it waits for, for people; empty when there is nothing."""
        self._on_quit = on_quit

    def request_quit(self) -> None:
        """Drain and end, as after SIGTERM. More than one request is as one."""
        self._on_quit()
