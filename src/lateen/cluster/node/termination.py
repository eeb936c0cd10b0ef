"""Stopping containers: preStop, SIGTERM, the grace period, SIGKILL, and the order of sidecars.

Source: the kubelet's killContainer and termination ordering.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lateen.cluster.client.events import EventType
from lateen.cluster.node.probes.outcome import Outcome
from lateen.cluster.node.shim_client import Shim, ShimError
from lateen.cluster.node.tasks import end_tasks
from lateen.cluster.node.tracked import Tracked
from lateen.cluster.objects import Obj

_MINIMUM_SECONDS = 2.0
"""Every container gets at least this long between SIGTERM and SIGKILL."""
_KILL_SECONDS = 10.0

Event = Callable[[Tracked, EventType, str, str], None]
"""Records an event about a container: type, reason, message."""


@dataclass(frozen=True, slots=True)
class Stopper:
    """What is needed to stop the containers of one pod."""

    shim: Shim
    event: Event
    run_hook: Callable[[Tracked, Obj], Awaitable[Outcome]]

    async def stop(
        self, container: Tracked, grace: float, message: str, turn: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Returns when the container's attempt is over. `turn` is awaited between preStop and SIGTERM."""
        if not container.running:
            return
        deadline = time.monotonic() + grace
        if not container.stopping:
            container.stopping = True
            self.event(container, "Normal", "Killing", message)
        container.cancel_probes()
        finished = container.finished
        hook = (container.spec.get("lifecycle") or {}).get("preStop")
        if hook and grace > 0 and not container.pre_stop_done:
            container.pre_stop_done = True
            await self._pre_stop(container, hook, grace, finished)
        if turn is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    await turn()
        left = max(_MINIMUM_SECONDS, deadline - time.monotonic())
        with suppress(ShimError):
            await self.shim.signal(container.id, signal.SIGTERM)
            if not await _within(finished, left):
                await self.shim.signal(container.id, signal.SIGKILL)
        if not await _within(finished, _KILL_SECONDS):
            container.lose()

    async def _pre_stop(self, container: Tracked, hook: Obj, grace: float, finished: asyncio.Event) -> None:
        running = asyncio.ensure_future(self.run_hook(container, hook))
        ending = asyncio.ensure_future(finished.wait())
        try:
            await asyncio.wait((running, ending), timeout=grace, return_when=asyncio.FIRST_COMPLETED)
            if running.done() and not running.result().success:
                self.event(container, "Warning", "FailedPreStopHook", "PreStopHook failed")
        finally:
            await end_tasks(running, ending)

    async def stop_all(self, containers: Sequence[Tracked], grace: float) -> None:
        """Main and init containers together; then the sidecars, the last one first, in what is left of the time."""
        sidecars = [c for c in containers if c.role == "sidecar"]

        def turn_of(position: int) -> Callable[[], Awaitable[None]]:
            async def wait() -> None:
                for other in containers:
                    if other.running and (other.role != "sidecar" or other in sidecars[position + 1 :]):
                        await other.finished.wait()

            return wait

        async with asyncio.TaskGroup() as group:
            for container in containers:
                turn = turn_of(sidecars.index(container)) if container.role == "sidecar" else None
                group.create_task(self.stop(container, grace, f"Stopping container {container.name}", turn))


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
