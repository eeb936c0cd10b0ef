"""The first process of a proxy's container: as small as can be, so that it does not fail. It keeps an agent running.

An agent is a fork of the keeper, not a program of its own: they share the interpreter's memory. Whatever becomes of it,
Envoy goes on; the keeper is the first process of the container, so Envoy becomes its child, and the next agent takes
it over. All signals are blocked and waited for: none can be missed between two steps.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time

from lateen.agent.back_off import back_off
from lateen.agent.lifecycle_status import AGENT_FAILED, FINAL
from lateen.agent.log import write

__all__ = ["main"]

_ENDS = (signal.SIGTERM, signal.SIGINT)
_WAITED = (signal.SIGCHLD, *_ENDS)
_STEADY = 60.0
"""Seconds after which the end of an agent says nothing about the next one."""


def main(descriptor: int, as_json: bool) -> None:
    """Ends the process. The agent's settings are in an open file; `as_json` is the form of the log."""
    text = _contents(descriptor)
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED)
    gc.freeze()
    ends = 0
    failures = 0
    while True:
        began = time.monotonic()
        agent = _fork(text, ends)
        status = None
        while status is None:
            if signal.sigwait(_WAITED) == signal.SIGCHLD:
                status = _reaped(agent)
            else:
                ends += 1
                os.kill(agent, signal.SIGTERM)
        if status in FINAL:
            os._exit(status)
        failures = 1 if time.monotonic() - began >= _STEADY else failures + 1
        wait = back_off(failures)
        words = f"the agent has ended ({_how(status)}); traffic goes on, another agent starts in {wait:g} s"
        write("error", "keeper", words, as_json)
        ends += _wait(wait)


def _contents(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    text = os.pread(descriptor, size, 0).decode()
    os.close(descriptor)  # Envoy is not to inherit it
    return text


def _fork(text: str, ends: int) -> int:
    keeper = os.getpid()
    agent = os.fork()
    if agent:
        return agent
    try:
        os.setsid()
        from lateen.agent.runtime import run

        os._exit(run(text, ends, keeper))
    except BaseException:
        sys.excepthook(*sys.exc_info())
    os._exit(AGENT_FAILED)


def _reaped(agent: int) -> int | None:
    """Takes the ends of all children; that of the agent, negative for a signal, or nothing."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == agent:
            found = os.waitstatus_to_exitcode(status)


def _wait(seconds: float) -> int:
    """Until then, or until the end is asked for, which another agent sees to: how often it was."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        found = signal.sigtimedwait(_WAITED, left)
        if found is not None and found.si_signo in _ENDS:
            return 1
    return 0


def _how(status: int) -> str:
    return f"status {status}" if status >= 0 else f"signal {-status}"
