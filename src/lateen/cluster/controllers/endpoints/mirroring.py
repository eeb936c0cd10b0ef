"""Slices of Endpoints that somebody else writes: those of Services without a selector.

Source: k8s.io/kubernetes `pkg/controller/endpointslicemirroring`.
"""

from __future__ import annotations

from lateen.cluster.controllers.controller import Controller, Environment
from lateen.cluster.controllers.endpoints.members import Member, Port, family_of, has_selector
from lateen.cluster.controllers.endpoints.slice_writing import (
    BY_SERVICE,
    MANAGED_BY,
    MIRROR_MANAGER,
    SERVICE_NAME,
    write,
)
from lateen.cluster.controllers.endpoints.slicing import reconcile
from lateen.cluster.controllers.pods import controller_reference
from lateen.cluster.controllers.resources import ENDPOINTS, SERVICES, SLICES
from lateen.cluster.objects import Key, Obj, annotations_of, labels_of, name_of, namespace_of

SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"


def members_of(endpoints: Obj) -> list[Member]:
    """The addresses as endpoints of slices."""
    found = []
    for subset in endpoints.get("subsets") or ():
        ports = tuple(
            Port(p.get("name") or "", p.get("protocol") or "TCP", int(p["port"]), p.get("appProtocol") or "")
            for p in subset.get("ports") or ()
        )
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            for address in subset.get(field) or ():
                endpoint: Obj = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
                for name in ("hostname", "nodeName", "targetRef"):
                    if address.get(name):
                        endpoint[name] = address[name]
                found.append(Member(family_of(address["ip"]), ports, endpoint))
    return found


class MirroringController(Controller):
    """Keeps the slices that mirror custom Endpoints."""

    name = "endpoint-slice-mirroring-controller"

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.endpoints = self.follow(ENDPOINTS, self.enqueue)
        self.services = self.follow(SERVICES, self.enqueue)
        self.slices = self.follow(SLICES, self._slice_changed, {"service": BY_SERVICE})

    def _slice_changed(self, slice_: Obj) -> None:
        if labels_of(slice_).get(MANAGED_BY) == MIRROR_MANAGER:
            self.queue.add(Key(namespace_of(slice_), labels_of(slice_).get(SERVICE_NAME, "")))

    async def sync(self, key: Key) -> float | None:
        service, endpoints = self.services.get(key), self.endpoints.get(key)
        present = [
            s
            for s in self.slices.indexed("service", key.name)
            if namespace_of(s) == key.namespace and labels_of(s).get(MANAGED_BY) == MIRROR_MANAGER
        ]
        mirrored = (
            endpoints is not None
            and service is not None
            and not has_selector(service)
            and labels_of(endpoints).get(SKIP) != "true"
            and LEADER not in annotations_of(endpoints)
        )
        if endpoints is None or not mirrored:
            for slice_ in present:
                await self.env.delete(SLICES, slice_)
            return None
        labels = {k: v for k, v in labels_of(endpoints).items() if k != SKIP}
        labels |= {SERVICE_NAME: name_of(endpoints), MANAGED_BY: MIRROR_MANAGER}
        meta = {
            "generateName": f"{name_of(endpoints)}-",
            "namespace": namespace_of(endpoints),
            "labels": labels,
            "ownerReferences": [controller_reference(endpoints)],
        }
        changes = reconcile(meta, present, members_of(endpoints), (), placeholder=False)
        await write(self.env, changes)
        return None
