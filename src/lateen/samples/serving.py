"""How the samples serve HTTP: on every address, and with an end that loses no request.

A pod that is told to end is still in other nodes' and proxies' tables for a moment. So SIGTERM does not close the door:
the program goes on serving for a few seconds, asks clients to close their connections, then finishes what is in flight.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

DRAIN_SECONDS = 3.0
"""How long to go on after SIGTERM. The whole end has to fit in a pod's default grace of 30 s."""
_IN_FLIGHT_SECONDS = 20.0
# Longer than the hour after which Envoy drops an idle connection: the side that closes first is never the one that
# a request may be on its way to.
_KEEP_ALIVE_SECONDS = 3700.0
_QUIET_PATHS = frozenset({"/health", "/healthz", "/metrics"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def say(text: str) -> None:
    """A line in the pod's log, at once."""
    print(text, flush=True)


@web.middleware
async def _log(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        response = await handler(request)
    except web.HTTPException as error:
        say(f"{request.method} {request.rel_url.raw_path} {error.status}")
        raise
    if request.path not in _QUIET_PATHS:
        say(f"{request.method} {request.rel_url.raw_path} {response.status}")
    return response


def application(*, max_body: int = 1 << 20) -> web.Application:
    """An application whose requests are logged, probes aside; `max_body` in bytes."""
    return web.Application(middlewares=[_log], client_max_size=max_body)


class Running:
    """An application that listens. `drain` may be called once; `ports` are the real ones."""

    def __init__(self, runner: web.AppRunner, ports: Sequence[int]) -> None:
        self._runner = runner
        self.ports = tuple(ports)
        self._draining = asyncio.Event()

    async def close_when_draining(self, _request: web.Request, response: web.StreamResponse) -> None:
        if self._draining.is_set():
            response.force_close()
            response.headers["Connection"] = "close"

    async def drain(self, enough: Awaitable[object]) -> None:
        """Serves until `enough`, with every answer the last of its connection, then ends what is in flight."""
        self._draining.set()
        await enough
        await self._runner.cleanup()


async def start(app: web.Application, ports: Sequence[int], *, host: str | None = None) -> Running:
    """Listens on `ports` of `host`, by default on every IPv4 and IPv6 address. Raises OSError when a port is taken."""
    runner = web.AppRunner(
        app,
        handle_signals=False,
        access_log=None,
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
        shutdown_timeout=_IN_FLIGHT_SECONDS,
    )
    bound: list[int] = []
    running = Running(runner, bound)
    app.on_response_prepare.append(running.close_when_draining)
    await runner.setup()
    try:
        for port in ports:
            await web.TCPSite(runner, host, port, backlog=1024).start()
    except BaseException:
        await runner.cleanup()
        raise
    running.ports = tuple(dict.fromkeys(int(address[1]) for address in runner.addresses))
    return running


async def until_told_to_end() -> float:
    """Waits for SIGTERM or SIGINT. Returns how long to go on serving: a person at a terminal does not wait."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[float] = loop.create_future()

    def tell(seconds: float) -> None:
        if not told.done():
            told.set_result(seconds)

    loop.add_signal_handler(signal.SIGTERM, tell, DRAIN_SECONDS)
    loop.add_signal_handler(signal.SIGINT, tell, 0.0)
    return await told


async def serve(app: web.Application, ports: Sequence[int]) -> None:
    """Serves until SIGTERM or SIGINT, and then as the module says."""
    running = await start(app, ports)
    say(f"listening on {', '.join(map(str, running.ports))}")
    seconds = await until_told_to_end()
    say(f"told to end; serving for {seconds:g} s more")
    await running.drain(asyncio.sleep(seconds))


def run(app: web.Application, ports: Sequence[int]) -> None:
    """`serve` as a program: ends the process with a line on standard error when a port cannot be had."""
    try:
        asyncio.run(serve(app, ports))
    except OSError as error:
        sys.exit(f"cannot listen: {error}")
