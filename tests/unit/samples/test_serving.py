"""How the samples end: nothing that was asked stays unanswered."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp import web

from lateen.samples.serving import application, start


async def test_draining_serves_on_closes_connections_and_finishes_what_is_in_flight() -> None:
    asked, let_go, enough = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        asked.set()
        await let_go.wait()
        return web.Response(text="done")

    async def quick(_request: web.Request) -> web.Response:
        return web.Response(text="here")

    app = application()
    app.router.add_get("/slow", slow)
    app.router.add_get("/quick", quick)
    running = await start(app, [0], host="127.0.0.1")
    url = f"http://127.0.0.1:{running.ports[0]}"
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{url}/quick") as response:
            assert "Connection" not in response.headers
        in_flight = asyncio.create_task(client.get(f"{url}/slow"))
        await asyncio.wait_for(asked.wait(), 60)
        ending = asyncio.create_task(running.drain(enough.wait()))
        await asyncio.sleep(0)
        async with client.get(f"{url}/quick") as response:
            assert (response.status, response.headers["Connection"]) == (200, "close")
        enough.set()
        while True:
            try:
                async with client.get(f"{url}/quick"):
                    await asyncio.sleep(0.02)
            except aiohttp.ClientConnectionError:
                break
        assert not ending.done(), "the port is closed, and the request in flight is waited for"
        let_go.set()
        async with await asyncio.wait_for(in_flight, 60) as response:
            assert await response.text() == "done"
        await asyncio.wait_for(ending, 60)
