"""The services of a workload, and its names."""

from __future__ import annotations

import msgspec

from lateen.api.kubernetes.pod import Pod
from lateen.model.proxy import InboundView
from lateen.model.workload_names import canonical_name, canonical_revision, workload_name
from lateen.model.workloads import workload_ports
from lateen.testing.mesh import Mesh, endpoint_slice


def inbound(mesh: Mesh, labels: dict[str, str] | None = None, id: str = "app.default") -> InboundView:
    view = mesh.views(mesh.proxy(id, labels))[1]
    assert isinstance(view, InboundView)
    return view


def ports(mesh: Mesh, labels: dict[str, str] | None = None) -> list[tuple[int, str, int]]:
    return [
        (each.number, each.service.hostname.removesuffix(".svc.cluster.local"), each.port.port)
        for each in mesh.get(workload_ports, inbound(mesh, labels))
    ]


SERVICES = """
kind: Service
metadata: {name: web, creationTimestamp: "2024-01-02T00:00:00Z"}
spec: {clusterIP: 10.0.0.1, selector: {app: shop}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
kind: Service
metadata: {name: older, creationTimestamp: "2024-01-01T00:00:00Z"}
spec: {clusterIP: 10.0.0.2, selector: {app: shop, tier: front}, ports: [{name: http, port: 81, targetPort: 8080}]}
---
kind: Service
metadata: {name: named}
spec:
  clusterIP: None
  selector: {app: shop}
  ports: [{name: a, port: 90, targetPort: admin}, {port: 53, protocol: UDP, name: d}]
---
kind: Service
metadata: {name: elsewhere, namespace: other}
spec: {clusterIP: 10.0.0.3, selector: {app: shop}, ports: [{name: http, port: 80}]}
---
kind: Service
metadata: {name: unselective}
spec: {clusterIP: 10.0.0.4, ports: [{name: http, port: 80}]}
---
kind: ServiceEntry
metadata: {name: entry, creationTimestamp: "2020-01-01T00:00:00Z"}
spec:
  hosts: [shop.example.com]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 70, name: http, protocol: HTTP, targetPort: 8080}]
  workloadSelector: {labels: {app: shop}}
"""


def test_the_ports_that_services_send_to_in_order_of_precedence() -> None:
    mesh = Mesh(SERVICES)
    assert ports(mesh, {"app": "shop", "tier": "front"}) == [
        (8080, "older.default", 81),
        (8080, "web.default", 80),
        (8080, "shop.example.com", 70),
    ]
    assert ports(mesh, {"app": "shop"}) == [(8080, "web.default", 80), (8080, "shop.example.com", 70)]
    assert ports(mesh, {"app": "other"}) == []


def test_named_ports_are_the_pods() -> None:
    mesh = Mesh(
        SERVICES,
        """
        kind: Pod
        metadata: {name: app, labels: {app: shop}}
        spec:
          containers: [{name: c, ports: [{name: admin, containerPort: 9000}, {name: unused, containerPort: 9001}]}]
        """,
    )
    assert (9000, "named.default", 90) in ports(mesh)
    assert inbound(mesh).named_ports == (("admin", 9000),)


def test_a_workload_entry_has_ports_of_its_own() -> None:
    mesh = Mesh(
        SERVICES,
        """
        kind: WorkloadEntry
        metadata: {name: app}
        spec: {address: 10.9.0.1, labels: {app: shop}, ports: {http: 7}}
        """,
    )
    assert ports(mesh) == [(7, "web.default", 80), (7, "shop.example.com", 70)]


def test_a_workload_entry_has_ports_by_the_name_that_a_service_refers_to() -> None:
    mesh = Mesh(
        SERVICES,
        """
        kind: WorkloadEntry
        metadata: {name: app}
        spec: {address: 10.9.0.1, labels: {app: shop}, ports: {admin: 9}}
        """,
    )
    assert (9, "named.default", 90) in ports(mesh)


def test_services_whose_slices_are_written_by_hand_are_found_by_address() -> None:
    mesh = Mesh(SERVICES, endpoint_slice("unselective", ports={"http": 80}, addresses=("10.99.0.1",)))
    assert ports(mesh, {"app": "other"}) == [(80, "unselective.default", 80)]
    mesh.delete("Service", "default", "unselective")
    assert ports(mesh, {"app": "other"}) == []
    assert inbound(mesh, {"app": "other"}).addresses == ()


def pod(owner: str = "", name: str = "", hash_: str = "") -> Pod:
    metadata = {
        "name": "pod-1",
        "labels": {"pod-template-hash": hash_} if hash_ else {},
        "ownerReferences": [{"kind": owner, "name": name, "controller": True}] if owner else [],
    }
    return msgspec.convert({"metadata": metadata}, Pod)


def test_a_workload_is_called_what_manages_it() -> None:
    assert workload_name(pod()) == "pod-1"
    assert workload_name(pod("ReplicaSet", "shop-v1-abcdef1234", "abcdef1234")) == "shop-v1"
    assert workload_name(pod("ReplicaSet", "own-replicas")) == "own-replicas"
    assert workload_name(pod("StatefulSet", "db")) == "db"
    assert workload_name(pod("Job", "backup-28312345")) == "backup"
    assert workload_name(pod("Job", "once")) == "once"


def test_canonical_names() -> None:
    assert canonical_name({}, "w") == "w"
    assert canonical_name({"app": "a"}, "w") == "a"
    assert canonical_name({"app": "a", "app.kubernetes.io/name": "k"}, "w") == "k"
    assert canonical_name({"app": "a", "service.istio.io/canonical-name": "c"}, "w") == "c"
    assert canonical_revision({}) == "latest"
    assert canonical_revision({"version": "v"}) == "v"
    assert canonical_revision({"version": "v", "app.kubernetes.io/version": "k"}) == "k"
    assert canonical_revision({"version": "v", "service.istio.io/canonical-revision": "c"}) == "c"
