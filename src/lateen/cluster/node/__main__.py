"""`python -m lateen.cluster.node --root DIR --number K`: one node. Runs in the node's network namespace.

Wiring only: pods, their network, the service proxy, the Node object, and the HTTPS API that logs and exec come by.
SIGTERM ends the process; the pods go on, and the next process of this node finds them.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from pathlib import Path

import uvloop

from lateen.cluster.client.api import Client
from lateen.cluster.client.events import EventRecorder
from lateen.cluster.client.informer import Informer
from lateen.cluster.images.catalog import Catalog
from lateen.cluster.layout import Layout
from lateen.cluster.node import machine
from lateen.cluster.node.cgroups import Cgroups
from lateen.cluster.node.container_spec import Machine
from lateen.cluster.node.context import PODS, NodeContext
from lateen.cluster.node.environment import Sources
from lateen.cluster.node.network import service_proxy
from lateen.cluster.node.network.pod_network import PodNetwork
from lateen.cluster.node.pods import Pods
from lateen.cluster.node.references import References
from lateen.cluster.node.registration import Registration
from lateen.cluster.node.sandbox import PodNetworkSetup
from lateen.cluster.node.serving.access import Access
from lateen.cluster.node.serving.server import serve
from lateen.cluster.node.statistics import Statistics
from lateen.cluster.objects import GVR
from lateen.cluster.spec import load_spec

SERVICES = GVR("", "v1", "services")


def node_context(
    layout: Layout,
    number: int,
    client: Client,
    events: EventRecorder,
    network: PodNetworkSetup,
    references: References,
    services: Informer,
) -> NodeContext:
    """What the pods of a node share, from the machine as it is."""
    root = layout.node_root(number)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Everything of all clusters: no pod needs to see another's state, nor its own from outside.
    state = layout.root.parent if layout.root.parent.name == "clusters" else layout.root
    return NodeContext(
        layout=layout,
        number=number,
        client=client,
        events=events,
        catalog=Catalog(layout),
        cgroups=Cgroups.detect(layout.node(number).name),
        machine=Machine((state,), Path("/proc/self/mountinfo").read_text(), machine.memory_bytes()),
        network=network,
        references=references,
        sources=Sources(references.config_map, references.secret, machine.capacity(root)),
        services=services.store.list,
    )


async def run(layout: Layout, number: int, labels: dict[str, str]) -> None:
    """Runs the node until cancelled."""
    node = layout.node(number)
    async with (
        Client.from_kubeconfig(layout.kubeconfigs / f"{node.name}.conf", user_agent="kubelet") as client,
        asyncio.TaskGroup() as group,
    ):
        events = EventRecorder(client, "kubelet", node.name)
        services = Informer(client, SERVICES)
        informer = Informer(client, PODS, fields=f"spec.nodeName={node.name}")
        references = References(client, group, lambda uid: pods.sources_changed(uid))
        context = node_context(layout, number, client, events, PodNetwork(layout, number), references, services)
        pods = Pods(context, group)
        statistics = Statistics(node.name, context.cgroups, pods.containers)
        registration = Registration(client, layout, number, labels, events)
        for task in (
            events.run(),
            services.run(),
            informer.run(),
            registration.run(),
            service_proxy.run(client, layout, node),
            serve(pods, Access(client, node.name), statistics, layout, number),
        ):
            group.create_task(task)
        await services.synced.wait()
        await pods.follow(informer)


async def _until_told(layout: Layout, number: int, labels: dict[str, str]) -> None:
    loop = asyncio.get_running_loop()
    running = asyncio.ensure_future(run(layout, number, labels))
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        logging.getLogger(__name__).info("stopped; the pods go on")


def main() -> None:
    parser = argparse.ArgumentParser(prog="lateen.cluster.node", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="the cluster's directory")
    parser.add_argument("--number", type=int, required=True, help="which node, from 1")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    spec = load_spec(options.root)
    layout = Layout(spec.name, spec.index, options.root)
    labels = spec.node_labels.get(layout.node(options.number).name, {})
    uvloop.run(_until_told(layout, options.number, labels))


if __name__ == "__main__":
    main()
