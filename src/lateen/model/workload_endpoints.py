"""Endpoints from workloads: what a pod or a WorkloadEntry is as the backend of a service."""

from __future__ import annotations

from collections.abc import Mapping

from lateen.api.kubernetes.pod import Pod
from lateen.api.networking.workload_entry import WorkloadEntry
from lateen.api.objects import Key
from lateen.api.security.peer_authentication import MutualTLSMode
from lateen.engine import Reader
from lateen.model.endpoint import Endpoint, Health, Locality
from lateen.model.identity import spiffe_id
from lateen.model.inputs import CLUSTER_ID
from lateen.model.localities import labelled_locality, node_locality, parse_locality
from lateen.model.mesh import trust_domain
from lateen.model.networks import cluster_networks
from lateen.model.peer_authentication import PeerPolicies, peer_policies
from lateen.model.proxy import Labels
from lateen.model.workload_names import workload_name

TLS_MODE_LABEL = "security.istio.io/tlsMode"
MESH_TLS = "istio"
UNIX = "unix://"


class WorkloadEndpoints:
    """Makes endpoints of workloads of one cluster, for the time of one query: what many of them have in common is
    looked up once."""

    __slots__ = ("_cluster", "_cluster_id", "_db", "_networks", "_nodes", "_policies", "_trust_domain")

    def __init__(self, db: Reader, cluster: str) -> None:
        self._db = db
        self._cluster = cluster
        self._cluster_id = cluster or CLUSTER_ID.get(db)
        self._networks = cluster_networks(db, cluster)
        self._trust_domain = trust_domain(db)
        self._nodes: dict[str, Locality] = {}
        self._policies: dict[str, PeerPolicies] = {}

    def of_pod(
        self, pod: Pod, address: str, port: int, port_name: str, health: Health, hostname: str = "", node: str = ""
    ) -> Endpoint:
        """A pod at one of its addresses and ports."""
        metadata = pod.metadata
        labels = tuple(sorted(metadata.labels.items()))
        node = node or pod.spec.node_name
        return Endpoint(
            address=address,
            port=port,
            port_name=port_name,
            labels=labels,
            locality=labelled_locality(metadata.labels) or self._node_locality(node),
            network=self._networks.of(address, metadata.labels),
            cluster_id=self._cluster_id,
            health=health,
            mutual_tls=metadata.labels.get(TLS_MODE_LABEL) == MESH_TLS
            and self._takes_tls(metadata.namespace, labels, port),
            identity=spiffe_id(self._trust_domain, metadata.namespace, pod.service_account),
            workload=workload_name(pod),
            namespace=metadata.namespace,
            hostname=hostname or _pod_hostname(pod),
            node=node,
        )

    def of_entry(
        self, entry: WorkloadEntry, labels: Mapping[str, str], port: int, port_name: str, namespace: str, name: str
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
            locality=self._node_locality(node),
            network=self._networks.of(address, {}),
            cluster_id=self._cluster_id,
            health=health,
            namespace=namespace,
            hostname=hostname,
            node=node,
        )

    def _node_locality(self, node: str) -> Locality:
        if not node:
            return Locality()
        found = self._nodes.get(node)
        if found is None:
            found = self._nodes[node] = node_locality(self._db, Key("", node, self._cluster))
        return found

    def _takes_tls(self, namespace: str, labels: Labels, port: int) -> bool:
        policies = self._policies.get(namespace)
        if policies is None:
            policies = self._policies[namespace] = peer_policies(self._db, namespace)
        return policies.of_port(labels, port) is not MutualTLSMode.DISABLE


def _pod_hostname(pod: Pod) -> str:
    return pod.spec.hostname if pod.spec.subdomain else ""
