"""Gives Services of type LoadBalancer their addresses and routes, as a cloud provider's controller would."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from lateen.cluster.client.api import Client
from lateen.cluster.client.events import EventRecorder
from lateen.cluster.client.informer import Handler, Informer
from lateen.cluster.client.work_queue import WorkQueue
from lateen.cluster.fabric.address_allocation import AddressAllocator, AllocationError
from lateen.cluster.fabric.routing import (
    is_node_ready,
    node_number,
    route_commands,
    serving_nodes,
    withdrawal_commands,
)
from lateen.cluster.layout import Layout
from lateen.cluster.network.commands import CommandError, ip_batch_async
from lateen.cluster.network.fabric import fabric_path, service_routes
from lateen.cluster.objects import GVR, Key, Obj, key_of, labels_of, metadata, name_of, namespace_of
from lateen.cluster.status import StatusError

SERVICES = GVR("", "v1", "services")
NODES = GVR("", "v1", "nodes")
ENDPOINT_SLICES = GVR("discovery.k8s.io", "v1", "endpointslices")
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
CLASS = "lateen.dev/load-balancer"
_ENSURE_SECONDS = 30.0

_log = logging.getLogger(__name__)


def wants_address(service: Obj) -> bool:
    """Whether the Service is to have a load balancer of ours."""
    spec = service.get("spec") or {}
    ours = spec.get("loadBalancerClass") in (None, "", CLASS)
    return spec.get("type") == "LoadBalancer" and ours and not metadata(service).get("deletionTimestamp")


def _service_of(slice_: Obj) -> Iterable[str]:
    name = labels_of(slice_).get("kubernetes.io/service-name")
    return (str(Key(namespace_of(slice_), name)),) if name else ()


class LoadBalancers:
    """Follows Services, EndpointSlices and Nodes."""

    def __init__(self, client: Client, layout: Layout) -> None:
        self._client = client
        self._layout = layout
        self._services = Informer(client, SERVICES)
        self._slices = Informer(client, ENDPOINT_SLICES, indexes={"service": _service_of})
        self._nodes = Informer(client, NODES)
        self._queue: WorkQueue[Key] = WorkQueue("load-balancers")
        self._events = EventRecorder(client, "service-controller")
        self._addresses = AddressAllocator(layout)
        self._routed: dict[str, list[int]] = {}
        self._service_nodes: list[int] = []
        self._routing = asyncio.Lock()

    async def run(self) -> None:
        """Works until cancelled. Routes stay."""
        async with asyncio.TaskGroup() as group:
            for informer in (self._services, self._slices, self._nodes):
                group.create_task(informer.run())
            for informer in (self._services, self._slices, self._nodes):
                await informer.synced.wait()
            # Before any Service gets an address: those that have one keep it.
            self._addresses.restore(s for s in self._services.store.list() if FINALIZER in _finalizers(s))
            self._services.add_handler(Handler.of(lambda service: self._queue.add(key_of(service))))
            self._slices.add_handler(Handler.of(self._slice_changed))
            self._nodes.add_handler(Handler(self._node_changed, self._node_updated, self._node_changed))
            group.create_task(self._queue.run(self._reconcile))
            group.create_task(self._events.run())
            group.create_task(self._ensure())

    def _slice_changed(self, slice_: Obj) -> None:
        for name in _service_of(slice_):
            namespace, _, service = name.partition("/")
            if self._addresses.owned(Key(namespace, service)):
                self._queue.add(Key(namespace, service))

    def _node_changed(self, _node: Obj) -> None:
        for service in self._services.store.list():
            if wants_address(service):
                self._queue.add(key_of(service))

    def _node_updated(self, old: Obj, new: Obj) -> None:
        # A node's status is written every few seconds; only what routes depend on counts.
        if is_node_ready(old) != is_node_ready(new) or labels_of(old) != labels_of(new):
            self._node_changed(new)

    async def _ensure(self) -> None:
        """Brings routes back that somebody removed, or that a restarted network lost."""
        while True:
            await self._route_services()
            await asyncio.sleep(_ENSURE_SECONDS)
            self._routed.clear()
            self._service_nodes = []
            self._node_changed({})

    async def _route_services(self) -> None:
        nodes = self._nodes.store.list()
        ready = [node_number(self._layout, name_of(node)) for node in nodes if is_node_ready(node)]
        numbers = sorted(number for number in ready if number is not None)
        if not numbers or numbers == self._service_nodes:
            return
        try:
            await ip_batch_async(service_routes(self._layout, numbers))
            self._service_nodes = numbers
        except CommandError as error:
            _log.error("routes of the service range: %s", error)

    async def _reconcile(self, key: Key) -> None:
        service = self._services.store.get(key)
        await self._route_services()
        if service is None or not wants_address(service):
            await self._release(key, service)
            return
        try:
            addresses = self._addresses.allocate(service)
        except AllocationError as error:
            self._events.event(service, "Warning", "SyncLoadBalancerFailed", f"Error syncing load balancer: {error}")
            return
        if FINALIZER not in _finalizers(service):
            self._events.event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer")
            service = await self._write_finalizers(service, [*_finalizers(service), FINALIZER])
        numbers = serving_nodes(
            self._layout, service, self._slices.store.indexed("service", str(key)), self._nodes.store.list()
        )
        await self._route(addresses, numbers)
        await self._withdraw(set(self._addresses.held(service)) - set(addresses))
        ingress = [{"ip": address, "ipMode": "VIP"} for address in addresses]
        if ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") != ingress:
            await self._write_ingress(key, ingress)
            self._events.event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer")

    async def _release(self, key: Key, service: Obj | None) -> None:
        await self._withdraw(set(self._addresses.free(key)))
        if service is None or FINALIZER not in _finalizers(service):
            return
        await self._withdraw({a for a in self._addresses.held(service) if a in self._routed})
        try:
            if self._addresses.held(service):
                await self._write_ingress(key, None)
            await self._write_finalizers(service, [f for f in _finalizers(service) if f != FINALIZER])
        except StatusError as error:
            if error.code != 404:
                raise

    async def _write_finalizers(self, service: Obj, finalizers: list[str]) -> Obj:
        # With the revision: a list is replaced as a whole, and others' entries must not be lost.
        meta = {"finalizers": finalizers, "resourceVersion": metadata(service).get("resourceVersion")}
        written = await self._client.patch(SERVICES, key_of(service), {"metadata": meta})
        self._services.observe(written)
        return written

    async def _write_ingress(self, key: Key, ingress: list[Obj] | None) -> None:
        status = {"status": {"loadBalancer": {"ingress": ingress}}}
        self._services.observe(await self._client.patch(SERVICES, key, status, subresource="status"))

    async def _route(self, addresses: list[str], numbers: list[int]) -> None:
        changed = [address for address in addresses if self._routed.get(address) != numbers]
        if not changed or not numbers:
            return
        async with self._routing:
            host, router = route_commands(self._layout, changed, numbers)
            await ip_batch_async(host)
            await ip_batch_async(router, namespace=fabric_path(self._layout))
            self._routed |= dict.fromkeys(changed, numbers)

    async def _withdraw(self, addresses: set[str]) -> None:
        if not addresses:
            return
        async with self._routing:
            host, router = withdrawal_commands(self._layout, sorted(addresses))
            await ip_batch_async(host, keep_going=True)
            await ip_batch_async(router, namespace=fabric_path(self._layout), keep_going=True)
            for address in addresses:
                self._routed.pop(address, None)


def _finalizers(service: Obj) -> list[str]:
    return list(metadata(service).get("finalizers") or ())
