"""Whether a proxy may be sent traffic, and what is missing while it may not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lateen.agent.admin import AdminError, ask
from lateen.agent.state import AgentState

_FILTER: Final = (
    r"^(cluster_manager\.cds\.update_(success|rejected)|listener_manager\.lds\.update_(success|rejected)"
    r"|server\.state|listener_manager\.workers_started)$"
)
_MAX_ANSWER: Final = 64 * 1024
_STATES: Final = ("live", "draining", "pre-initializing", "initializing")
"""`server.state`, by number (envoy.admin.v3.ServerInfo.State)."""


async def missing(state: AgentState, admin: tuple[str, int] | None, timeout: float) -> tuple[str, ...]:
    """What is missing, in words for people; nothing for a proxy that is ready.

    Envoy is asked each time: it may be another one than last time. `timeout` in seconds. Without `admin` there is no
    Envoy to wait for: the bootstrap of an application that is its own proxy was there before the agent.
    """
    found = []
    if state.draining:
        found.append("draining: connections are being ended")
    if not state.certificate:
        found.append("no certificate yet")
    if admin is not None and not state.envoy:
        found.append("Envoy is not running")
    if found:
        return (*found, state.obstacle) if state.obstacle else tuple(found)
    if admin is None:
        return ()
    try:
        text = await ask(admin, f"/stats?usedonly&filter={_FILTER}", timeout=timeout, most=_MAX_ANSWER)
    except AdminError as error:
        return (str(error),)
    return wanting(_numbers(text.decode("utf-8", "replace")))


def wanting(statistics: Mapping[str, int]) -> tuple[str, ...]:
    """What Envoy's statistics lack. As for Istio, a rejected configuration counts as one received."""
    found = []
    for what, name in (("clusters", "cluster_manager.cds"), ("listeners", "listener_manager.lds")):
        if not any(statistics.get(f"{name}.update_{end}") for end in ("success", "rejected")):
            found.append(f"no {what} from the control plane yet; is istiod reachable?")
    number = statistics.get("server.state", -1)
    if number != 0:
        found.append(f"Envoy is {_STATES[number] if 0 < number < len(_STATES) else 'in no known state'}")
    if statistics.get("listener_manager.workers_started") != 1:
        found.append("Envoy's workers have not started")
    return tuple(found)


def _numbers(text: str) -> dict[str, int]:
    pairs = (line.partition(": ") for line in text.splitlines())
    return {name: int(value) for name, _, value in pairs if value.isascii() and value.isdigit()}
