from __future__ import annotations

import aiohttp
from aiohttp import web

from lateen import __version__
from lateen.istiod.configuration import Address
from lateen.istiod.http import Site, application


class State:
    ready = False
    waiting: tuple[str, ...] = ("files: Service",)


async def test_readiness_version_and_what_others_show() -> None:
    async def own(request: web.Request) -> web.Response:
        return web.Response(text="own")

    state = State()
    app = application(state, [web.get("/debug/syncz", own)])
    async with Site(app, Address("127.0.0.1", 0)) as bound, aiohttp.ClientSession(f"http://{bound}") as client:

        async def get(path: str) -> tuple[int, str]:
            async with client.get(path) as answer:
                return answer.status, await answer.text()

        assert await get("/ready") == (503, "files: Service\n")
        state.waiting = ()
        assert await get("/ready") == (503, "starting\n")
        state.ready = True
        assert await get("/ready") == (200, "ready\n")
        assert await get("/version") == (200, f"{__version__}\n")
        assert await get("/debug/syncz") == (200, "own")
        assert (await get("/debug/none"))[0] == 404
