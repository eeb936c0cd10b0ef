"""Findings on ServiceEntries, Sidecars, WorkloadEntries and WorkloadGroups."""

from __future__ import annotations

from typing import Any

from lateen.api.objects import Key
from lateen.model.findings.service_entry import service_entry_findings
from lateen.model.findings.sidecar import sidecar_findings
from lateen.model.findings.workload_entry import workload_entry_findings
from lateen.model.findings.workload_group import workload_group_findings
from lateen.testing.mesh import Mesh

KUBERNETES = "{kind: Service, metadata: {name: reviews}, spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}}"
POD = "{kind: Pod, metadata: {name: p, labels: {app: a, tier: t}}}"


def entry(name: str = "e", namespace: str = "default", created: str = "2024-01-01", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "ServiceEntry",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": f"{created}T00:00:00Z"},
        "spec": {
            "hosts": ["a.example.com"],
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            "resolution": "DNS",
            **spec,
        },
    }


def sidecar(name: str = "s", created: str = "2024-01-01", namespace: str = "default", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "Sidecar",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": f"{created}T00:00:00Z"},
        "spec": {"egress": [{"hosts": ["*/*"]}], **spec},
    }


def of_entry(mesh: Mesh, name: str = "e", namespace: str = "default") -> list[tuple[str, str]]:
    return [(fault.path, fault.message) for fault in mesh.get(service_entry_findings, Key(namespace, name))]


def of_sidecar(mesh: Mesh, name: str = "s", namespace: str = "default") -> list[tuple[str, str]]:
    return [(fault.path, fault.code) for fault in mesh.get(sidecar_findings, Key(namespace, name))]


def test_what_is_in_order_has_no_findings() -> None:
    mesh = Mesh(entry(), sidecar(), KUBERNETES, POD)
    assert of_entry(mesh) == []
    assert of_sidecar(mesh) == []
    assert of_entry(mesh, "missing") == []
    assert of_sidecar(mesh, "missing") == []


def test_an_entry_for_the_host_of_a_kubernetes_service() -> None:
    host = "reviews.default.svc.cluster.local"
    mesh = Mesh(KUBERNETES, entry(hosts=[host]), entry("e", "other", hosts=[host]))
    ((path, message),) = of_entry(mesh)
    assert path == "spec.hosts[0]"
    assert "subjectAltNames" in message
    ((path, message),) = of_entry(mesh, namespace="other")
    assert "namespace 'default'" in message


def test_entries_with_one_host() -> None:
    mesh = Mesh(entry("older", "other", "2023-01-01"), entry())
    ((path, message),) = of_entry(mesh)
    assert path == "spec.hosts[0]"
    assert "namespace 'other'" in message
    assert of_entry(mesh, "older", "other") == []
    mesh = Mesh(entry("first", created="2023-01-01", resolution="STATIC"), entry())
    assert [message.split(",")[0] for _, message in of_entry(mesh)] == [
        "is resolved by STATIC",
        "has port 80 from the older ServiceEntry 'first' already; endpoints are joined",
    ]
    assert of_entry(mesh, "first") == []


def test_a_selector_that_selects_nothing() -> None:
    spec: dict[str, Any] = {"resolution": "STATIC", "workloadSelector": {"labels": {"app": "a"}}}
    mesh = Mesh(entry(**spec))
    assert [path for path, _ in of_entry(mesh)] == ["spec.workloadSelector"]
    mesh.apply(POD)
    assert of_entry(mesh) == []


def test_namespaces_that_discovery_leaves_out() -> None:
    mesh = Mesh(entry(), "{kind: WorkloadEntry, metadata: {name: w}, spec: {address: 10.0.0.1}}")
    mesh.mesh_config("discoverySelectors: [{matchLabels: {mesh: included}}]")
    assert "discoverySelectors" in of_entry(mesh)[0][1]
    assert "discoverySelectors" in mesh.get(workload_entry_findings, Key("default", "w"))[0].message


def test_sidecars_that_clash() -> None:
    chosen: dict[str, Any] = {"workloadSelector": {"labels": {"app": "a"}}}
    other: dict[str, Any] = {"workloadSelector": {"labels": {"tier": "t"}}}
    mesh = Mesh(POD, sidecar(), sidecar("younger", "2024-02-01"))
    assert of_sidecar(mesh) == []
    assert of_sidecar(mesh, "younger") == [("spec.workloadSelector", "IST0111")]
    mesh = Mesh(POD, sidecar(**chosen), sidecar("younger", "2024-02-01", **other), sidecar("general"))
    assert of_sidecar(mesh) == []
    assert of_sidecar(mesh, "younger") == [("spec.workloadSelector", "IST0110")]
    assert of_sidecar(mesh, "general") == []
    mesh.delete("Pod", "default", "p")
    assert of_sidecar(mesh) == [("spec.workloadSelector", "IST0101")]


def test_hosts_that_are_nowhere() -> None:
    mesh = Mesh(KUBERNETES, sidecar(egress=[{"hosts": ["./*", "~/*", "other/*", "*/nowhere.example.com"]}]))
    assert of_sidecar(mesh) == [("spec.egress[0].hosts[2]", "IST0101"), ("spec.egress[0].hosts[3]", "IST0101")]
    mesh.apply(
        """
        kind: VirtualService
        metadata: {name: v, namespace: other}
        spec: {hosts: [nowhere.example.com], http: [{route: [{destination: {host: x}}]}]}
        """
    )
    assert of_sidecar(mesh) == []
    mesh.apply(sidecar(namespace="istio-system", egress=[{"hosts": ["./*"]}]))
    assert of_sidecar(mesh, namespace="istio-system") == []


def test_an_egress_proxy_that_is_not_there() -> None:
    def policy(host: str, port: int) -> dict[str, Any]:
        proxy = {"host": host, "port": {"number": port}}
        return {"outboundTrafficPolicy": {"mode": "ALLOW_ANY", "egressProxy": proxy}}

    mesh = Mesh(KUBERNETES, sidecar(**policy("reviews.default.svc.cluster.local", 80)))
    assert of_sidecar(mesh) == []
    mesh.apply(sidecar(**policy("reviews.default.svc.cluster.local", 81)))
    assert of_sidecar(mesh) == [("spec.outboundTrafficPolicy.egressProxy.port", "IST0101")]
    mesh.apply(sidecar(**policy("nobody.default.svc.cluster.local", 80)))
    assert of_sidecar(mesh) == [("spec.outboundTrafficPolicy.egressProxy.host", "IST0101")]


def test_workload_entries_without_service_or_way() -> None:
    mesh = Mesh("{kind: WorkloadEntry, metadata: {name: w}, spec: {network: far, labels: {app: a}}}")

    def paths() -> list[str]:
        return [fault.path for fault in mesh.get(workload_entry_findings, Key("default", "w"))]

    assert paths() == ["spec.labels"]
    mesh.apply(entry(resolution="STATIC", workloadSelector={"labels": {"app": "a"}}))
    assert paths() == ["spec.network"]
    mesh.mesh_networks("networks: {far: {gateways: [{address: 192.0.2.1, port: 15443}]}}")
    assert paths() == []


def test_workload_entries_without_the_port_that_a_service_names() -> None:
    mesh = Mesh(
        "{kind: WorkloadEntry, metadata: {name: w}, spec: {address: 10.9.0.1, labels: {app: a}}}",
        """
        kind: Service
        metadata: {name: s}
        spec: {clusterIP: 10.0.0.1, selector: {app: a}, ports: [{name: http, port: 80, targetPort: web}, {port: 81}]}
        """,
    )
    [fault] = mesh.get(workload_entry_findings, Key("default", "w"))
    assert (fault.path, "'web', the target of port 80" in fault.message) == ("spec.ports", True)
    mesh.apply(
        "{kind: WorkloadEntry, metadata: {name: w}, spec: {address: 10.9.0.1, labels: {app: a}, ports: {web: 8080}}}"
    )
    assert mesh.get(workload_entry_findings, Key("default", "w")) == ()


def test_workload_groups_are_not_enforced_yet() -> None:
    mesh = Mesh("{kind: WorkloadGroup, metadata: {name: g}, spec: {template: {serviceAccount: a}}}")
    (fault,) = mesh.get(workload_group_findings, Key("default", "g"))
    assert "not enforced yet" in fault.message
    assert mesh.get(workload_group_findings, Key("default", "other")) == ()
