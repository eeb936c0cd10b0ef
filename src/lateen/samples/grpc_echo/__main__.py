"""`serve [--port 7070] [--xds]`, with SERVICE_VERSION and HOSTNAME of the environment in its answers;
`call TARGET MESSAGE`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from lateen.samples.grpc_echo.client import call
from lateen.samples.grpc_echo.proxyless import ProxylessServer
from lateen.samples.grpc_echo.server import Echo, Server
from lateen.samples.serving import say, until_told_to_end

_MAX_CALLS = 100_000


async def _serve(port: int, xds: bool) -> None:
    who = Echo(os.environ.get("SERVICE_VERSION", "unknown"), os.environ.get("HOSTNAME", "unknown"))
    # A listener that the mesh configures is known by its address, and pods have IPv4 ones.
    server = ProxylessServer(who, f"0.0.0.0:{port}") if xds else Server(who, f"[::]:{port}")
    say(f"listening on {await server.start()}")
    await server.drain(asyncio.sleep(await until_told_to_end()))


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _MAX_CALLS:
        raise argparse.ArgumentTypeError(f"{text!r}: expected 1 to {_MAX_CALLS}")
    return int(text)


def main() -> None:
    parser = argparse.ArgumentParser(prog="grpc-echo", description="An echo over gRPC")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve")
    serve.add_argument("--port", type=int, default=7070)
    serve.add_argument("--xds", action="store_true", help="be its own proxy: needs GRPC_XDS_BOOTSTRAP")
    caller = commands.add_parser("call")
    caller.add_argument("target", help="as echo:7070, or xds:///echo:7070 to be its own proxy")
    caller.add_argument("message")
    caller.add_argument("-n", type=_count, default=1, help="how many times")
    caller.add_argument("--fail-with", type=int, default=0, choices=range(17), metavar="CODE", help="ask for a failure")
    chosen = parser.parse_args()
    if chosen.command == "call":
        for answer in asyncio.run(call(chosen.target, chosen.message, chosen.n, fail_with=chosen.fail_with)):
            say(answer)
        return
    try:
        asyncio.run(_serve(chosen.port, chosen.xds))
    except OSError as error:
        sys.exit(f"cannot listen: {error}")


if __name__ == "__main__":
    main()
