"""`python -m lateen.cluster.controllers --root DIR`: all controllers in one process."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from pathlib import Path

import uvloop

from lateen.cluster import layout as layouts
from lateen.cluster.client.api import Client
from lateen.cluster.controllers.all_controllers import all_controllers
from lateen.cluster.controllers.controller import Environment
from lateen.cluster.layout import Layout


async def run(layout: Layout) -> None:
    """Runs every controller until cancelled."""
    kubeconfig = layout.kubeconfigs / "controllers.conf"
    async with Client.from_kubeconfig(kubeconfig, user_agent="kube-controller-manager") as client:
        env = Environment(client)
        controllers = all_controllers(env, layout)
        async with asyncio.TaskGroup() as group:
            group.create_task(env.informers.run())
            for controller in controllers:
                group.create_task(controller.run(), name=controller.name)


async def _main(layout: Layout) -> None:
    running = asyncio.create_task(run(layout))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        logging.getLogger(__name__).info("stopped")


def main() -> None:
    parser = argparse.ArgumentParser(prog="lateen.cluster.controllers", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="the cluster's directory")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    uvloop.run(_main(layouts.load(arguments.root)))


if __name__ == "__main__":
    main()
