"""Endpoints of Kubernetes Services: from EndpointSlices with their pods, and from WorkloadEntries that they select."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from lateen.api.kubernetes.endpoint_slice import EndpointConditions, EndpointSlice, SliceEndpoint, SlicePort
from lateen.api.kubernetes.pod import Pod
from lateen.api.objects import Key
from lateen.engine import Reader
from lateen.model.endpoint import Endpoint, Health
from lateen.model.entry_endpoints import selected_entries
from lateen.model.inputs import CLUSTER_ID, ENDPOINT_SLICES, PODS
from lateen.model.protocol import Protocol
from lateen.model.service import Service, ServicePort
from lateen.model.workload_endpoints import WorkloadEndpoints

_STREAMS = "TCP"


class Backend(NamedTuple):
    """What a slice's endpoint is an address of."""

    cluster: str
    name: str


def slice_endpoints(db: Reader, service: Service) -> dict[int, list[Endpoint]]:
    """The endpoints of a Kubernetes Service by its ports."""
    found: dict[int, list[Endpoint]] = {port.port: [] for port in service.ports if port.protocol is not Protocol.UDP}
    slices = _slices(db, service)
    one_family = len({each.address_type for _, each in slices}) <= 1
    first_addresses: dict[Backend, str] = {}
    second_addresses: dict[tuple[str, str], list[str]] = {}
    makers: dict[str, WorkloadEndpoints] = {}
    for key, each in slices:
        maker = makers.get(key.cluster)
        if maker is None:
            maker = makers[key.cluster] = WorkloadEndpoints(db, key.cluster)
        ports = [(number, port.name, found[port.port].append) for port, number in _ports(service, each.ports)]
        ends = each.endpoints
        if not one_family:
            ends = tuple(_of_first_family(key.cluster, ends, first_addresses, second_addresses))
        for end in ends:
            if not end.addresses:
                continue
            address, hostname, node = end.addresses[0], end.hostname or "", end.node_name or ""
            health = Health.HEALTHY if service.publish_not_ready else _health(end.conditions)
            pod = _pod(db, key, end)
            if pod is not None:
                maker.add_pod(pod, address, ports, health, hostname, node)
                continue
            for number, name, add in ports:
                add(maker.bare(address, number, name, health, hostname, node, key.namespace))
    if second_addresses:
        _join_second_family(db, found, second_addresses)
    if service.selects:
        for port, listed in selected_entries(db, service).items():
            if port in found:
                found[port].extend(listed)
    return found


def _of_first_family(
    cluster: str,
    ends: Iterable[SliceEndpoint],
    first: dict[Backend, str],
    second: dict[tuple[str, str], list[str]],
) -> Iterator[SliceEndpoint]:
    """Those of each backend that have its first address or are of the same family; the others' addresses are noted."""
    for end in ends:
        if not end.addresses:
            continue
        address = end.addresses[0]
        known = address
        if end.target_ref is not None:
            known = first.setdefault(Backend(cluster, end.target_ref.name), address)
        if _family(known) == _family(address):
            yield end
        else:
            second.setdefault((cluster, known), []).append(address)


def _slices(db: Reader, service: Service) -> list[tuple[Key, EndpointSlice]]:
    """The slices of a Service, those of its first address family first: a workload with two is one endpoint."""
    keys = ENDPOINT_SLICES.where(db, "service", (service.namespace, service.name))
    found = [(key, each) for key in keys if (each := ENDPOINT_SLICES.get(db, key)) is not None]
    if len(found) > 1:
        first = _family(service.addresses[0]) if service.addresses else "IPv4"
        found.sort(key=lambda pair: pair[1].address_type != first)
    return [pair for pair in found if pair[1].address_type != "FQDN"]


def _family(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def _pod(db: Reader, key: Key, end: SliceEndpoint) -> Pod | None:
    """The pod that a slice says it is, or that has the address where a slice written by hand does not say."""
    target = end.target_ref
    if target is not None:
        if target.kind != "Pod":
            return None
        return PODS.get(db, Key(target.namespace or key.namespace, target.name, key.cluster))
    same_cluster = (each for each in PODS.where(db, "address", end.addresses[0]) if each.cluster == key.cluster)
    found = next(same_cluster, None)
    pod = PODS.get(db, found) if found is not None else None
    return None if pod is None or pod.spec.host_network else pod


def _ports(service: Service, declared: tuple[SlicePort, ...]) -> list[tuple[ServicePort, int]]:
    """The ports of the Service that a slice serves, with the endpoints' own numbers."""
    by_name = {port.name or "": port.port for port in declared if port.protocol == _STREAMS}
    return [
        (port, number)
        for port in service.ports
        if port.protocol is not Protocol.UDP
        and port.name in by_name
        and (number := by_name[port.name] or port.target_port)
    ]


def _health(conditions: EndpointConditions) -> Health:
    """Ready: healthy. Terminating, but still serving what it has: draining."""
    ready = conditions.ready is not False
    if ready:
        return Health.HEALTHY
    return Health.DRAINING if conditions.terminating and conditions.serving is not False else Health.UNHEALTHY


def _join_second_family(
    db: Reader, found: dict[int, list[Endpoint]], addresses: dict[tuple[str, str], list[str]]
) -> None:
    """Gives endpoints their workloads' addresses of the other family."""
    own = CLUSTER_ID.get(db)
    second = {(cluster or own, first): tuple(dict.fromkeys(others)) for (cluster, first), others in addresses.items()}
    for port, listed in found.items():
        found[port] = [
            msgspec.structs.replace(each, additional_addresses=second[each.cluster_id, each.address])
            if (each.cluster_id, each.address) in second
            else each
            for each in listed
        ]
