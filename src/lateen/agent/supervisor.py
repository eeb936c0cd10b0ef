"""Does what the lifecycle says, and tells it what happens: signals, timers, ends of Envoy."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Coroutine, Mapping
from typing import Final

from lateen.agent import envoy_record
from lateen.agent import lifecycle as life
from lateen.agent.admin import AdminError, ask
from lateen.agent.connections import open_connections
from lateen.agent.envoy_record import EnvoyRecord
from lateen.agent.log import Log
from lateen.agent.process import Process, adopt, child_of, spawn, start_time
from lateen.agent.settings import AgentSettings
from lateen.agent.state import AgentState

__all__ = ["Supervisor"]

_LOOK: Final = 0.05
"""Seconds between two looks whether a new Envoy answers."""
_LOOK_AT_CONNECTIONS: Final = 1.0
_ADOPTED_ANSWERS: Final = 1.0
"""Seconds in which an Envoy that serves already has answered."""


class Supervisor:
    """Of one Envoy. `send` takes an event; `run` gives the exit status."""

    def __init__(self, settings: AgentSettings, log: Log, environment: Mapping[str, str]) -> None:
        self.state = AgentState(self.end, lambda: self.send(life.DrainAhead()))
        """For the server and for who keeps certificates."""
        self._settings = settings
        self._log = log
        self._environment = environment
        self._lifecycle = life.State()
        self._events: asyncio.Queue[life.Event] = asyncio.Queue()
        self._envoy: Process | None = None
        self._started = 0.0
        self._draining_since: float | None = None
        self._tasks: asyncio.TaskGroup | None = None

    def send(self, event: life.Event) -> None:
        self._events.put_nowait(event)

    def end(self) -> None:
        self.send(life.End())

    def have_certificate(self) -> None:
        self.send(life.Certificate())

    async def run(self, tasks: asyncio.TaskGroup, ends: int) -> int:
        """`tasks` gets what goes on meanwhile, and is the caller's to cancel. `ends` is how often an end has been asked
        for already, of an earlier agent."""
        self._tasks = tasks
        await self._take_over()
        for _ in range(max(ends, int(self._draining_since is not None))):
            self.end()
        while True:
            event = await self._events.get()
            self._lifecycle, actions = life.step(self._lifecycle, event)
            self._tell(event)
            for action in actions:
                if isinstance(action, life.Exit):
                    if action.status:
                        command = " ".join(self._settings.envoy)
                        self._log.error(
                            f"Envoy does not take its bootstrap; its own words are above. It was: {command}"
                        )
                    return action.status
                self._do(action)

    # --- what is done --------------------------------------------------------------------------------------------

    def _do(self, action: life.Action) -> None:
        match action:
            case life.Start():
                self._start()
            case life.BackOff(seconds):
                self._log.error(f"Envoy has ended {self._lifecycle.ends} times; it starts again in {seconds:g} s")
                self._later(seconds, life.BackOffOver())
            case life.Draining():
                self._task(self._drain())
            case life.DrainingAhead():
                self._task(self._drain_listeners(and_exit=False))
            case life.Stop():
                self._signal(signal.SIGTERM)
                self._later(self._settings.drain.stop, life.StopOver())
            case life.Kill():
                self._log.warn("Envoy does not end; it is killed")
                self._signal(signal.SIGKILL)

    def _start(self) -> None:
        self._started = time.monotonic()
        try:
            envoy = spawn(self._settings.envoy, self._environment)
        except OSError as problem:
            self._log.error(f"Envoy cannot be started: {self._settings.envoy[0]}: {problem.strerror}")
            self.send(life.EnvoyEnded(127, 0.0))
            return
        self._log.info(f"Envoy started, process {envoy.pid}")
        self._record(envoy)
        self._watch(envoy)
        self._task(self._until_live())

    async def _take_over(self) -> None:
        record = envoy_record.read(self._settings.directory)
        envoy = adopt(record.pid, record.started) if record is not None else None
        if record is None or envoy is None:
            # An agent may have ended before it could write anything down.
            record, envoy = None, child_of(os.getppid(), self._settings.envoy)
        if envoy is None:
            return
        self._log.info(f"Envoy is running already, process {envoy.pid}; this agent goes on with it")
        self._started = time.monotonic()
        if record is not None:
            self._draining_since = record.draining_since
        else:
            self._record(envoy)
        try:
            await ask(self._settings.admin, "/server_info", timeout=_ADOPTED_ANSWERS)
            live = True
        except AdminError:
            live = False
        self.send(life.Adopted(live))
        self._watch(envoy)
        self.state.envoy = live
        if not live:
            self._task(self._until_live())

    def _watch(self, envoy: Process) -> None:
        self._envoy = envoy
        self._task(self._until_ended(envoy))

    async def _until_ended(self, envoy: Process) -> None:
        status = await envoy.ended()
        envoy.close()
        self._envoy = None
        self.state.envoy = False
        envoy_record.forget(self._settings.directory)
        self.send(life.EnvoyEnded(status, time.monotonic() - self._started))

    async def _until_live(self) -> None:
        envoy = self._envoy
        while envoy is not None and self._envoy is envoy:
            try:
                await ask(self._settings.admin, "/server_info")
            except AdminError:
                await asyncio.sleep(_LOOK)
            else:
                self.state.envoy = True
                self.send(life.Live())
                return

    async def _drain(self) -> None:
        drain = self._settings.drain
        now = time.monotonic()
        since = self._draining_since
        if since is None:
            since = self._draining_since = now
            if self._envoy is not None:
                self._record(self._envoy)
        await self._drain_listeners(and_exit=not drain.on_zero_connections)
        if not drain.on_zero_connections:
            await asyncio.sleep(max(since + drain.duration - now, 0.0))
        else:
            await asyncio.sleep(max(since + drain.minimum - now, 0.0))
            while (left := await self._connections()) != 0:
                if left is not None:
                    self._log.info(f"{left} connections are open still")
                await asyncio.sleep(_LOOK_AT_CONNECTIONS)
        self.send(life.DrainOver())

    async def _drain_listeners(self, *, and_exit: bool) -> None:
        """Unless `and_exit`, listeners that have drained stay open."""
        path = "/drain_listeners?graceful"
        if self._settings.drain.inbound_only:
            path += "&inboundonly"
        if not and_exit:
            path += "&skip_exit"
        try:
            await ask(self._settings.admin, path, method="POST")
        except AdminError as problem:
            self._log.warn(f"listeners do not drain: {problem}")

    async def _connections(self) -> int | None:
        """None while nobody knows."""
        try:
            return open_connections((await ask(self._settings.admin, "/stats?filter=downstream_cx_active$")).decode())
        except (AdminError, UnicodeDecodeError) as problem:
            self._log.warn(f"how many connections are open is unknown: {problem}")
            return None

    def _record(self, envoy: Process) -> None:
        """For the next agent."""
        started = start_time(envoy.pid)
        if started is None:
            return
        try:
            envoy_record.write(self._settings.directory, EnvoyRecord(envoy.pid, started, self._draining_since))
        except OSError as problem:
            self._log.warn(
                f"the next agent will not know what this one does: {self._settings.directory}: {problem.strerror}"
            )

    # --- odds and ends -------------------------------------------------------------------------------------------

    def _signal(self, number: signal.Signals) -> None:
        if self._envoy is not None:
            self._envoy.signal(number)

    def _later(self, seconds: float, event: life.Event) -> None:
        asyncio.get_running_loop().call_later(seconds, self.send, event)

    def _task(self, work: Coroutine[None, None, None]) -> None:
        assert self._tasks is not None
        self._tasks.create_task(work)

    def _tell(self, event: life.Event) -> None:
        """Says what has happened, and shows it to the server."""
        phase = self._lifecycle.phase
        ending = phase in (life.Phase.DRAINING, life.Phase.STOPPING, life.Phase.ENDED)
        self.state.draining = ending or self._lifecycle.drained
        match event:
            case life.EnvoyEnded(status, age):
                say = self._log.info if ending else self._log.error
                say(f"Envoy has ended after {age:.0f} s{_how(status)}")
            case life.End():
                self._log.info(f"the end is asked for: {phase.value}")
            case life.DrainAhead():
                self._log.info("connections are to drain ahead of the end")


def _how(status: int | None) -> str:
    if status is None:
        return ""
    if status >= 0:
        return f" with status {status}"
    killed = ": out of memory? Look at the container's limit" if status == -signal.SIGKILL else ""
    return f" by {signal.Signals(-status).name}{killed}"
