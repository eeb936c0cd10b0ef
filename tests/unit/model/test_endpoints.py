"""Endpoints: from EndpointSlices with pods and nodes, and from ServiceEntries, WorkloadEntries and pods they select."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.model.endpoint import Endpoint, Health, Locality
from lateen.model.endpoints import endpoints, identities, matching
from lateen.model.service import ServiceKey
from lateen.testing.mesh import Mesh, endpoint_slice

REVIEWS = ServiceKey("reviews.default.svc.cluster.local", "default")

SERVICE = """
kind: Service
metadata: {name: reviews}
spec: {clusterIP: 10.0.0.1, selector: {app: reviews}, ports: [{name: http, port: 80, targetPort: 8080}]}
"""

NODE = """
kind: Node
metadata:
  name: n1
  labels:
    topology.kubernetes.io/region: r
    topology.kubernetes.io/zone: z
    topology.istio.io/subzone: s
"""


def pod(
    name: str = "r1", address: str = "10.1.0.1", labels: dict[str, str] | None = None, **rest: Any
) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {"app": "reviews", "security.istio.io/tlsMode": "istio", **(labels or {})},
            **rest,
        },
        "spec": {"nodeName": "n1", "serviceAccountName": "bookinfo"},
        "status": {"podIP": address, "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def entry(spec: str, name: str = "e", namespace: str = "default") -> str:
    lines = spec.strip().replace("\n", "\n  ")
    return f"kind: ServiceEntry\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  {lines}"


def found(mesh: Mesh, key: ServiceKey = REVIEWS, port: int = 80) -> tuple[Endpoint, ...]:
    return mesh.get(endpoints, key, port)


def where(listed: tuple[Endpoint, ...]) -> list[tuple[str, int]]:
    return [(each.address, each.port) for each in listed]


def test_an_endpoint_is_what_its_pod_and_node_are() -> None:
    owner = {"kind": "ReplicaSet", "name": "reviews-v1-abcdefghij", "controller": True}
    labels = {"pod-template-hash": "abcdefghij"}
    mesh = Mesh(
        SERVICE,
        NODE,
        pod(labels=labels, ownerReferences=[owner]),
        endpoint_slice("reviews", ports={"http": 8080}, pods={"r1": "10.1.0.1"}),
    )
    assert found(mesh) == (
        Endpoint(
            address="10.1.0.1",
            port=8080,
            port_name="http",
            labels=(
                ("app", "reviews"),
                ("pod-template-hash", "abcdefghij"),
                ("security.istio.io/tlsMode", "istio"),
            ),
            locality=Locality("r", "z", "s"),
            cluster_id="Kubernetes",
            mutual_tls=True,
            identity="spiffe://cluster.local/ns/default/sa/bookinfo",
            workload="reviews-v1",
            namespace="default",
            node="n1",
        ),
    )
    assert mesh.get(identities, REVIEWS) == ("spiffe://cluster.local/ns/default/sa/bookinfo",)


def test_a_locality_label_comes_before_the_nodes() -> None:
    mesh = Mesh(
        SERVICE,
        NODE,
        pod(labels={"istio-locality": "r2.z2"}),
        endpoint_slice("reviews", ports={"http": 8080}, pods={"r1": "10.1.0.1"}),
    )
    assert found(mesh)[0].locality == Locality("r2", "z2")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, Health.HEALTHY),
        ({"ready": True}, Health.HEALTHY),
        ({"ready": False}, Health.UNHEALTHY),
        ({"ready": False, "serving": True, "terminating": True}, Health.DRAINING),
        ({"ready": False, "terminating": True}, Health.DRAINING),
        ({"ready": False, "serving": False, "terminating": True}, Health.UNHEALTHY),
    ],
)
def test_health(conditions: dict[str, bool], expected: Health) -> None:
    slice_ = endpoint_slice("reviews", ports={"http": 8080}, addresses=("10.1.0.1",))
    slice_["endpoints"][0]["conditions"] = conditions
    mesh = Mesh(SERVICE, slice_)
    assert found(mesh)[0].health is expected
    mesh.apply(SERVICE.replace("clusterIP", "publishNotReadyAddresses: true, clusterIP"))
    assert found(mesh)[0].health is Health.HEALTHY


def test_an_address_that_is_listed_twice_counts_once_in_its_best_health() -> None:
    mesh = Mesh(
        SERVICE,
        endpoint_slice("reviews", ports={"http": 8080}, addresses=("10.1.0.1",), ready=False),
        endpoint_slice("reviews", ports={"http": 8080}, addresses=("10.1.0.1", "10.1.0.2"), name="reviews-2"),
    )
    assert where(found(mesh)) == [("10.1.0.1", 8080), ("10.1.0.2", 8080)]
    assert {each.health for each in found(mesh)} == {Health.HEALTHY}


def test_ports_are_matched_by_name() -> None:
    mesh = Mesh(
        """
        kind: Service
        metadata: {name: reviews}
        spec:
          clusterIP: 10.0.0.1
          selector: {app: reviews}
          ports: [{name: http, port: 80, targetPort: web}, {name: tcp, port: 90}, {name: dns, port: 53, protocol: UDP}]
        """,
        endpoint_slice("reviews", ports={"http": 8081, "tcp": 9000, "dns": 53}, addresses=("10.1.0.1",)),
        endpoint_slice("reviews", ports={"http": 8082}, addresses=("10.1.0.2",), name="reviews-2"),
    )
    assert where(found(mesh)) == [("10.1.0.1", 8081), ("10.1.0.2", 8082)]
    assert where(found(mesh, port=90)) == [("10.1.0.1", 9000)]
    assert found(mesh, port=53) == ()
    assert found(mesh, port=1) == ()


def test_a_workload_with_two_address_families_is_one_endpoint() -> None:
    both = {"podIP": "10.1.0.1", "podIPs": [{"ip": "10.1.0.1"}, {"ip": "2001:db8::1"}]}
    mesh = Mesh(
        SERVICE,
        {**pod(), "status": both},
        endpoint_slice("reviews", ports={"http": 8080}, pods={"r1": "2001:db8::1"}, name="a-six"),
        endpoint_slice("reviews", ports={"http": 8080}, pods={"r1": "10.1.0.1"}, name="b-four"),
    )
    only = found(mesh)
    assert where(only) == [("10.1.0.1", 8080)]
    assert only[0].additional_addresses == ("2001:db8::1",)
    mesh.apply(SERVICE.replace("10.0.0.1", '"2001:db8::99"'))
    assert where(found(mesh)) == [("2001:db8::1", 8080)]
    assert found(mesh)[0].additional_addresses == ("10.1.0.1",)


def test_a_workload_with_one_family_among_others_with_two() -> None:
    mesh = Mesh(
        SERVICE,
        pod(),
        pod("r2", "2001:db8::2"),
        endpoint_slice("reviews", ports={"http": 8080}, pods={"r1": "10.1.0.1"}, name="four"),
        endpoint_slice("reviews", ports={"http": 8080}, pods={"r2": "2001:db8::2"}, name="six"),
    )
    assert where(found(mesh)) == [("10.1.0.1", 8080), ("2001:db8::2", 8080)]


def test_slices_written_by_hand_find_pods_by_address() -> None:
    manual = "{kind: Service, metadata: {name: reviews}, spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}}"
    mesh = Mesh(manual, pod(), endpoint_slice("reviews", ports={"http": 8080}, addresses=("10.1.0.1", "192.0.2.1")))
    known, unknown = found(mesh)
    assert known.identity == "spiffe://cluster.local/ns/default/sa/bookinfo"
    assert (unknown.identity, unknown.mutual_tls) == ("", False)


def test_peer_authentication_that_disables_mutual_tls() -> None:
    mesh = Mesh(SERVICE, pod(), endpoint_slice("reviews", ports={"http": 8080}, pods={"r1": "10.1.0.1"}))
    assert found(mesh)[0].mutual_tls
    mesh.apply("{kind: PeerAuthentication, metadata: {name: strictness}, spec: {mtls: {mode: DISABLE}}}")
    assert not found(mesh)[0].mutual_tls
    mesh.apply("{kind: PeerAuthentication, metadata: {name: strictness}, spec: {mtls: {mode: STRICT}}}")
    assert found(mesh)[0].mutual_tls


def test_networks() -> None:
    slices = endpoint_slice("reviews", ports={"http": 8080}, pods={"r1": "10.1.0.1", "r2": "10.2.0.1"})
    mesh = Mesh(SERVICE, pod(labels={"topology.istio.io/network": "own"}), pod("r2", "10.2.0.1"), slices)
    assert [each.network for each in found(mesh)] == ["own", ""]
    mesh.mesh_networks(
        "networks: {wide: {endpoints: [{fromCidr: 10.0.0.0/8}]}, near: {endpoints: [{fromCidr: 10.2.0.0/16}]}}"
    )
    assert [each.network for each in found(mesh)] == ["own", "near"]
    mesh.mesh_networks("networks: {all: {endpoints: [{fromRegistry: Kubernetes}]}}")
    assert [each.network for each in found(mesh)] == ["own", "all"]
    mesh.apply("{kind: Namespace, metadata: {name: istio-system, labels: {topology.istio.io/network: system}}}")
    assert [each.network for each in found(mesh)] == ["own", "system"]


def test_endpoints_of_all_clusters() -> None:
    mesh = Mesh(SERVICE, pod(), endpoint_slice("reviews", ports={"http": 8080}, pods={"r1": "10.1.0.1"}))
    mesh.apply(
        SERVICE,
        NODE,
        pod(address="10.7.0.1"),
        endpoint_slice("reviews", ports={"http": 8080}, pods={"r1": "10.7.0.1"}),
        cluster="east",
    )
    here, east = found(mesh)
    assert (here.address, here.cluster_id, here.locality) == ("10.1.0.1", "Kubernetes", Locality())
    assert (east.address, east.cluster_id, east.locality) == ("10.7.0.1", "east", Locality("r", "z", "s"))


def test_a_kubernetes_service_selects_workload_entries() -> None:
    mesh = Mesh(
        SERVICE,
        """
        kind: WorkloadEntry
        metadata: {name: vm1}
        spec: {address: 10.9.0.1, labels: {app: reviews}, serviceAccount: vm, ports: {http: 9999}, weight: 7}
        ---
        kind: WorkloadEntry
        metadata: {name: vm2}
        spec: {address: 10.9.0.2, labels: {app: reviews}, locality: r/z/s}
        ---
        kind: WorkloadEntry
        metadata: {name: other}
        spec: {address: 10.9.0.3, labels: {app: other}}
        """,
    )
    one, two = found(mesh)
    assert (one.address, one.port, one.weight, one.workload) == ("10.9.0.1", 9999, 7, "vm1")
    assert one.mutual_tls
    assert one.identity == "spiffe://cluster.local/ns/default/sa/vm"
    assert (two.address, two.port, two.locality) == ("10.9.0.2", 8080, Locality("r", "z", "s"))
    assert not two.mutual_tls


def test_a_workload_entry_answers_at_the_port_that_a_service_names() -> None:
    mesh = Mesh(
        """
        kind: Service
        metadata: {name: reviews}
        spec: {clusterIP: 10.0.0.1, selector: {app: reviews}, ports: [{name: http, port: 80, targetPort: web}]}
        ---
        kind: WorkloadEntry
        metadata: {name: vm1}
        spec: {address: 10.9.0.1, labels: {app: reviews}, ports: {web: 9999, http: 7}}
        ---
        kind: WorkloadEntry
        metadata: {name: vm2}
        spec: {address: 10.9.0.2, labels: {app: reviews}, ports: {http: 9998}}
        ---
        kind: WorkloadEntry
        metadata: {name: without}
        spec: {address: 10.9.0.3, labels: {app: reviews}}
        """,
    )
    assert where(found(mesh)) == [("10.9.0.1", 9999), ("10.9.0.2", 9998)]


def checked_entry(enabled: str, *conditions: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": "WorkloadEntry",
        "metadata": {"name": "vm", "annotations": {"proxy.istio.io/health-checks-enabled": enabled}},
        "spec": {"address": "10.9.0.1", "labels": {"app": "reviews"}},
        "status": {"conditions": list(conditions)},
    }


def test_a_workload_entry_whose_health_is_checked() -> None:
    mesh = Mesh(
        SERVICE,
        entry(
            """
hosts: [all.example.com]
resolution: STATIC
ports: [{number: 80, name: http, protocol: HTTP}]
workloadSelector: {labels: {app: reviews}}
"""
        ),
    )

    def health(written: dict[str, Any]) -> set[Health]:
        mesh.apply(written)
        keys = (REVIEWS, ServiceKey("all.example.com", "default"))
        return {each.health for key in keys for each in found(mesh, key)}

    passed, failed = {"type": "Healthy", "status": "True"}, {"type": "Healthy", "status": "False"}
    assert health(checked_entry("true")) == {Health.UNHEALTHY}
    assert health(checked_entry("true", {"type": "Reconciled", "status": "True"}, passed)) == {Health.HEALTHY}
    assert health(checked_entry("true", failed)) == {Health.UNHEALTHY}
    assert health(checked_entry("false", failed)) == {Health.HEALTHY}


def test_listed_endpoints_of_a_service_entry() -> None:
    mesh = Mesh(
        entry(
            """
hosts: [db.example.com]
location: MESH_INTERNAL
resolution: STATIC
ports: [{number: 80, name: tcp, protocol: TCP, targetPort: 8080}]
endpoints:
- {address: 10.5.0.1}
- {address: 10.5.0.2, ports: {tcp: 9090}, labels: {version: v2}, locality: r/z, network: n, weight: 3}
- {address: 10.5.0.3, labels: {security.istio.io/tlsMode: istio}}
- {network: far}
"""
        )
    )
    key = ServiceKey("db.example.com", "default")
    far, one, two, three = found(mesh, key)
    assert (far.address, far.network) == ("", "far")
    assert (one.address, one.port, one.mutual_tls) == ("10.5.0.1", 8080, False)
    assert (two.port, two.labels, two.locality, two.network, two.weight) == (
        9090,
        (("version", "v2"),),
        Locality("r", "z"),
        "n",
        3,
    )
    assert three.mutual_tls


def test_a_unix_socket() -> None:
    mesh = Mesh(
        entry(
            """
hosts: [local.example.com]
resolution: STATIC
ports: [{number: 80, name: http, protocol: HTTP}]
endpoints: [{address: unix:///run/app.sock}]
"""
        )
    )
    only = found(mesh, ServiceKey("local.example.com", "default"))
    assert where(only) == [("unix:///run/app.sock", 0)]


def test_names_to_resolve() -> None:
    spec = """
hosts: [api.example.com]
resolution: DNS
ports: [{number: 443, name: tls, protocol: TLS, targetPort: 8443}]
"""
    key = ServiceKey("api.example.com", "default")
    mesh = Mesh(entry(spec))
    assert where(found(mesh, key, 443)) == [("api.example.com", 8443)]
    mesh.apply(entry(spec + "endpoints: [{address: one.example.com}, {address: two.example.com, ports: {tls: 1}}]"))
    assert where(found(mesh, key, 443)) == [("one.example.com", 8443), ("two.example.com", 1)]
    mesh.apply(
        entry(
            """
hosts: ["*.example.com"]
resolution: DYNAMIC_DNS
ports: [{number: 443, name: tls, protocol: TLS}]
"""
        )
    )
    assert found(mesh, ServiceKey("*.example.com", "default"), 443) == ()


def test_a_service_entry_selects_workload_entries_and_pods_of_its_namespace() -> None:
    mesh = Mesh(
        entry(
            """
hosts: [all.example.com]
location: MESH_INTERNAL
resolution: STATIC
ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]
workloadSelector: {labels: {app: reviews}}
"""
        ),
        pod(),
        pod("gone", "10.1.0.2", deletionTimestamp="2024-01-01T00:00:00Z"),
        pod("elsewhere", "10.1.0.3", namespace="other"),
        """
        kind: WorkloadEntry
        metadata: {name: vm}
        spec: {address: 10.9.0.1, labels: {app: reviews}, ports: {http: 1}}
        """,
    )
    key = ServiceKey("all.example.com", "default")
    assert [(each.address, each.port, each.health, each.workload) for each in found(mesh, key)] == [
        ("10.1.0.1", 8080, Health.HEALTHY, "r1"),
        ("10.1.0.2", 8080, Health.DRAINING, "gone"),
        ("10.9.0.1", 1, Health.HEALTHY, "vm"),
    ]
    mesh.delete("Pod", "default", "r1")
    assert len(found(mesh, key)) == 2


def test_subsets_are_chosen_by_labels_and_by_place() -> None:
    listed = (
        Endpoint("1.1.1.1", 80, "http", labels=(("a", "1"), ("b", "2")), cluster_id="c1"),
        Endpoint("1.1.1.2", 80, "http", labels=(("a", "1"),), cluster_id="c2", locality=Locality("r")),
    )
    assert matching(listed, ()) == listed
    assert matching(listed, (("a", "1"), ("b", "2"))) == listed[:1]
    assert matching(listed, (("topology.istio.io/cluster", "c2"), ("a", "1"))) == listed[1:]
    assert matching(listed, (("topology.kubernetes.io/region", "r"),)) == listed[1:]


def test_an_endpoint_of_one_service_recomputes_no_other() -> None:
    other = SERVICE.replace("reviews", "ratings")
    mesh = Mesh(
        SERVICE,
        other,
        pod(),
        endpoint_slice("reviews", ports={"http": 8080}, pods={"r1": "10.1.0.1"}),
        endpoint_slice("ratings", ports={"http": 8080}, addresses=("10.2.0.1",)),
    )
    ratings = ServiceKey("ratings.default.svc.cluster.local", "default")
    found(mesh), found(mesh, ratings)
    computed = mesh.engine.statistics().queries["endpoints.endpoints_by_port"].computed
    mesh.apply(endpoint_slice("reviews", ports={"http": 8080}, pods={"r1": "10.1.0.1"}, addresses=("10.1.0.9",)))
    found(mesh), found(mesh, ratings)
    assert mesh.engine.statistics().queries["endpoints.endpoints_by_port"].computed == computed + 1
