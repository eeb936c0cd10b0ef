"""How the Services before a gateway map ports: a Gateway names the port that clients see, a proxy binds the other."""

from __future__ import annotations

from typing import NamedTuple

from lateen.api.kubernetes.service import ServicePort
from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model.inputs import CLUSTER_ID, PODS, SERVICES
from lateen.model.proxy import Labels


class PortMapping(NamedTuple):
    """Pairs of the port of a Service and the port of the gateway's pods, sorted."""

    pairs: tuple[tuple[int, int], ...] = ()

    def listen_ports(self, number: int) -> tuple[int, ...]:
        """Where a proxy listens for what clients send to `number`: there itself when no Service has that port."""
        return tuple(target for port, target in self.pairs if port == number) or (number,)


@query
def port_mapping(db: Reader, namespace: str, labels: Labels, cluster_id: str) -> PortMapping:
    """The ports of the Services that select a gateway proxy with these labels, in its own cluster."""
    have = dict(labels)
    pairs: set[tuple[int, int]] = set()
    for key in SERVICES.where(db, "namespace", namespace):
        if not _in_cluster(db, key, cluster_id):
            continue
        service = SERVICES.get(db, key)
        if service is None or not service.spec.selector or not service.spec.selector.items() <= have.items():
            continue
        for port in service.spec.ports:
            pairs.update((port.port, target) for target in _targets(db, key, port, service.spec.selector))
    return PortMapping(tuple(sorted(pairs)))


def _in_cluster(db: Reader, key: Key, cluster_id: str) -> bool:
    return not cluster_id or (key.cluster or CLUSTER_ID.get(db)) == cluster_id


def _targets(db: Reader, service: Key, port: ServicePort, selector: dict[str, str]) -> set[int]:
    """The numbers that a target port stands for; a named one may differ from pod to pod."""
    if isinstance(port.target_port, int) or port.target_port is None:
        return {port.target_port or port.port}
    found = set()
    for key in PODS.where(db, "namespace", service.namespace):
        pod = PODS.get(db, key)
        if key.cluster == service.cluster and pod is not None and selector.items() <= pod.metadata.labels.items():
            found.add(pod.spec.port_named(port.target_port, port.protocol))
    return {number for number in found if number}
