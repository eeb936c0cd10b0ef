"""The push loop: from changes of the engine to responses in the outboxes of those whom they concern."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from lateen.xds.debounce import Debounce, Pace
from lateen.xds.follower import Follower
from lateen.xds.inventory import Inventory

SLICE = 0.005
"""Seconds of computing after which others may run."""
CLIENTS = 20
"""Proxies served before others may run."""
RETRY = 1.0
"""Seconds until the next attempt after a push that failed by a fault of ours."""

log = logging.getLogger(__name__)


class Recipient(Protocol):
    """A connected proxy."""

    @property
    def deadline(self) -> float | None:
        """When `advance` is due whatever happens."""

    def advance(self, now: float) -> None:
        """Sends what is to be sent."""

    def fail(self) -> None:
        """`advance` has raised: what this proxy has been told is not known any more."""


class PushLoop:
    """`changed` may be called at any time from the event loop; `run` does the rest until it is cancelled."""

    def __init__(
        self, inventory: Inventory, pace: Pace | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.inventory = inventory
        self.clock = clock
        self.pushes = 0
        """Publications so far."""
        self.served = 0
        """Proxies looked at in pushes."""
        self.longest = 0.0
        """Seconds that the longest push took, waiting for others included."""
        self._pace = pace or Pace()
        self._debounce = Debounce(self._pace)
        self._wake = asyncio.Event()
        self._recipients: dict[Follower, Recipient] = {}

    def changed(self) -> None:
        """The engine has changed, or something new is demanded."""
        self._debounce.changed(self.clock())
        self._wake.set()

    def attach(self, follower: Follower, recipient: Recipient) -> None:
        self._recipients[follower] = recipient

    def detach(self, follower: Follower) -> None:
        self._recipients.pop(follower, None)

    async def run(self) -> None:
        """Pushes until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._push_when_due())
            group.create_task(self._serve_overdue())

    async def push(self) -> None:
        """Brings everything up to date and serves those whom it concerns."""
        started = self.clock()
        self._debounce.begun()
        await self._refresh(started)
        # Nothing may come between the end of refreshing and this: what is shown is of one revision.
        moved = self.inventory.publish()
        self.pushes += 1
        await self._serve([r for follower in moved if (r := self._recipients.get(follower)) is not None])
        ended = self.clock()
        self.longest = max(self.longest, ended - started)
        self._debounce.ended(ended, ended - started)

    async def _push_when_due(self) -> None:
        while True:
            await self._wake.wait()
            while (due := self._debounce.due()) is not None and (wait := due - self.clock()) > 0:
                await asyncio.sleep(wait)
            self._wake.clear()
            try:
                await self.push()
            except Exception:
                log.exception("a push failed; another one is tried in %s s", RETRY)
                await asyncio.sleep(RETRY)
                self.changed()

    async def _refresh(self, started: float) -> None:
        paused = started
        for _ in self.inventory.refresh():
            now = self.clock()
            # Changes that never stop must not keep everybody waiting: then the rest is done in one go.
            if now - paused > SLICE and now - started < self._pace.longest:
                await asyncio.sleep(0)
                paused = self.clock()

    async def _serve(self, recipients: list[Recipient]) -> None:
        for number, recipient in enumerate(recipients, 1):
            try:
                recipient.advance(self.clock())
            except Exception:
                log.exception("a fault of ours in serving one proxy: its stream is ended, and it may come again")
                recipient.fail()
            if number % CLIENTS == 0:
                await asyncio.sleep(0)
        self.served += len(recipients)

    async def _serve_overdue(self) -> None:
        while True:
            await asyncio.sleep(RETRY)
            now = self.clock()
            await self._serve([r for r in self._recipients.values() if r.deadline is not None and r.deadline <= now])
