"""EndpointSlices of the Services that have a selector."""

from __future__ import annotations

from lateen.cluster.client.informer import Handler
from lateen.cluster.controllers.controller import Environment
from lateen.cluster.controllers.endpoints.members import (
    HEADLESS,
    TRIGGER_TIME,
    ZONE,
    Member,
    families_of,
    has_selector,
    is_headless,
    member,
    trigger_time,
)
from lateen.cluster.controllers.endpoints.service_followers import ServiceController
from lateen.cluster.controllers.endpoints.slice_writing import (
    BY_SERVICE,
    MANAGED_BY,
    SERVICE_NAME,
    SLICE_MANAGER,
    write,
)
from lateen.cluster.controllers.endpoints.slicing import reconcile
from lateen.cluster.controllers.pods import controller_reference, is_deleting, node_of
from lateen.cluster.controllers.resources import NODES, SLICES
from lateen.cluster.objects import Key, Obj, labels_of, name_of, namespace_of


class EndpointSliceController(ServiceController):
    """Keeps each Service's slices."""

    name = "endpoint-slice-controller"

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.nodes = self.follow(NODES, Handler(self._node_changed, self._node_updated))
        self.slices = self.follow(SLICES, self._slice_changed, {"service": BY_SERVICE})

    def _slice_changed(self, slice_: Obj) -> None:
        if labels_of(slice_).get(MANAGED_BY) == SLICE_MANAGER:
            self.queue.add(Key(namespace_of(slice_), labels_of(slice_).get(SERVICE_NAME, "")))

    def _node_changed(self, node: Obj) -> None:
        for pod in self.pods.indexed("node", name_of(node)):
            self._pod_changed(pod)

    def _node_updated(self, old: Obj, new: Obj) -> None:
        if labels_of(old).get(ZONE) != labels_of(new).get(ZONE):
            self._node_changed(new)

    def _own_slices(self, key: Key) -> list[Obj]:
        return [
            s
            for s in self.slices.indexed("service", key.name)
            if namespace_of(s) == key.namespace and labels_of(s).get(MANAGED_BY) == SLICE_MANAGER
        ]

    async def sync(self, key: Key) -> float | None:
        service = self.services.get(key)
        if service is None or is_deleting(service) or not has_selector(service):
            return None
        members = self.members(service)
        families = families_of(service)
        found: list[Member] = []
        for pod in members:
            node = self.nodes.get(Key("", node_of(pod)))
            found.extend(m for family in families if (m := member(service, pod, node, family)) is not None)
        changes = reconcile(
            slice_metadata(service, trigger_time(service, members)), self._own_slices(key), found, families
        )
        await write(self.env, changes)
        return None


def slice_metadata(service: Obj, trigger: str) -> Obj:
    """What every slice of the Service carries."""
    labels = {k: v for k, v in labels_of(service).items() if k not in (HEADLESS, SERVICE_NAME, MANAGED_BY)}
    labels |= {SERVICE_NAME: name_of(service), MANAGED_BY: SLICE_MANAGER}
    if is_headless(service):
        labels[HEADLESS] = ""
    meta: Obj = {
        "generateName": f"{name_of(service)}-",
        "namespace": namespace_of(service),
        "labels": labels,
        "ownerReferences": [controller_reference(service)],
    }
    if trigger:
        meta["annotations"] = {TRIGGER_TIME: trigger}
    return meta
