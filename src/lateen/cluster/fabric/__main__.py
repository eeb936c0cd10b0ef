"""`python -m lateen.cluster.fabric --root DIR`: load balancers, peers, and DNS towards the machine's resolvers."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
from pathlib import Path

from lateen.cluster.client.api import Client
from lateen.cluster.fabric.load_balancers import LoadBalancers
from lateen.cluster.fabric.peers import keep_peers
from lateen.cluster.layout import Layout, load
from lateen.cluster.network.conflicts import RESOLV_CONF
from lateen.cluster.network.dns_forwarding import Forwarder, ForwardError
from lateen.cluster.network.dns_listener import listening
from lateen.cluster.network.resolvers import read_resolvers

_log = logging.getLogger("fabric")


async def forward_dns(host: str, resolvers: list[str], *, port: int = 53) -> None:
    """Passes DNS messages that come to `host` on to `resolvers` until cancelled; waits for the address to exist."""
    forwarder = Forwarder(resolvers)

    async def answer(message: bytes, tcp: bool) -> bytes | None:
        if len(message) < 12 or message[2] & 0x80:
            return None
        try:
            return await forwarder.ask(message, tcp=tcp)
        except ForwardError:
            # The question with SERVFAIL, and none of the sections behind it.
            return message[:2] + bytes((message[2] | 0x80, 0x82)) + bytes(8)

    while True:
        try:
            async with listening(host, port, answer):
                await asyncio.Event().wait()
        except OSError as error:
            _log.warning("DNS on %s:%d: %s; tried again in 1 s", host, port, error)
            await asyncio.sleep(1.0)


async def run(layout: Layout) -> None:
    """Does everything until cancelled."""
    resolvers = read_resolvers(RESOLV_CONF)
    async with (
        Client.from_kubeconfig(layout.kubeconfigs / "fabric.conf", user_agent="lateen-fabric") as client,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(LoadBalancers(client, layout).run())
        group.create_task(keep_peers(layout))
        group.create_task(forward_dns(str(layout.host_ipv4), resolvers))


async def _main(layout: Layout) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await run(layout)


def main() -> None:
    parser = argparse.ArgumentParser(prog="lateen.cluster.fabric", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="the cluster's directory")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_main(load(arguments.root)))


if __name__ == "__main__":
    main()
