"""Where the control plane's own HTTP servers listen."""

from __future__ import annotations

import socket
import ssl

from aiohttp import web


def site(runner: web.AppRunner, host: str, port: int, context: ssl.SSLContext | None = None) -> web.BaseSite:
    """To be started; `::` is every address of both families. Raises OSError when the address cannot be had."""
    if host != "::":
        return web.TCPSite(runner, host, port, ssl_context=context)
    # By itself asyncio has sockets for IPv6 take nothing else.
    both = socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=True)
    return web.SockSite(runner, both, ssl_context=context)
