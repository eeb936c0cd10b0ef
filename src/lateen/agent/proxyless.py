"""An agent's life where there is no Envoy (DISABLE_ENVOY): it keeps the certificate and answers the kubelet; the
application is its own proxy. Two states, waiting for a certificate and having one; from both the end comes at once."""

from __future__ import annotations

import asyncio

from lateen.agent.log import Log
from lateen.agent.state import AgentState

__all__ = ["Proxyless"]


class Proxyless:
    """`run` gives the exit status. What drains connections here is the application."""

    def __init__(self, log: Log) -> None:
        self.state = AgentState(self.end, self._drain)
        """For the server and for who keeps certificates."""
        self._log = log
        self._ended = asyncio.Event()

    def end(self) -> None:
        self._log.info("the end is asked for")
        self.state.draining = True
        self._ended.set()

    def have_certificate(self) -> None:
        self._log.info("the application may ask the control plane itself; there is no Envoy")

    async def run(self, tasks: asyncio.TaskGroup, ends: int) -> int:
        """`ends` is how often an end has been asked for already, of an earlier agent. Nothing is added to `tasks`."""
        if not ends:
            await self._ended.wait()
        return 0

    def _drain(self) -> None:
        self._log.info("the pod is to end: not ready any more; the application drains its connections itself")
        self.state.draining = True
