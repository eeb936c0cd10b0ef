"""One probe of one container, again and again: thresholds, delays, and when its result is told.

Source: the kubelet's prober workers.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Literal

from lateen.cluster.node.probes.outcome import Outcome
from lateen.cluster.objects import Obj

Kind = Literal["Startup", "Liveness", "Readiness"]


class Prober:
    """`told(kind, success)` is called when the result changes, and for a failed liveness or startup probe each time
    the threshold is reached. `failed(kind, message)` is called for every single failure."""

    def __init__(
        self,
        kind: Kind,
        probe: Obj,
        run_once: Callable[[Obj], Awaitable[Outcome]],
        told: Callable[[Kind, bool], None],
        failed: Callable[[Kind, str], None],
    ) -> None:
        self._kind = kind
        self._probe = probe
        self._run_once = run_once
        self._told = told
        self._failed = failed
        self._period = float(probe.get("periodSeconds") or 10)
        self._success_threshold = int(probe.get("successThreshold") or 1)
        self._failure_threshold = int(probe.get("failureThreshold") or 3)

    async def run(self, age: float, *, spread: bool) -> None:
        """Probes until cancelled; `age` is for how many seconds the container has run.

        `spread` puts the first probe at a random time within a period: after a restart of the node, all its
        containers' probes would fall together.
        """
        delay = max(0.0, float(self._probe.get("initialDelaySeconds") or 0) - age)
        await asyncio.sleep(delay + (random.random() * self._period if spread else 0.0))
        result: bool | None = None
        streak, last = 0, None
        while True:
            outcome = await self._run_once(self._probe)
            if not outcome.success:
                self._failed(self._kind, outcome.message)
            streak = streak + 1 if outcome.success == last else 1
            last = outcome.success
            threshold = self._success_threshold if outcome.success else self._failure_threshold
            if streak >= threshold:
                if outcome.success != result or (not outcome.success and self._kind != "Readiness"):
                    result = outcome.success
                    self._told(self._kind, result)
                if self._kind == "Startup" and result:
                    return
                if not outcome.success and self._kind != "Readiness":
                    # The container is being stopped for this: its successor gets probers of its own.
                    return
            await asyncio.sleep(self._period)
