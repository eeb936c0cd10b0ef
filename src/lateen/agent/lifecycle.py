"""The life of a proxy as a state machine: pure. docs/lifecycle.md tells it in words.

`step(state, event)` gives the next state and what is to be done. `supervisor` does it, and turns what happens (signals,
timers, ends of processes) into events.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from lateen.agent.back_off import back_off
from lateen.agent.lifecycle_status import FAILED

__all__ = [
    "HEALTHY", "Action", "Adopted", "BackOff", "BackOffOver", "Certificate", "DrainAhead", "DrainOver", "Draining",
    "DrainingAhead", "End", "EnvoyEnded", "Event", "Exit", "Kill", "Live", "Phase", "Start", "State", "Stop",
    "StopOver", "step",
]  # fmt: skip

HEALTHY: Final = 60.0
"""Seconds after which the end of an Envoy says nothing about the next one."""


class Phase(Enum):
    WAITING = "waiting for a certificate"
    RUNNING = "Envoy runs"
    BACKING_OFF = "Envoy ended and waits to be started"
    DRAINING = "connections drain"
    STOPPING = "Envoy is told to end"
    ENDED = "ended"


class State(NamedTuple):
    phase: Phase = Phase.WAITING
    live: bool = False
    """An Envoy has served with this bootstrap: it is a good one."""
    ends: int = 0
    """How many Envoys in a row have ended before they were HEALTHY."""
    drained: bool = False
    """The listeners of the Envoy that runs have been told to drain ahead of the end."""

    @property
    def has_envoy(self) -> bool:
        return self.phase in (Phase.RUNNING, Phase.DRAINING, Phase.STOPPING)


# --- what happens ------------------------------------------------------------------------------------------------


class Certificate(NamedTuple):
    """The first certificate is there."""


class Adopted(NamedTuple):
    """An Envoy that an earlier agent has started is running."""

    live: bool = True
    """Its admin interface answers."""


class Live(NamedTuple):
    """Envoy's admin interface answers."""


class EnvoyEnded(NamedTuple):
    status: int | None
    """The exit status, negative for a signal; None where an Envoy that was adopted does not tell."""
    age: float
    """Seconds it ran."""


class BackOffOver(NamedTuple):
    """It is time to start Envoy again."""


class End(NamedTuple):
    """SIGTERM, SIGINT, a request to quit, or the keeper has gone."""


class DrainAhead(NamedTuple):
    """Listeners are to drain, though the end is asked for later: the application ends first (a native sidecar)."""


class DrainOver(NamedTuple):
    """Connections have had their time, or there are none."""


class StopOver(NamedTuple):
    """Envoy has had its time to end."""


Event = Certificate | Adopted | Live | EnvoyEnded | BackOffOver | End | DrainAhead | DrainOver | StopOver


# --- what is to be done ------------------------------------------------------------------------------------------


class Start(NamedTuple):
    """Start Envoy."""


class BackOff(NamedTuple):
    """Send BackOffOver later."""

    seconds: float


class Draining(NamedTuple):
    """Have Envoy's listeners drain; send DrainOver when that is over."""


class DrainingAhead(NamedTuple):
    """Have Envoy's listeners drain, and go on."""


class Stop(NamedTuple):
    """Ask Envoy to end; send StopOver later."""


class Kill(NamedTuple):
    """End Envoy."""


class Exit(NamedTuple):
    """End the agent, and with it the container."""

    status: int


Action = Start | BackOff | Draining | DrainingAhead | Stop | Kill | Exit


def step(state: State, event: Event) -> tuple[State, tuple[Action, ...]]:
    """What a state does not know how to take changes nothing."""
    match state.phase, event:
        case Phase.WAITING, Certificate():
            return state._replace(phase=Phase.RUNNING), (Start(),)
        case Phase.WAITING, Adopted(live):
            return state._replace(phase=Phase.RUNNING, live=live), ()
        case ((Phase.WAITING | Phase.BACKING_OFF), End()):
            return _ended(state, 0)

        case Phase.RUNNING, Live():
            return state._replace(live=True), ()
        case Phase.RUNNING, EnvoyEnded():
            return _envoy_ended(state, event)
        case Phase.BACKING_OFF, BackOffOver():
            return state._replace(phase=Phase.RUNNING), (Start(),)

        case Phase.RUNNING, DrainAhead() if state.live and not state.drained:
            return state._replace(drained=True), (DrainingAhead(),)
        case Phase.RUNNING, End() if state.live and not state.drained:
            return state._replace(phase=Phase.DRAINING), (Draining(),)
        case ((Phase.RUNNING | Phase.DRAINING), (End() | DrainOver())):
            # One that does not serve yet has nothing to drain, one that has drained nothing more; a second request to
            # end cannot wait.
            return state._replace(phase=Phase.STOPPING), (Stop(),)
        case Phase.STOPPING, (StopOver() | End()):
            return state, (Kill(),)
        case ((Phase.DRAINING | Phase.STOPPING), EnvoyEnded()):
            return _ended(state, 0)
    return state, ()


def _envoy_ended(state: State, end: EnvoyEnded) -> tuple[State, tuple[Action, ...]]:
    if not state.live and end.status is not None and end.status > 0:
        # It has looked at its bootstrap and left: another try would end the same way. A signal tells nothing of that.
        return _ended(state, FAILED)
    ends = 1 if end.age >= HEALTHY else state.ends + 1
    state = state._replace(ends=ends, drained=False)
    wait = back_off(ends)
    if wait == 0:
        return state, (Start(),)
    return state._replace(phase=Phase.BACKING_OFF), (BackOff(wait),)


def _ended(state: State, status: int) -> tuple[State, tuple[Action, ...]]:
    return state._replace(phase=Phase.ENDED), (Exit(status),)
