"""Cluster DNS: `python -m lateen.cluster.dns`, in a pod. UDP and TCP 53, /health on 8080, /ready on 8181."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from pathlib import Path

from aiohttp import web

from lateen.cluster.client.api import Client
from lateen.cluster.dns.informed_state import InformedState
from lateen.cluster.dns.resolver import Resolver
from lateen.cluster.network.dns_forwarding import Forwarder
from lateen.cluster.network.dns_listener import listening
from lateen.cluster.network.resolvers import read_resolvers

PORT = 53
HEALTH_PORT = 8080
READY_PORT = 8181
LAME_DUCK_SECONDS = 5.0
"""How long it still answers after SIGTERM, until every node has heard that this endpoint goes; as CoreDNS does."""

_log = logging.getLogger("dns")


async def _serve_status(path: str, port: int, good: asyncio.Event | None) -> web.AppRunner:
    async def answer(_request: web.Request) -> web.Response:
        if good is None or good.is_set():
            return web.Response(text="OK")
        return web.Response(status=503, text="kubernetes")

    application = web.Application()
    application.router.add_get(path, answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, None, port).start()
    return runner


async def serve(client: Client, upstreams: list[str]) -> None:
    """Answers until cancelled."""
    state = InformedState(client)
    resolver = Resolver(state, Forwarder(upstreams), state.synced.is_set)
    async with contextlib.AsyncExitStack() as stack:
        for host in ("0.0.0.0", "::"):
            await stack.enter_async_context(listening(host, PORT, resolver.answer))
        for path, port, good in (("/health", HEALTH_PORT, None), ("/ready", READY_PORT, state.synced)):
            runner = await _serve_status(path, port, good)
            stack.push_async_callback(runner.cleanup)
        _log.info("listening on port %d; other names go to %s", PORT, ", ".join(upstreams) or "nobody")
        await state.run()


async def _main() -> None:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, task.cancel)
    loop.add_signal_handler(signal.SIGTERM, lambda: loop.call_later(LAME_DUCK_SECONDS, task.cancel))
    async with Client.in_cluster(user_agent="lateen-dns") as client:
        await serve(client, read_resolvers(Path("/etc/resolv.conf")))


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_main())


if __name__ == "__main__":
    main()
