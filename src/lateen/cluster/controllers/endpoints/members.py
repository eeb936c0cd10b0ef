"""A Service's members: its pods as endpoints, each with the ports it serves.

Source: k8s.io/kubernetes `pkg/controller/endpointslice`, k8s.io/endpointslice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lateen.cluster.controllers import pods
from lateen.cluster.objects import Obj, labels_of, metadata, name_of, namespace_of, parse_timestamp, timestamp, uid_of
from lateen.cluster.selectors import from_map

TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
HEADLESS = "service.kubernetes.io/headless"
ZONE = "topology.kubernetes.io/zone"


class Port(NamedTuple):
    """One served port."""

    name: str
    protocol: str
    number: int
    app_protocol: str


class Member(NamedTuple):
    """One endpoint of one family."""

    family: str
    """`IPv4` or `IPv6`."""
    ports: tuple[Port, ...]
    endpoint: Obj
    """As in an EndpointSlice."""


def has_selector(service: Obj) -> bool:
    spec = service.get("spec") or {}
    return bool(spec.get("selector")) and spec.get("type") != "ExternalName"


def selects(service: Obj, pod: Obj) -> bool:
    return (
        has_selector(service)
        and namespace_of(service) == namespace_of(pod)
        and from_map(service["spec"]["selector"]).matches(labels_of(pod))
    )


def is_headless(service: Obj) -> bool:
    return bool((service.get("spec") or {}).get("clusterIP") == "None")


def families_of(service: Obj) -> list[str]:
    return list((service.get("spec") or {}).get("ipFamilies") or ["IPv4"])


def family_of(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def address_of(pod: Obj, family: str) -> str:
    """The pod's address of that family, empty when it has none."""
    status = pod.get("status") or {}
    listed = [str(a.get("ip") or "") for a in status.get("podIPs") or ()] or [str(status.get("podIP") or "")]
    return next((a for a in listed if a and family_of(a) == family), "")


def _container_port(pod: Obj, wanted: object, protocol: str) -> int | None:
    if isinstance(wanted, int):
        return wanted
    spec = pod.get("spec") or {}
    sidecars = (c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always")
    for container in (*(spec.get("containers") or ()), *sidecars):
        for port in container.get("ports") or ():
            if port.get("name") == wanted and (port.get("protocol") or "TCP") == protocol:
                return int(port["containerPort"])
    return None


def ports_of(service: Obj, pod: Obj) -> tuple[Port, ...]:
    """The Service's ports as this pod serves them; a named port that it does not have is left out."""
    found = []
    for port in (service.get("spec") or {}).get("ports") or ():
        protocol = port.get("protocol") or "TCP"
        target = port.get("targetPort") or port.get("port")
        number = _container_port(pod, target, protocol)
        if number is not None:
            found.append(Port(port.get("name") or "", protocol, number, port.get("appProtocol") or ""))
    return tuple(found)


def member(service: Obj, pod: Obj, node: Obj | None, family: str) -> Member | None:
    """The pod as an endpoint of the Service; None while it has no address of the family, or is over."""
    address = address_of(pod, family)
    if not address or pods.is_terminal(pod):
        return None
    serving, terminating = pods.is_ready(pod), pods.is_deleting(pod)
    unconditional = bool(service["spec"].get("publishNotReadyAddresses"))
    endpoint: Obj = {
        "addresses": [address],
        "conditions": {
            "ready": unconditional or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": {"kind": "Pod", "namespace": namespace_of(pod), "name": name_of(pod), "uid": uid_of(pod)},
    }
    if pods.node_of(pod):
        endpoint["nodeName"] = pods.node_of(pod)
    if node is not None and labels_of(node).get(ZONE):
        endpoint["zone"] = labels_of(node)[ZONE]
    if hostname := hostname_in(service, pod):
        endpoint["hostname"] = hostname
    return Member(family, ports_of(service, pod), endpoint)


def hostname_in(service: Obj, pod: Obj) -> str:
    """The name that DNS gives the pod below the Service: that of a StatefulSet's member."""
    spec = pod.get("spec") or {}
    return str(spec.get("hostname") or "") if spec.get("subdomain") == name_of(service) else ""


def trigger_time(service: Obj, members: Iterable[Obj]) -> str:
    """When the youngest change happened that the endpoints show: a pod's readiness, or the Service's creation."""
    times = [pods.created_at(service)]
    for pod in members:
        for condition in (pod.get("status") or {}).get("conditions") or ():
            if condition.get("type") == "Ready" and condition.get("lastTransitionTime"):
                times.append(parse_timestamp(condition["lastTransitionTime"]))
    return timestamp(max(times)) if metadata(service).get("creationTimestamp") else ""
