"""Endpoints, the older view of a Service's addresses: one object, one family, no terminating members."""

from __future__ import annotations

from collections.abc import Sequence

from lateen.cluster.controllers import pods
from lateen.cluster.controllers.controller import Environment, namespace_terminating
from lateen.cluster.controllers.endpoints.members import (
    HEADLESS,
    TRIGGER_TIME,
    Port,
    address_of,
    families_of,
    has_selector,
    hostname_in,
    is_headless,
    ports_of,
    trigger_time,
)
from lateen.cluster.controllers.endpoints.service_followers import ServiceController
from lateen.cluster.controllers.resources import ENDPOINTS
from lateen.cluster.objects import Key, Obj, annotations_of, labels_of, name_of, namespace_of, uid_of
from lateen.cluster.status import StatusError

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"
MAX_ADDRESSES = 1000
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"


def subsets(service: Obj, members: Sequence[Obj]) -> list[Obj]:
    """The addresses, ready and not, in groups that serve the same ports."""
    family = families_of(service)[0]
    unconditional = bool(service["spec"].get("publishNotReadyAddresses"))
    groups: dict[tuple[Port, ...], tuple[list[Obj], list[Obj]]] = {}
    ordered = sorted(members, key=lambda pod: (not pods.is_ready(pod), name_of(pod)))
    for pod in ordered[:MAX_ADDRESSES]:
        address, ports = address_of(pod, family), ports_of(service, pod)
        if not address or pods.is_terminal(pod) or (pods.is_deleting(pod) and not unconditional):
            continue
        if not ports and service["spec"].get("ports"):
            continue
        entry: Obj = {"ip": address}
        if hostname := hostname_in(service, pod):
            entry["hostname"] = hostname
        if pods.node_of(pod):
            entry["nodeName"] = pods.node_of(pod)
        entry["targetRef"] = {
            "kind": "Pod",
            "namespace": namespace_of(pod),
            "name": name_of(pod),
            "uid": uid_of(pod),
        }
        ready, waiting = groups.setdefault(tuple(sorted(ports)), ([], []))
        (ready if unconditional or pods.is_ready(pod) else waiting).append(entry)
    return [_subset(ports, *groups[ports]) for ports in sorted(groups)]


def _subset(ports: tuple[Port, ...], ready: list[Obj], waiting: list[Obj]) -> Obj:
    found: Obj = {}
    if ready:
        found["addresses"] = sorted(ready, key=lambda a: str(a["ip"]))
    if waiting:
        found["notReadyAddresses"] = sorted(waiting, key=lambda a: str(a["ip"]))
    listed = []
    for port in ports:
        entry: Obj = {"name": port.name} if port.name else {}
        entry |= {"port": port.number, "protocol": port.protocol}
        if port.app_protocol:
            entry["appProtocol"] = port.app_protocol
        listed.append(entry)
    if listed:
        found["ports"] = listed
    return found


class EndpointsController(ServiceController):
    """Keeps each Service's Endpoints."""

    name = "endpoints-controller"

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.endpoints = self.follow(ENDPOINTS, self.enqueue)

    async def sync(self, key: Key) -> float | None:
        service, present = self.services.get(key), self.endpoints.get(key)
        if service is None:
            # One that somebody made before its Service stays; ours goes with the Service.
            if present is not None and labels_of(present).get(MANAGED_BY) == MANAGER:
                await self.env.delete(ENDPOINTS, present)
            return None
        if pods.is_deleting(service) or not has_selector(service):
            return None
        members = self.members(service)
        labels = {**labels_of(service), MANAGED_BY: MANAGER}
        if is_headless(service):
            labels[HEADLESS] = ""
        wanted = subsets(service, members)
        if present is not None and (present.get("subsets") or []) == wanted and labels_of(present) == labels:
            return None
        annotations = dict(annotations_of(present)) if present is not None else {}
        annotations[TRIGGER_TIME] = trigger_time(service, members)
        if len(members) > MAX_ADDRESSES:
            annotations[OVER_CAPACITY] = "truncated"
        else:
            annotations.pop(OVER_CAPACITY, None)
        try:
            if present is None:
                meta = {"name": key.name, "namespace": key.namespace, "labels": labels, "annotations": annotations}
                obj = {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": wanted}
                await self.env.create(ENDPOINTS, obj)
            else:
                meta = {**present["metadata"], "labels": labels, "annotations": annotations}
                await self.env.update(ENDPOINTS, {**present, "metadata": meta, "subsets": wanted})
        except StatusError as error:
            if not namespace_terminating(error):
                raise
        return None
