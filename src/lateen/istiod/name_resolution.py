"""Resolves the names of gateways between networks: load assignments take addresses only."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence

from lateen.engine import Engine
from lateen.model.networks import gateway_names
from lateen.model.resolved_names import RESOLVED_NAMES

_log = logging.getLogger(__name__)

_REFRESH_SECONDS = 30.0
"""How old an answer may be. Load balancers that go by names change their addresses now and then."""
_PATIENCE_SECONDS = 5.0
"""How long a name may take."""

Resolve = Callable[[str], Awaitable[tuple[str, ...]]]


async def system_resolve(name: str) -> tuple[str, ...]:
    """The addresses that the system's resolver knows, sorted. Raises OSError or UnicodeError when there are none.

    Of IPv6 only where a name has no IPv4: most proxies could not use them, and would lose what they send there.
    """
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    found = {str(address[0]).partition("%")[0] for *_, address in answers}
    return tuple(sorted({each for each in found if ":" not in each} or found))


class NameResolution:
    """Keeps `RESOLVED_NAMES` up to date while `run` runs. A name that cannot be resolved any more keeps the addresses
    it had. `told` is called after each change."""

    def __init__(
        self,
        engine: Engine,
        told: Callable[[], None],
        resolve: Resolve = system_resolve,
        refresh: float = _REFRESH_SECONDS,
    ) -> None:
        self._engine = engine
        self._told = told
        self._resolve = resolve
        self._refresh = refresh
        self._known: dict[str, tuple[str, ...]] = {}
        self._tried: set[str] = set()
        self._failing: set[str] = set()
        self._changed = asyncio.Event()
        self._passed = asyncio.Event()

    def changed(self) -> None:
        """There may be other names to resolve."""
        self._changed.set()

    async def settled(self) -> None:
        """Waits until every name that there is now has been tried."""
        while not self._tried.issuperset(self._wanted()):
            self._passed.clear()
            await self._passed.wait()

    async def run(self) -> None:
        """Until cancelled."""
        clock = asyncio.get_running_loop().time
        due = clock() + self._refresh
        while True:
            self._changed.clear()
            names = self._wanted()
            if clock() >= due:
                due = clock() + self._refresh
                await self._look_up(names)
            else:
                await self._look_up([name for name in names if name not in self._tried])
            self._passed.set()
            try:
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _wanted(self) -> tuple[str, ...]:
        return self._engine.get(gateway_names)

    async def _look_up(self, names: Sequence[str]) -> None:
        answers = await asyncio.gather(*(self._answer(name) for name in names))
        wanted = set(self._wanted())
        known = {name: addresses for name, addresses in self._known.items() if name in wanted}
        known |= {name: found for name, found in zip(names, answers, strict=True) if found and name in wanted}
        self._tried = (self._tried | set(names)) & wanted
        self._failing &= wanted
        if known == self._known:
            return
        with self._engine.change() as tx:
            for name in self._known.keys() - known.keys():
                tx.delete(RESOLVED_NAMES, name)
            for name, addresses in known.items():
                tx.set(RESOLVED_NAMES, name, addresses)
        self._known = known
        self._told()

    async def _answer(self, name: str) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                found = await self._resolve(name)
        except (OSError, UnicodeError) as problem:
            if name not in self._failing:
                self._failing.add(name)
                _log.warning("gateway of a network: %s cannot be resolved: %s", name, problem or "no answer in time")
            return ()
        self._failing.discard(name)
        return found
