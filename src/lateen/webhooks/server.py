"""The HTTPS server that the API server's webhooks call: bounded in size, number and time."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from lateen.identity.serving import load_pair
from lateen.webhooks.listening import listening
from lateen.webhooks.room import Room

_log = logging.getLogger(__name__)


class WebhookLimits(msgspec.Struct, frozen=True):
    largest: int = 8 * 1024 * 1024
    """Bytes of a body. An update holds an object twice, of at most 3 MiB each."""
    held: int = 64 * 1024 * 1024
    """Bytes of bodies that are held at a time, those included that are still to come; further requests wait."""
    held_of_one: int = 16 * 1024 * 1024
    """The same of one address: who sends much, or slowly, keeps others neither from being read nor answered."""
    at_once: int = 16
    """Requests that are dealt with at a time, half of them of one address; further ones wait..."""
    seconds: float = 10.0
    """...and all are answered within so long."""
    idle: float = 120.0
    """Seconds that a connection may take for the headers of its next request. API servers themselves end connections
    that they do not use for 90."""


class WebhookServer:
    """`async with WebhookServer(host, port, routes) as server`: listens at `server.port`, once it has been told what to
    present by `take`; before that handshakes fail."""

    def __init__(
        self, host: str, port: int, routes: Iterable[web.RouteDef], limits: WebhookLimits | None = None
    ) -> None:
        self.host = host
        self.port = port
        """0 takes a free one."""
        self._limits = limits or WebhookLimits()
        self._room = Room(self._limits.held, self._limits.held_of_one)
        self._turns = Room(self._limits.at_once, max(1, self._limits.at_once // 2))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        app = web.Application(client_max_size=self._limits.largest, middlewares=[self._bounded()])
        app.add_routes([*routes, web.get("/ready", _ready)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, keepalive_timeout=self._limits.idle)
        self._stack = AsyncExitStack()

    def take(self, chain: str, key: str) -> None:
        """What new connections are shown from now on (PEM); those that there are go on. Raises ssl.SSLError."""
        load_pair(self._context, chain, key)

    async def __aenter__(self) -> Self:
        """Raises OSError when the address cannot be had."""
        async with AsyncExitStack() as stack:
            await self._runner.setup()
            stack.push_async_callback(self._runner.cleanup)
            assert self._runner.server is not None, "set up"
            self.port = await stack.enter_async_context(
                listening(self._runner.server, self.host, self.port, self._context)
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _bounded(self) -> Middleware:
        @web.middleware
        async def bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
            largest = self._limits.largest
            # Without a word on its length, a body may be as large as any.
            size = request.content_length if request.content_length is not None else largest
            if size > largest:
                raise web.HTTPRequestEntityTooLarge(largest, size)
            try:
                async with asyncio.timeout(self._limits.seconds), self._room.taken(request.remote or "", size):
                    # The request keeps it for its handler.
                    await request.read()
                    async with self._turns.taken(request.remote or "", 1):
                        return await handler(request)
            except TimeoutError:
                return web.Response(status=503, text=f"not within {self._limits.seconds:.0f} s\n")
            except web.HTTPException:
                raise
            except RecursionError:
                return web.Response(status=400, text="the body is nested too deeply\n")
            except Exception:
                _log.exception("a fault of ours in answering %s", request.path)
                return web.Response(status=500, text="a fault of the control plane\n")

        return bounded


async def _ready(request: web.Request) -> web.Response:
    return web.Response(text="ready\n")
