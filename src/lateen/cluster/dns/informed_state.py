"""The state of cluster DNS from the API: Services, EndpointSlices and Namespaces, indexed for the questions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from lateen.cluster.client.api import Client
from lateen.cluster.client.informer import Informer
from lateen.cluster.objects import GVR, Key, Obj, labels_of, namespace_of

SERVICES = GVR("", "v1", "services")
NAMESPACES = GVR("", "v1", "namespaces")
ENDPOINT_SLICES = GVR("discovery.k8s.io", "v1", "endpointslices")


def _cluster_ips(service: Obj) -> Iterable[str]:
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return ()
    return [ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP")] if ip and ip != "None"]


def _service_of(slice_: Obj) -> Iterable[str]:
    name = labels_of(slice_).get("kubernetes.io/service-name")
    return (str(Key(namespace_of(slice_), name)),) if name else ()


def _addresses(slice_: Obj) -> Iterable[str]:
    return {address for endpoint in slice_.get("endpoints") or () for address in endpoint.get("addresses") or ()}


class InformedState:
    """`records.State` kept up to date by watches. `synced` is set when everything is known."""

    def __init__(self, client: Client) -> None:
        self.synced = asyncio.Event()
        self._services = Informer(client, SERVICES, indexes={"address": _cluster_ips})
        self._slices = Informer(client, ENDPOINT_SLICES, indexes={"service": _service_of, "address": _addresses})
        self._namespaces = Informer(client, NAMESPACES, metadata_only=True)

    async def run(self) -> None:
        """Follows the API until cancelled."""
        informers = (self._services, self._slices, self._namespaces)
        async with asyncio.TaskGroup() as group:
            for informer in informers:
                group.create_task(informer.run())
            for informer in informers:
                await informer.synced.wait()
            self.synced.set()

    def namespace_exists(self, name: str) -> bool:
        return self._namespaces.store.get(Key("", name)) is not None

    def service(self, key: Key) -> Obj | None:
        return self._services.store.get(key)

    def slices(self, key: Key) -> Iterable[Obj]:
        return self._slices.store.indexed("service", str(key))

    def service_at(self, address: str) -> Obj | None:
        return next(iter(self._services.store.indexed("address", address)), None)

    def slices_at(self, address: str) -> Iterable[Obj]:
        return self._slices.store.indexed("address", address)
