"""The HTTP side of a control plane: readiness, version, and what is going on inside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from aiohttp import web

from lateen import __version__
from lateen.istiod.configuration import Address

_STARTUP: Final = "starting"


class State(Protocol):
    """What there is to show."""

    @property
    def ready(self) -> bool:
        """Proxies are served."""

    @property
    def waiting(self) -> tuple[str, ...]:
        """What it waits for, while it is not."""


Page = Callable[[], Any]
"""Makes a document, to be shown as JSON."""


def application(state: State, pages: Mapping[str, Page], routes: Iterable[web.RouteDef] = ()) -> web.Application:
    """`/ready`, `/version`, a page each under `/debug/`, and `routes`."""
    app = web.Application()

    async def ready(request: web.Request) -> web.Response:
        if state.ready:
            return web.Response(text="ready\n")
        return web.Response(status=503, text="".join(f"{line}\n" for line in state.waiting or (_STARTUP,)))

    async def version(request: web.Request) -> web.Response:
        return web.Response(text=f"{__version__}\n")

    def shown(page: Page) -> Callable[[web.Request], Any]:
        async def show(request: web.Request) -> web.Response:
            return web.json_response(page())

        return show

    routes = list(routes)
    taken = {route.path for route in routes}

    async def index(request: web.Request) -> web.Response:
        paths = sorted({*(f"/debug/{name}" for name in pages), *(path for path in taken if path.startswith("/debug"))})
        links = "".join(f'<li><a href="{path}">{path}</a></li>' for path in paths)
        return web.Response(text=f"<!doctype html><title>istiod</title><ul>{links}</ul>\n", content_type="text/html")

    app.add_routes([web.get("/ready", ready), web.get("/version", version), *routes])
    app.add_routes(
        [web.get(f"/debug/{name}", shown(page)) for name, page in pages.items() if f"/debug/{name}" not in taken]
    )
    if "/debug" not in taken:
        app.add_routes([web.get("/debug", index), web.get("/debug/", index)])
    return app


class Site:
    """`async with Site(app, address) as bound: ...`: listens, and gives the address with its port."""

    def __init__(self, app: web.Application, address: Address) -> None:
        self._address = address
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def __aenter__(self) -> Address:
        """Raises OSError when the address cannot be had."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._address.host, self._address.port).start()
        except BaseException:
            await self._runner.cleanup()
            raise
        return Address(self._address.host, self._runner.addresses[0][1])

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()
