"""Endpoints from workloads: what a pod or a WorkloadEntry is as the backend of a service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from lateen.api.kubernetes.pod import Pod
from lateen.api.networking.workload_entry import WorkloadEntry
from lateen.api.objects import Key
from lateen.api.security.peer_authentication import MutualTLSMode
from lateen.engine import Reader, query
from lateen.model.endpoint import Endpoint, Health, Locality
from lateen.model.identity import spiffe_id
from lateen.model.inputs import CLUSTER_ID
from lateen.model.localities import labelled_locality, node_locality, parse_locality
from lateen.model.mesh import trust_domain
from lateen.model.networks import ClusterNetworks, cluster_networks
from lateen.model.own_proxies import TEMPLATES_ANNOTATION, WITH_AGENT, templates
from lateen.model.peer_authentication import PeerPolicies, peer_policies
from lateen.model.proxy import Labels
from lateen.model.workload_names import workload_name

TLS_MODE_LABEL = "security.istio.io/tlsMode"
MESH_TLS = "istio"
UNIX = "unix://"


class Surroundings(msgspec.Struct, frozen=True):
    """What all workloads of a cluster have in common."""

    cluster_id: str
    networks: ClusterNetworks
    trust_domain: str


@query
def surroundings(db: Reader, cluster: str) -> Surroundings:
    """Of a cluster, by its name; empty for the control plane's own."""
    return Surroundings(cluster or CLUSTER_ID.get(db), cluster_networks(db, cluster), trust_domain(db))


class Replicas(NamedTuple):
    """What follows from the namespace, account and labels of a pod: the same for all replicas of a workload."""

    labels: Labels
    """Sorted; one tuple shared by all."""
    locality: Locality | None
    """As far as labels say it."""
    network: str | None
    """None where it depends on the address."""
    identity: str
    takes_tls: dict[int, bool]
    """By the workload's own ports that were asked about."""


PortEndpoints = tuple[int, str, Callable[[Endpoint], None]]
"""A port: its number of the workload, its name, and what takes the endpoints that answer for it."""


class WorkloadEndpoints:
    """Makes endpoints of workloads of one cluster, for the time of one query: what many of them have in common is
    looked up once."""

    __slots__ = ("_cluster", "_cluster_id", "_db", "_networks", "_nodes", "_policies", "_replicas", "_trust_domain")

    def __init__(self, db: Reader, cluster: str) -> None:
        around = surroundings(db, cluster)
        self._db = db
        self._cluster = cluster
        self._cluster_id = around.cluster_id
        self._networks = around.networks
        self._trust_domain = around.trust_domain
        self._nodes: dict[str, Locality] = {"": Locality()}
        self._policies: dict[str, PeerPolicies] = {}
        self._replicas: dict[tuple[object, ...], Replicas] = {}

    def add_pod(
        self,
        pod: Pod,
        address: str,
        ports: Iterable[PortEndpoints],
        health: Health,
        hostname: str = "",
        node: str = "",
    ) -> None:
        """Makes the endpoints of a pod at one of its addresses, one for each of these ports."""
        metadata, spec = pod.metadata, pod.spec
        namespace = metadata.namespace
        slot = (namespace, spec.service_account_name, *metadata.labels, *metadata.labels.values())
        replicas = self._replicas.get(slot)
        if replicas is None:
            replicas = self._replicas[slot] = self._replicas_of(pod)
        labels, locality, network, identity, takes_tls = replicas
        node = node or spec.node_name
        if locality is None:
            locality = self._nodes.get(node)
            if locality is None:
                locality = self._nodes[node] = node_locality(self._db, Key("", node, self._cluster))
        if network is None:
            network = self._networks.of(address, metadata.labels)
        workload = workload_name(pod) if metadata.owner_references else metadata.name
        hostname = hostname or (spec.hostname if spec.subdomain else "")
        is_own_proxy = TEMPLATES_ANNOTATION in metadata.annotations and WITH_AGENT in templates(metadata.annotations)
        for number, name, add in ports:
            tls = takes_tls.get(number)
            if tls is None:
                declared = metadata.labels.get(TLS_MODE_LABEL) == MESH_TLS
                tls = takes_tls[number] = declared and self._takes_tls(namespace, labels, number)
            add(
                Endpoint(
                    address=address,
                    port=number,
                    port_name=name,
                    labels=labels,
                    locality=locality,
                    network=network,
                    cluster_id=self._cluster_id,
                    health=health,
                    mutual_tls=tls,
                    is_own_proxy=is_own_proxy,
                    identity=identity,
                    workload=workload,
                    namespace=namespace,
                    hostname=hostname,
                    node=node,
                )
            )

    def _replicas_of(self, pod: Pod) -> Replicas:
        labels = pod.metadata.labels
        return Replicas(
            tuple(sorted(labels.items())),
            labelled_locality(labels),
            None if self._networks.ranges else self._networks.of("", labels),
            spiffe_id(self._trust_domain, pod.metadata.namespace, pod.service_account),
            {},
        )

    def of_entry(
        self,
        entry: WorkloadEntry,
        labels: Mapping[str, str],
        port: int,
        port_name: str,
        namespace: str,
        name: str,
        health: Health = Health.HEALTHY,
    ) -> Endpoint:
        """A WorkloadEntry (or an endpoint of a ServiceEntry, without a name) at one of its ports."""
        address = entry.address
        sorted_labels = tuple(sorted(labels.items()))
        declared = labels.get(TLS_MODE_LABEL, MESH_TLS if entry.service_account else "")
        return Endpoint(
            address=address,
            port=0 if address.startswith(UNIX) else port,
            port_name=port_name,
            labels=sorted_labels,
            locality=parse_locality(entry.locality) if entry.locality else labelled_locality(labels) or Locality(),
            network=entry.network or self._networks.of(address, labels),
            cluster_id=self._cluster_id,
            weight=entry.weight,
            health=health,
            mutual_tls=declared == MESH_TLS and self._takes_tls(namespace, sorted_labels, port),
            identity=spiffe_id(self._trust_domain, namespace, entry.service_account) if entry.service_account else "",
            workload=name,
            namespace=namespace,
        )

    def bare(
        self, address: str, port: int, port_name: str, health: Health, hostname: str, node: str, namespace: str
    ) -> Endpoint:
        """An address of which nothing more is known."""
        return Endpoint(
            address=address,
            port=port,
            port_name=port_name,
            locality=node_locality(self._db, Key("", node, self._cluster)) if node else Locality(),
            network=self._networks.of(address, {}),
            cluster_id=self._cluster_id,
            health=health,
            namespace=namespace,
            hostname=hostname,
            node=node,
        )

    def _takes_tls(self, namespace: str, labels: Labels, port: int) -> bool:
        policies = self._policies.get(namespace)
        if policies is None:
            policies = self._policies[namespace] = peer_policies(self._db, namespace)
        return policies.of_port(labels, port) is not MutualTLSMode.DISABLE
