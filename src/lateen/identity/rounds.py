"""Work that is done again soon after something in a cluster has changed, and once in a while in any case."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing

import msgspec

from lateen.identity.complaints import Complaints
from lateen.identity.watched_api import WatchedApi


class RoundsPace(msgspec.Struct, frozen=True):
    """Times in seconds."""

    spacing: float = 0.2
    """From the end of a round to the beginning of the next, however much happens."""
    interval: float = 60.0
    """A round is made after so long even when nothing is known to have happened."""
    retry: float = 1.0
    """After a round that left something to do, and before a watch that ended is begun anew."""


class Rounds:
    """Call `stir` after every other change that is a reason for a round."""

    def __init__(
        self,
        api: WatchedApi,
        watched: Mapping[str, Mapping[str, str]],
        work: Callable[[], Awaitable[bool]],
        *,
        pace: RoundsPace,
        complaints: Complaints,
    ) -> None:
        """`watched`: paths of collections, each with the parameters of its watch. `work` is one round: it says whether
        nothing is left to do, and raises OSError or ValueError when the API server does not answer."""
        self._api = api
        self._watched = watched
        self._work = work
        self._pace = pace
        self._complaints = complaints
        self._stirred = asyncio.Event()

    def stir(self) -> None:
        """There is to be a round soon."""
        self._stirred.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for path, parameters in self._watched.items():
                group.create_task(self._watch(path, parameters))
            group.create_task(self._repeat())

    async def _watch(self, path: str, parameters: Mapping[str, str]) -> None:
        """Any event is a reason for a round; what it says does not count."""
        while True:
            problem = ""
            try:
                async with aclosing(self._api.watch(path, parameters)) as batches:
                    async for events in batches:
                        if events:
                            self.stir()
            except Exception as error:
                # Rounds go on at their interval.
                problem = str(error) or type(error).__name__
            self._complaints.tell(f"watch of {path}", problem)
            await asyncio.sleep(self._pace.retry)

    async def _repeat(self) -> None:
        while True:
            self._stirred.clear()
            problem, whole = "", False
            try:
                whole = await self._work()
            except (OSError, ValueError) as error:
                problem = str(error) or type(error).__name__
            self._complaints.tell("API server", problem)
            await asyncio.sleep(self._pace.spacing)
            try:
                async with asyncio.timeout(self._pace.interval if whole else self._pace.retry):
                    await self._stirred.wait()
            except TimeoutError:
                continue
