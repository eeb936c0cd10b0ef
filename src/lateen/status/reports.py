"""Follows what is to be said of every resource, and tells when it changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from lateen.api.objects import ObjectRef
from lateen.engine import Engine, Observation, QueryError
from lateen.status.findings import FOLLOWED, Report, report, subjects

_log = logging.getLogger(__name__)

_GATHER_SECONDS = 0.25
"""Status is for people: changes that come together are looked at together."""
_BREATH = 100
"""Resources looked at before others get their turn on the loop."""


class Reports:
    """`changed` may be called at any time from the event loop; `run` does the rest until it is cancelled.

    `told` is called for each resource of which there is something new to say, also when that is that it is gone.
    """

    def __init__(self, engine: Engine, told: Callable[[ObjectRef], None] = lambda ref: None) -> None:
        self._engine = engine
        self._told = told
        self._observer = engine.observer()
        self._listings: dict[Any, Observation[tuple[ObjectRef, ...]]] = {}
        """By node, like the next."""
        self._observed: dict[Any, tuple[ObjectRef, Observation[Report | None]]] = {}
        self._reports: dict[ObjectRef, Report] = {}
        self._observations: dict[ObjectRef, Observation[Report | None]] = {}
        self._wake = asyncio.Event()
        self._wake.set()

    def changed(self) -> None:
        """The engine has changed."""
        if self._observer.has_stale:
            self._wake.set()

    @property
    def reports(self) -> Mapping[ObjectRef, Report]:
        """As of the last look."""
        return self._reports

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            self._wake.clear()
            await self.look()

    async def look(self) -> None:
        """Brings everything up to date."""
        followed = {listing.node.args[0] for listing in self._listings.values()}
        for kind in FOLLOWED:
            if kind not in followed:
                listing = self._observer.observe(subjects, kind)
                self._listings[listing.node] = listing
                await self._relist(kind, listing)
        for count, node in enumerate(self._observer.take_stale(), 1):
            if (stale := self._listings.get(node)) is not None:
                await self._relist(node.args[0], stale)
            elif (found := self._observed.get(node)) is not None:
                self._look_at(*found)
            if count % _BREATH == 0:
                await asyncio.sleep(0)

    async def _relist(self, kind: str, listing: Observation[tuple[ObjectRef, ...]]) -> None:
        there = dict.fromkeys(listing.get())
        for ref in [held for held in self._observations if held.kind == kind and held not in there]:
            observation = self._observations.pop(ref)
            del self._observed[observation.node]
            observation.close()
            if self._reports.pop(ref, None) is not None:
                self._told(ref)
        for count, ref in enumerate((ref for ref in there if ref not in self._observations), 1):
            observation = self._observer.observe(report, ref)
            self._observations[ref] = observation
            self._observed[observation.node] = ref, observation
            self._look_at(ref, observation)
            if count % _BREATH == 0:
                await asyncio.sleep(0)

    def _look_at(self, ref: ObjectRef, observation: Observation[Report | None]) -> None:
        try:
            found = observation.get()
        except QueryError as error:
            # A fault of ours: the resource keeps the status it has.
            _log.error("no report on %s: %s", ref, error)
            return
        before = self._reports.get(ref)
        if found is None or found == before:
            return
        self._reports[ref] = found
        if found.faults != (before.faults if before is not None else ()) and not found.rejected:
            said = "; ".join(f"{f.path}: {f.message}" if f.path else f.message for f in found.faults[:3])
            _log.info("%s: %d errors, %d warnings%s", ref, found.errors, found.warnings, f": {said}" if said else "")
        self._told(ref)
