"""What the workload of a proxy is: its pod or WorkloadEntry, and the services that select it."""

from __future__ import annotations

import msgspec

from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model.inputs import CLUSTER_ID, ENDPOINT_SLICES, PODS, WORKLOAD_ENTRIES
from lateen.model.protocol import Protocol
from lateen.model.proxy import InboundView, Labels, Proxy
from lateen.model.service import Service, ServiceKey, ServicePort
from lateen.model.services import service, service_keys_in

Numbers = tuple[tuple[str, int], ...]
"""Port numbers by name, sorted."""


class WorkloadFacts(msgspec.Struct, frozen=True):
    """What the platform knows of a workload, which counts over what its proxy says of itself."""

    labels: Labels
    service_account: str
    node: str = ""
    named_ports: Numbers = ()
    """Of a pod: its containers' ports that have names."""
    port_overrides: Numbers = ()
    """Of a WorkloadEntry: its own ports by the names of service ports."""
    key: Key | None = None
    """Of its pod or WorkloadEntry."""


class WorkloadPort(msgspec.Struct, frozen=True):
    """A port of the workload that a service sends to."""

    service: ServiceKey
    port: ServicePort
    number: int
    """Of the workload."""


def workload_of(db: Reader, proxy: Proxy) -> WorkloadFacts | None:
    """The pod, or else the WorkloadEntry, that has the proxy's name; None when there is neither."""
    own = proxy.cluster_id in ("", CLUSTER_ID.get(db))
    cluster = "" if own else proxy.cluster_id
    key = Key(proxy.namespace, proxy.name, cluster)
    return pod_facts(db, key) or entry_facts(db, Key(proxy.namespace, proxy.name))


@query
def pod_facts(db: Reader, key: Key) -> WorkloadFacts | None:
    """What there is to know of a pod."""
    pod = PODS.get(db, key)
    if pod is None:
        return None
    named = {
        port.name: port.container_port
        for container in (*pod.spec.init_containers, *pod.spec.containers)
        for port in container.ports
        if port.name and port.protocol == "TCP"
    }
    return WorkloadFacts(
        labels=tuple(sorted(pod.metadata.labels.items())),
        service_account=pod.service_account,
        node=pod.spec.node_name,
        named_ports=tuple(sorted(named.items())),
        key=key,
    )


@query
def entry_facts(db: Reader, key: Key) -> WorkloadFacts | None:
    """What there is to know of a WorkloadEntry."""
    entry = WORKLOAD_ENTRIES.get(db, key)
    if entry is None:
        return None
    return WorkloadFacts(
        labels=tuple(sorted({**entry.metadata.labels, **entry.spec.labels}.items())),
        service_account=entry.spec.service_account,
        port_overrides=tuple(sorted(entry.spec.ports.items())),
        key=key,
    )


def workload_ports(db: Reader, view: InboundView) -> tuple[WorkloadPort, ...]:
    """The ports on which services send to a workload, sorted by number; where several services send to one port, the
    Kubernetes Services come first, then the oldest. UDP is left out."""
    return ports_of_workload(db, view.namespace, view.labels, view.addresses, view.named_ports, view.port_overrides)


@query
def ports_of_workload(
    db: Reader, namespace: str, labels: Labels, addresses: tuple[str, ...], named: Numbers, overrides: Numbers
) -> tuple[WorkloadPort, ...]:
    """See `workload_ports`."""
    services = (service(db, key) for key in selecting(db, namespace, labels, addresses))
    by_name, replaced = dict(named), dict(overrides)
    found: list[tuple[tuple[int, bool, str, ServiceKey, int], WorkloadPort]] = []
    for each in services:
        if each is None:
            continue
        for port in each.ports:
            number = port.number_at(replaced) or by_name.get(port.target_port_name, 0)
            if number and port.protocol is not Protocol.UDP:
                order = (number, not each.is_kubernetes, each.created, each.key, port.port)
                found.append((order, WorkloadPort(each.key, port, number)))
    return tuple(workload_port for _, workload_port in sorted(found, key=lambda pair: pair[0]))


def selecting(db: Reader, namespace: str, labels: Labels, addresses: tuple[str, ...]) -> tuple[ServiceKey, ...]:
    """The services that a workload of a namespace belongs to, sorted: by their selectors, or, where EndpointSlices are
    written by hand, by one of its addresses."""
    carried = set(labels)
    found = {key for key, selector in selectors_in(db, namespace) if carried.issuperset(selector)}
    if addresses:
        held = set(addresses)
        found |= {key for key, listed in written_endpoints(db, namespace) if held.intersection(listed)}
    return tuple(sorted(found))


@query
def selectors_in(db: Reader, namespace: str) -> tuple[tuple[ServiceKey, Labels], ...]:
    """What the services of a namespace select workloads by, sorted by key."""
    found = (service(db, key) for key in service_keys_in(db, namespace))
    return tuple((each.key, each.selector) for each in found if each is not None and each.selects)


@query
def selector_labels(db: Reader, namespace: str) -> frozenset[str]:
    """The labels by which the services of a namespace select workloads."""
    return frozenset(name for _, selector in selectors_in(db, namespace) for name, _ in selector)


@query
def target_port_names(db: Reader, namespace: str) -> frozenset[str]:
    """The names by which the services of a namespace refer to ports of workloads."""
    found = (service(db, key) for key, _ in selectors_in(db, namespace))
    return frozenset(
        port.target_port_name for each in found if each is not None for port in each.ports if port.target_port_name
    )


@query
def written_endpoints(db: Reader, namespace: str) -> tuple[tuple[ServiceKey, tuple[str, ...]], ...]:
    """The addresses behind the Services of a namespace that have no selector, sorted by key."""
    found = (service(db, key) for key in service_keys_in(db, namespace))
    return tuple(
        (each.key, _written(db, each)) for each in found if each is not None and each.is_kubernetes and not each.selects
    )


def _written(db: Reader, each: Service) -> tuple[str, ...]:
    slices = (ENDPOINT_SLICES.get(db, key) for key in ENDPOINT_SLICES.where(db, "service", (each.namespace, each.name)))
    return tuple(
        sorted({address for one in slices if one is not None for end in one.endpoints for address in end.addresses})
    )
