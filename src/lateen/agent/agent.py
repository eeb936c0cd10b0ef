"""What one agent does at the same time: keep the certificate, supervise Envoy (if there is one), serve on 15020."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping

from lateen.agent.certificates import Certificates
from lateen.agent.lifecycle_status import FAILED
from lateen.agent.log import Log
from lateen.agent.proxyless import Proxyless
from lateen.agent.server import serve
from lateen.agent.settings import AgentSettings
from lateen.agent.supervisor import Supervisor

__all__ = ["live"]


class _Ended(Exception):
    """The proxy's life is over; what goes on besides is cancelled."""


class _Refused(Exception):
    """The server has been told what makes no sense; says what."""


async def live(settings: AgentSettings, environment: Mapping[str, str], ends: int, keeper: int) -> int:
    """Until the end of the container: the exit status.

    `ends` is how often that has been asked for already, `keeper` the process without which there is no container.
    """
    log = Log(settings.log)
    supervisor = Supervisor(settings, log, environment) if settings.has_envoy else Proxyless(log)
    certificates = Certificates(
        settings.certificates, supervisor.state, log, environment, supervisor.have_certificate
    )  # fmt: skip
    _take_signals(supervisor)
    status = 0
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_serve(supervisor, settings, environment))
            tasks.create_task(_end_with_the_keeper(supervisor, keeper))
            tasks.create_task(certificates.keep())
            status = await supervisor.run(tasks, ends)
            raise _Ended
    except* _Ended:
        pass
    except* _Refused as refused:
        log.error(str(refused.exceptions[0]))
        status = FAILED
    log.info("the agent ends")
    return status


async def _serve(supervisor: Supervisor | Proxyless, settings: AgentSettings, environment: Mapping[str, str]) -> None:
    try:
        await serve(supervisor.state, settings, environment)
    except ValueError as problem:
        raise _Refused(str(problem)) from None


def _take_signals(supervisor: Supervisor | Proxyless) -> None:
    """The keeper has blocked them until somebody is there to take them."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD))


async def _end_with_the_keeper(supervisor: Supervisor | Proxyless, keeper: int) -> None:
    """Where the keeper is not the first process of a container (on a virtual machine), its end would end nothing."""
    loop = asyncio.get_running_loop()
    parent = os.getppid()
    if parent == keeper:  # else it has ended before there was somebody to see it
        watched = os.pidfd_open(parent)
        gone = asyncio.Event()
        loop.add_reader(watched, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(watched)
            os.close(watched)
    supervisor.end()
