"""Every address is reached by either family, at one port."""

from __future__ import annotations

import socket

import aiohttp
import pytest
from aiohttp import web

from lateen.webhooks.listening import site

FAMILIES = ["127.0.0.1", "[::1]"]


async def answers(listen: str) -> dict[str, str]:
    """What clients of each family are seen as; empty for those who do not get through."""

    async def remote(request: web.Request) -> web.Response:
        return web.Response(text=request.remote or "")

    app = web.Application()
    app.add_routes([web.get("/", remote)])
    runner = web.AppRunner(app)
    await runner.setup()
    found = {}
    try:
        await site(runner, listen, 0).start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as session:
            for host in FAMILIES:
                try:
                    async with session.get(f"http://{host}:{port}/") as answer:
                        found[host] = await answer.text()
                except aiohttp.ClientConnectorError:
                    found[host] = ""
    finally:
        await runner.cleanup()
    return found


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this kernel has no IPv6")
async def test_every_address() -> None:
    assert await answers("::") == {"127.0.0.1": "::ffff:127.0.0.1", "[::1]": "::1"}


async def test_one_address() -> None:
    assert await answers("127.0.0.1") == {"127.0.0.1": "127.0.0.1", "[::1]": ""}


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this kernel has no IPv6")
async def test_an_address_that_is_taken() -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    taken = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    with taken, pytest.raises(OSError, match="in use"):
        await site(runner, "::", taken.getsockname()[1]).start()
    await runner.cleanup()
