"""Endpoints of ServiceEntries: those they list, and the WorkloadEntries and pods that they select."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.kubernetes.pod import Pod
from lateen.api.networking.service_entry import Resolution as DeclaredResolution
from lateen.api.networking.service_entry import ServicePort as DeclaredPort
from lateen.api.networking.workload_entry import HEALTH_CHECK_ANNOTATION, HEALTHY, WorkloadEntry
from lateen.api.objects import Key, Object
from lateen.engine import Reader
from lateen.model import hosts
from lateen.model.endpoint import Endpoint, Health
from lateen.model.inputs import PODS, WORKLOAD_ENTRIES
from lateen.model.proxy import Labels
from lateen.model.service import Service
from lateen.model.service_entries import Entry, endpoint_port, entries_of
from lateen.model.workload_endpoints import WorkloadEndpoints

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
"""In annotations."""
_BY_NAME = frozenset({DeclaredResolution.DNS, DeclaredResolution.DNS_ROUND_ROBIN})


def entry_endpoints(db: Reader, service: Service) -> dict[int, list[Endpoint]]:
    """The endpoints of a service that ServiceEntries declare, by its ports.

    Where names are resolved and none are listed, the host itself is the endpoint. DYNAMIC_DNS has none: each request
    names its own.
    """
    found: dict[int, list[Endpoint]] = {}
    maker = WorkloadEndpoints(db, "")
    for entry in entries_of(db, service.key):
        if entry.spec.resolution is DeclaredResolution.DYNAMIC_DNS:
            continue
        for port in entry.spec.ports:
            _add(db, maker, service, entry, port, found.setdefault(port.number, []))
    return found


def selected_entries(db: Reader, service: Service) -> dict[int, list[Endpoint]]:
    """The WorkloadEntries that a Kubernetes Service selects, by its ports."""
    chosen = tuple(_selected_entries(db, service.namespace, service.selector))
    if not chosen:
        return {}
    maker = WorkloadEndpoints(db, "")
    return {
        port.port: [
            maker.of_entry(
                entry.spec,
                labels,
                number,
                port.name,
                entry.key.namespace,
                entry.key.name,
                _entry_health(entry),
            )
            for entry, labels in chosen
            if (number := port.number_at(entry.spec.ports))
        ]
        for port in service.ports
    }


def _add(
    db: Reader, maker: WorkloadEndpoints, service: Service, entry: Entry, port: DeclaredPort, found: list[Endpoint]
) -> None:
    spec, namespace = entry.spec, entry.metadata.namespace
    default = endpoint_port(port)
    for listed in spec.endpoints:
        number = listed.ports.get(port.name) or default
        found.append(maker.of_entry(listed, listed.labels, number, port.name, namespace, ""))
    if spec.workload_selector is not None:
        selector = tuple(sorted(spec.workload_selector.labels.items()))
        for chosen, labels in _selected_entries(db, namespace, selector):
            number = chosen.spec.ports.get(port.name) or default
            health = _entry_health(chosen)
            found.append(maker.of_entry(chosen.spec, labels, number, port.name, namespace, chosen.key.name, health))
        ports = ((default, port.name, found.append),)
        makers = {"": maker}
        for key, pod in _selected_pods(db, namespace, selector):
            of_cluster = makers.get(key.cluster)
            if of_cluster is None:
                of_cluster = makers[key.cluster] = WorkloadEndpoints(db, key.cluster)
            of_cluster.add_pod(pod, pod.addresses[0], ports, _health(pod))
    elif not spec.endpoints and spec.resolution in _BY_NAME and not hosts.is_wildcard(service.hostname):
        found.append(Endpoint(address=service.hostname, port=default, port_name=port.name, namespace=namespace))


def _selected_entries(
    db: Reader, namespace: str, selector: Labels
) -> Iterator[tuple[Object[WorkloadEntry], dict[str, str]]]:
    """The WorkloadEntries of a namespace with these labels, and all their labels."""
    for key in WORKLOAD_ENTRIES.where(db, "namespace", namespace):
        found = WORKLOAD_ENTRIES.get(db, key)
        if found is not None:
            labels = {**found.metadata.labels, **found.spec.labels}
            if all(labels.get(name) == value for name, value in selector):
                yield found, labels


def _selected_pods(db: Reader, namespace: str, selector: Labels) -> Iterator[tuple[Key, Pod]]:
    """The pods of a namespace with these labels that have addresses."""
    for key in PODS.where(db, "namespace", namespace):
        pod = PODS.get(db, key)
        if pod is not None and pod.addresses:
            labels = pod.metadata.labels
            if all(labels.get(name) == value for name, value in selector):
                yield key, pod


def _entry_health(entry: Object[WorkloadEntry]) -> Health:
    """Healthy until checks are enabled; from then on by what the last one said, and not healthy before the first."""
    if entry.metadata.annotations.get(HEALTH_CHECK_ANNOTATION) not in _TRUE:
        return Health.HEALTHY
    return Health.HEALTHY if (HEALTHY, "True") in entry.conditions else Health.UNHEALTHY


def _health(pod: Pod) -> Health:
    if pod.metadata.deletion_timestamp:
        return Health.DRAINING
    unready = any(each.type == "Ready" and each.status != "True" for each in pod.status.conditions)
    return Health.UNHEALTHY if unready or pod.status.phase == "Pending" else Health.HEALTHY
