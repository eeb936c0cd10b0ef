"""`serve [--port 7070]`, with SERVICE_VERSION and HOSTNAME of the environment in its answers; `call TARGET MESSAGE`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from lateen.samples.grpc_echo.client import call
from lateen.samples.grpc_echo.server import Echo, Server
from lateen.samples.serving import say, until_told_to_end

_MAX_CALLS = 100_000


async def _serve(port: int) -> None:
    who = Echo(os.environ.get("SERVICE_VERSION", "unknown"), os.environ.get("HOSTNAME", "unknown"))
    server = Server(who, f"[::]:{port}")
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
    caller = commands.add_parser("call")
    caller.add_argument("target", help="as echo:7070")
    caller.add_argument("message")
    caller.add_argument("-n", type=_count, default=1, help="how many times")
    chosen = parser.parse_args()
    if chosen.command == "call":
        for answer in asyncio.run(call(chosen.target, chosen.message, chosen.n)):
            say(answer)
        return
    try:
        asyncio.run(_serve(chosen.port))
    except OSError as error:
        sys.exit(f"cannot listen: {error}")


if __name__ == "__main__":
    main()
