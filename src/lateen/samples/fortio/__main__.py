"""The program: `fortio load -c 3 -qps 0 -n 30 http://httpbin:8000/get`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

import aiohttp
from aiohttp import web

from lateen.samples.fortio.options import parser
from lateen.samples.fortio.report import beginning, ending
from lateen.samples.load import FAILED, Load, send
from lateen.samples.serving import application, run, say

_AGENT = "fortio.org/fortio-lateen"


async def _load(chosen: argparse.Namespace) -> int:
    count = max(chosen.n, 0) or None
    load = Load(
        chosen.url,
        count=count,
        seconds=chosen.t,
        connections=chosen.c if count is None else min(chosen.c, count),
        per_second=chosen.qps,
        timeout=chosen.timeout,
        headers={"User-Agent": _AGENT, **dict(chosen.H)},
        verify=not chosen.k,
    )
    if not chosen.quiet:
        for line in beginning(load.url, load.connections, load.per_second, load.count, load.seconds):
            say(line)
    began = time.perf_counter()
    outcomes = await send(load)
    took = time.perf_counter() - began
    if chosen.loglevel not in ("Error", "Fatal") and not chosen.quiet:
        for outcome in outcomes:
            if outcome.status != 200:
                say(f"W {outcome.said}" if outcome.status == FAILED else f"W non ok code {outcome.status}")
    for line in ending(outcomes, took):
        say(line)
    return 0


async def _curl(chosen: argparse.Namespace) -> int:
    """Head and body of one answer; exits with 1 unless it was a 2xx."""
    timeout = aiohttp.ClientTimeout(total=chosen.timeout)
    headers = {"User-Agent": _AGENT, **dict(chosen.H)}
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as client:
        try:
            async with client.get(chosen.url, ssl=not chosen.k, allow_redirects=False) as response:
                say(f"HTTP/1.1 {response.status} {response.reason}")
                for name, value in response.headers.items():
                    say(f"{name}: {value}")
                say("")
                async for chunk in response.content.iter_chunked(1 << 16):
                    sys.stdout.buffer.write(chunk)
                sys.stdout.flush()
                return 0 if 200 <= response.status < 300 else 1
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return 1


async def _echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read(), content_type="text/plain")


def echo_server() -> web.Application:
    app = application()
    app.router.add_route("*", "/{path:.*}", _echo)
    return app


def main() -> None:
    chosen = parser().parse_args()
    if chosen.command == "server":
        run(echo_server(), [chosen.http_port])
    elif chosen.command == "curl" or chosen.curl:
        sys.exit(asyncio.run(_curl(chosen)))
    else:
        sys.exit(asyncio.run(_load(chosen)))


if __name__ == "__main__":
    main()
