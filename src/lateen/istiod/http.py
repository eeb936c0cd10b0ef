"""The HTTP side of a control plane: readiness and version, with what others have to show."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Protocol

from aiohttp import web

from lateen import __version__
from lateen.identity import https_service
from lateen.identity.issuing import Issuer
from lateen.istiod.configuration import Address
from lateen.webhooks.listening import listening

_STARTUP: Final = "starting"
_LARGEST_HEADER: Final = 64 * 1024
_IDLE: Final = 60.0
"""Seconds that a connection may take for the headers of its next request."""


class State(Protocol):
    """What there is to show."""

    @property
    def ready(self) -> bool:
        """Proxies are served."""

    @property
    def waiting(self) -> tuple[str, ...]:
        """What it waits for, while it is not."""


def application(state: State, routes: Iterable[web.RouteDef] = ()) -> web.Application:
    """`/ready`, `/version` and `routes`."""
    app = web.Application()

    async def ready(request: web.Request) -> web.Response:
        if state.ready:
            return web.Response(text="ready\n")
        return web.Response(status=503, text="".join(f"{line}\n" for line in state.waiting or (_STARTUP,)))

    async def version(request: web.Request) -> web.Response:
        return web.Response(text=f"{__version__}\n")

    app.add_routes([web.get("/ready", ready), web.get("/version", version), *routes])
    return app


def certificates_application(issuer: Issuer) -> web.Application:
    """What the TLS front hands on besides gRPC."""
    app = web.Application(client_max_size=64 * 1024)
    app.add_routes(https_service.routes(issuer))
    return app


class SocketSite:
    """`async with SocketSite(app, path): ...`: listens at a unix socket that nobody else can open."""

    def __init__(self, app: web.Application, path: Path) -> None:
        self._path = path
        # A token, and a client certificate as a header.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, max_field_size=_LARGEST_HEADER)

    async def __aenter__(self) -> None:
        """Raises OSError when it cannot listen."""
        await self._runner.setup()
        try:
            await web.UnixSite(self._runner, str(self._path)).start()
            self._path.chmod(0o600)
        except BaseException:
            await self._runner.cleanup()
            raise

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()


class Site:
    """`async with Site(app, address) as bound: ...`: listens, and gives the address with its port."""

    def __init__(self, app: web.Application, address: Address) -> None:
        self._address = address
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, keepalive_timeout=_IDLE)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Address:
        """Raises OSError when the address cannot be had."""
        async with AsyncExitStack() as stack:
            await self._runner.setup()
            stack.push_async_callback(self._runner.cleanup)
            assert self._runner.server is not None, "set up"
            host = self._address.host
            port = await stack.enter_async_context(listening(self._runner.server, host, self._address.port))
            self._stack = stack.pop_all()
        return Address(host, port)

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()
