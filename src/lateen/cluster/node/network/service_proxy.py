"""Keeps a node's nftables in step with Services and EndpointSlices. Runs in the node's network namespace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from lateen.cluster.client.api import Client
from lateen.cluster.client.backoff import Backoff
from lateen.cluster.client.informer import Handler, Informer
from lateen.cluster.layout import Layout, NodeLayout
from lateen.cluster.network.commands import CommandError, nft_async
from lateen.cluster.node.network.connection_tracking import forget_flows, stale_flows
from lateen.cluster.node.network.health_check_nodes import HealthCheckServers
from lateen.cluster.node.network.service_endpoints import count_local_endpoints
from lateen.cluster.node.network.service_rules import Fragment, NodeFacts, proxied, render_service
from lateen.cluster.node.network.service_table import ServiceTable
from lateen.cluster.objects import GVR, Key, Obj, key_of, labels_of, namespace_of

_log = logging.getLogger(__name__)

SERVICES = GVR("", "v1", "services")
ENDPOINT_SLICES = GVR("discovery.k8s.io", "v1", "endpointslices")
_GATHER_SECONDS = 0.01
"""How long changes are gathered into one transaction: too short to notice, enough to calm a storm."""


async def run(client: Client, layout: Layout, node: NodeLayout) -> None:
    """Runs the service proxy of `node` until cancelled. The rules stay: connections go on without the node process."""
    await ServiceProxy(client, layout, node).run()


def slice_service(slice_: Obj) -> Iterable[str]:
    """Index of EndpointSlices by the Service they belong to (`namespace/name`)."""
    name = labels_of(slice_).get("kubernetes.io/service-name")
    return (str(Key(namespace_of(slice_), name)),) if name else ()


def node_facts(layout: Layout, node: NodeLayout) -> tuple[NodeFacts, NodeFacts]:
    return (
        NodeFacts(node.name, "IPv4", str(node.ipv4), str(layout.pods_ipv4)),
        NodeFacts(node.name, "IPv6", str(node.ipv6), str(layout.pods_ipv6)),
    )


class ServiceProxy:
    """The proxy of one node. `synced` is set when the kernel has the rules of the first complete state."""

    def __init__(self, client: Client, layout: Layout, node: NodeLayout) -> None:
        self.synced = asyncio.Event()
        self._node = node
        self._services = Informer(client, SERVICES)
        self._slices = Informer(client, ENDPOINT_SLICES, indexes={"service": slice_service})
        self._facts = node_facts(layout, node)
        ranges = (str(layout.services_ipv4), str(layout.services_ipv6))
        self._tables = tuple(ServiceTable(f, r) for f, r in zip(self._facts, ranges, strict=True))
        self._dirty: set[Key] = set()
        self._wake = asyncio.Event()
        self._health = HealthCheckServers((str(node.ipv4), str(node.ipv6)))
        self._checks: dict[int, tuple[Key, int]] = {}

    async def run(self) -> None:
        """Follows the API until cancelled."""
        self._services.add_handler(Handler.of(lambda service: self._mark(key_of(service))))
        self._slices.add_handler(Handler.of(self._mark_slice))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._services.run())
                group.create_task(self._slices.run())
                group.create_task(self._follow())
        finally:
            await self._health.close()

    def _mark(self, key: Key) -> None:
        self._dirty.add(key)
        self._wake.set()

    def _mark_slice(self, slice_: Obj) -> None:
        for name in slice_service(slice_):
            namespace, _, service = name.partition("/")
            self._mark(Key(namespace, service))

    async def _follow(self) -> None:
        # Rules of half the Services would refuse connections to the other half.
        await self._services.synced.wait()
        await self._slices.synced.wait()
        whole = True
        backoff = Backoff(0.1, 10.0)
        while True:
            self._wake.clear()
            dirty, self._dirty = self._dirty, set()
            try:
                await self._apply(dirty, whole)
            except CommandError as error:
                delay = backoff.next()
                _log.error("service rules were not accepted, all are written again in %.1f s: %s", delay, error)
                self._dirty |= dirty
                whole = True
                await asyncio.sleep(delay)
                continue
            whole = False
            backoff.reset()
            self.synced.set()
            await self._wake.wait()
            await asyncio.sleep(_GATHER_SECONDS)

    async def _apply(self, dirty: set[Key], whole: bool) -> None:
        flows: list[tuple[str, ...]] = []
        for key in dirty:
            for table, fragment in zip(self._tables, self._render(key), strict=True):
                flows += stale_flows(table.fragment(key).udp, fragment.udp)
                table.put(key, fragment)
        script = "".join(table.whole() if whole else table.changes() for table in self._tables)
        if script:
            await nft_async(script)
        await forget_flows(flows)
        if self._count_health(dirty):
            await self._health.serve(self._checks)

    def _render(self, key: Key) -> tuple[Fragment, ...]:
        service = self._services.store.get(key)
        if service is None:
            return (Fragment(), Fragment())
        slices = self._slices.store.indexed("service", str(key))
        return tuple(render_service(service, slices, facts) for facts in self._facts)

    def _count_health(self, dirty: set[Key]) -> bool:
        """Brings the health checks in step; whether any changed."""
        before = dict(self._checks)
        self._checks = {port: check for port, check in self._checks.items() if check[0] not in dirty}
        for key in dirty:
            service = self._services.store.get(key)
            port = int((service or {}).get("spec", {}).get("healthCheckNodePort") or 0)
            if service is not None and port and proxied(service):
                self._checks[port] = (key, self._local_endpoints(key))
        return before != self._checks

    def _local_endpoints(self, key: Key) -> int:
        return count_local_endpoints(self._slices.store.indexed("service", str(key)), self._node.name)
