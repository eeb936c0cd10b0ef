"""`python -m lateen.cluster.apiserver --root DIR`: the API server of one cluster."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

import uvloop

from lateen.cluster.apiserver.server import serve
from lateen.cluster.layout import Layout, load

_SWITCH_INTERVAL = 0.0005
"""Seconds after which the store's writer thread gets the interpreter from a busy event loop."""


async def run(layout: Layout) -> None:
    """Serves until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(layout, stop)


def main() -> None:
    parser = argparse.ArgumentParser(prog="lateen.cluster.apiserver", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="the cluster's directory")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # What is no HTTP is answered with 400; a traceback each would let anybody fill the disk.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    sys.setswitchinterval(_SWITCH_INTERVAL)
    uvloop.run(run(load(arguments.root)))


if __name__ == "__main__":
    main()
