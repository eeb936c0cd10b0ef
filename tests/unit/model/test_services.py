"""The registry: what Kubernetes Services and ServiceEntries become."""

from __future__ import annotations

from lateen.model.inputs import CLUSTER_ID
from lateen.model.protocol import Protocol
from lateen.model.service import Resolution, Service, ServiceKey
from lateen.model.services import aliases, service, service_keys, service_keys_in, services_of_host, unaliased
from lateen.testing.mesh import Mesh

REVIEWS = ServiceKey("reviews.default.svc.cluster.local", "default")


def found(mesh: Mesh, host: str, namespace: str = "default") -> Service:
    result = mesh.get(service, ServiceKey(host, namespace))
    assert result is not None
    return result


def test_a_kubernetes_service() -> None:
    mesh = Mesh(
        """
        kind: Service
        metadata:
          name: reviews
          labels: {team: a}
          annotations: {networking.istio.io/exportTo: ". , other"}
          creationTimestamp: "2024-01-01T00:00:00Z"
        spec:
          clusterIP: 10.0.0.1
          clusterIPs: [10.0.0.1, "2001:db8::1"]
          selector: {app: reviews}
          internalTrafficPolicy: Local
          trafficDistribution: PreferClose
          publishNotReadyAddresses: true
          ports:
          - {name: dns, port: 53, protocol: UDP}
          - {name: http, port: 9080, targetPort: web}
          - {name: other, port: 80, targetPort: 8080, appProtocol: grpc}
          - {name: same, port: 81}
        """
    )
    reviews = found(mesh, REVIEWS.hostname)
    assert reviews.name == "reviews"
    assert reviews.addresses == ("10.0.0.1", "2001:db8::1")
    assert reviews.export_to == (".", "other")
    assert reviews.resolution is Resolution.EDS
    assert reviews.selects
    assert reviews.selector == (("app", "reviews"),)
    assert reviews.node_local
    assert reviews.traffic_distribution == "PreferSameZone"
    assert reviews.publish_not_ready
    assert reviews.created == "2024-01-01T00:00:00Z"
    ports = [(port.port, port.protocol, port.target_port, port.target_port_name) for port in reviews.ports]
    assert ports == [
        (9080, Protocol.HTTP, 0, "web"),
        (80, Protocol.GRPC, 8080, ""),
        (81, Protocol.UNSUPPORTED, 81, ""),
        (53, Protocol.UDP, 53, ""),
    ]


def test_headless_services_and_those_without_address() -> None:
    mesh = Mesh(
        "{kind: Service, metadata: {name: headless}, spec: {clusterIP: None, ports: [{port: 80}]}}",
        "{kind: Service, metadata: {name: new}, spec: {ports: [{port: 80}]}}",
    )
    headless = found(mesh, "headless.default.svc.cluster.local")
    assert headless.headless
    assert headless.resolution is Resolution.PASSTHROUGH
    new = found(mesh, "new.default.svc.cluster.local")
    assert not new.headless
    assert new.resolution is Resolution.EDS
    assert new.addresses == ()


def test_external_names_are_aliases() -> None:
    mesh = Mesh(
        """
        kind: Service
        metadata: {name: real}
        spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
        ---
        kind: Service
        metadata: {name: one}
        spec: {type: ExternalName, externalName: real.default.svc.cluster.local, ports: [{port: 80}]}
        ---
        kind: Service
        metadata: {name: two, namespace: other}
        spec: {type: ExternalName, externalName: one.default.svc.cluster.local, ports: [{port: 80}]}
        ---
        kind: Service
        metadata: {name: outside}
        spec: {type: ExternalName, externalName: example.com, ports: [{port: 80}]}
        """
    )
    real, one, two = (f"{name}.svc.cluster.local" for name in ("real.default", "one.default", "two.other"))
    assert found(mesh, one).resolution is Resolution.ALIAS
    assert found(mesh, one).external_name == real
    assert mesh.get(aliases, real) == (one, two)
    assert mesh.get(unaliased, two) == real
    assert mesh.get(unaliased, "outside.default.svc.cluster.local") == "example.com"
    assert mesh.get(unaliased, "nobody.example.com") == "nobody.example.com"


def test_aliases_of_each_other_end_where_they_began() -> None:
    mesh = Mesh(
        """
        kind: Service
        metadata: {name: a}
        spec: {type: ExternalName, externalName: b.default.svc.cluster.local}
        ---
        kind: Service
        metadata: {name: b}
        spec: {type: ExternalName, externalName: a.default.svc.cluster.local}
        """
    )
    a, b = "a.default.svc.cluster.local", "b.default.svc.cluster.local"
    assert mesh.get(unaliased, a) == a
    assert mesh.get(aliases, a) == (b,)


def test_a_service_of_several_clusters_is_one() -> None:
    mesh = Mesh(
        """
        kind: Service
        metadata: {name: reviews, creationTimestamp: "2024-02-01T00:00:00Z"}
        spec: {clusterIP: 10.0.0.1, selector: {app: reviews}, ports: [{name: http, port: 80, targetPort: 8080}]}
        """
    )
    mesh.apply(
        """
        kind: Service
        metadata: {name: reviews, creationTimestamp: "2024-01-01T00:00:00Z"}
        spec: {clusterIP: 10.7.0.1, ports: [{name: http, port: 80, targetPort: 9}, {name: tcp, port: 90}]}
        """,
        cluster="east",
    )
    assert mesh.get(service_keys) == (REVIEWS,)
    reviews = found(mesh, REVIEWS.hostname)
    assert [(port.port, port.target_port) for port in reviews.ports] == [(80, 8080), (90, 90)]
    assert reviews.virtual_addresses("east") == ("10.7.0.1",)
    assert reviews.virtual_addresses(CLUSTER_ID.default) == ("10.0.0.1",)
    assert reviews.virtual_addresses("unknown") == ("10.0.0.1",)
    assert reviews.created == "2024-01-01T00:00:00Z"


def test_a_service_entry_makes_a_service_of_each_host() -> None:
    mesh = Mesh(
        """
        kind: ServiceEntry
        metadata: {name: external, annotations: {networking.istio.io/trafficDistribution: prefersamenode}}
        spec:
          hosts: [a.example.com, "*.b.example.com"]
          addresses: [10.0.0.0/24, 10.1.1.1/32]
          ports:
          - {number: 443, name: tls, protocol: TLS}
          - {number: 80, name: http, protocol: HTTP, targetPort: 8080}
          resolution: STATIC
          subjectAltNames: [spiffe://x/y]
          exportTo: ["."]
        """
    )
    assert [key.hostname for key in mesh.get(service_keys)] == ["*.b.example.com", "a.example.com"]
    one = found(mesh, "a.example.com")
    assert one.addresses == ("10.0.0.0/24", "10.1.1.1")
    assert one.auto_addresses == ()
    assert one.mesh_external
    assert one.export_to == (".",)
    assert one.subject_alt_names == ("spiffe://x/y",)
    assert one.traffic_distribution == "PreferSameNode"
    assert [(port.port, port.target_port) for port in one.ports] == [(443, 443), (80, 8080)]


def test_resolutions() -> None:
    expected = {
        "NONE": Resolution.PASSTHROUGH,
        "STATIC": Resolution.EDS,
        "DNS": Resolution.DNS,
        "DNS_ROUND_ROBIN": Resolution.DNS_ROUND_ROBIN,
        "DYNAMIC_DNS": Resolution.DYNAMIC_DNS,
    }
    mesh = Mesh()
    for declared, resolution in expected.items():
        host = "*.example.com" if declared == "DYNAMIC_DNS" else "a.example.com"
        mesh.apply(
            {
                "kind": "ServiceEntry",
                "metadata": {"name": "one"},
                "spec": {
                    "hosts": [host],
                    "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}],
                    "resolution": declared,
                },
            }
        )
        assert found(mesh, host).resolution is resolution


def test_a_host_may_be_declared_in_parts() -> None:
    part = """
        kind: ServiceEntry
        metadata: {{name: {name}, creationTimestamp: "{created}"}}
        spec:
          hosts: [a.example.com]
          ports: [{{number: {port}, name: p{port}, protocol: {protocol}}}]
          resolution: {resolution}
          subjectAltNames: [{name}]
    """
    mesh = Mesh(
        part.format(name="younger", created="2024-02-01T00:00:00Z", port=80, protocol="HTTP", resolution="STATIC"),
        part.format(name="older", created="2024-01-01T00:00:00Z", port=443, protocol="TLS", resolution="DNS"),
    )
    one = found(mesh, "a.example.com")
    assert one.source.key.name == "older"
    assert one.resolution is Resolution.DNS
    assert [port.port for port in one.ports] == [443, 80]
    assert one.subject_alt_names == ("older", "younger")


def test_a_kubernetes_service_comes_before_an_entry_of_its_host_and_takes_its_names() -> None:
    mesh = Mesh(
        "{kind: Service, metadata: {name: reviews}, spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}}",
        """
        kind: ServiceEntry
        metadata: {name: decorator}
        spec:
          hosts: [reviews.default.svc.cluster.local]
          ports: [{number: 9, name: http, protocol: HTTP}]
          resolution: STATIC
          subjectAltNames: [added]
        """,
    )
    reviews = found(mesh, REVIEWS.hostname)
    assert reviews.is_kubernetes
    assert [port.port for port in reviews.ports] == [80]
    assert reviews.subject_alt_names == ("added",)
    mesh.delete("Service", "default", "reviews")
    assert not found(mesh, REVIEWS.hostname).is_kubernetes


def test_services_by_host_and_by_namespace() -> None:
    entry = """
        kind: ServiceEntry
        metadata: {{name: one, namespace: {namespace}}}
        spec:
          hosts: [reviews.default.svc.cluster.local]
          ports: [{{number: 9, name: http, protocol: HTTP}}]
    """
    mesh = Mesh(
        "{kind: Service, metadata: {name: reviews}, spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}}",
        entry.format(namespace="b"),
        entry.format(namespace="c"),
    )
    host = REVIEWS.hostname
    assert mesh.get(services_of_host, host) == (ServiceKey(host, "b"), ServiceKey(host, "c"), REVIEWS)
    assert mesh.get(service_keys_in, "b") == (ServiceKey(host, "b"),)
    assert mesh.get(service_keys_in, "d") == ()


def test_namespaces_that_discovery_leaves_out() -> None:
    mesh = Mesh(
        "{kind: Namespace, metadata: {name: in, labels: {mesh: included}}}",
        "{kind: Namespace, metadata: {name: out}}",
        "{kind: Service, metadata: {name: a, namespace: in}, spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}}",
        "{kind: Service, metadata: {name: a, namespace: out}, spec: {clusterIP: 10.0.0.2, ports: [{port: 80}]}}",
    )
    assert len(mesh.get(service_keys)) == 2
    mesh.mesh_config("discoverySelectors: [{matchLabels: {mesh: included}}]")
    kept, dropped = ServiceKey("a.in.svc.cluster.local", "in"), ServiceKey("a.out.svc.cluster.local", "out")
    assert mesh.get(service_keys) == (kept,)
    assert mesh.get(service, dropped) is None
    assert mesh.get(services_of_host, dropped.hostname) == ()
    mesh.apply("{kind: Namespace, metadata: {name: out, labels: {mesh: included}}}")
    assert mesh.get(service_keys) == (kept, dropped)


def test_the_mesh_says_where_services_are_exported_by_default() -> None:
    mesh = Mesh("{kind: Service, metadata: {name: reviews}, spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}}")
    assert found(mesh, REVIEWS.hostname).export_to == ("*",)
    mesh.mesh_config("defaultServiceExportTo: ['.']")
    assert found(mesh, REVIEWS.hostname).export_to == (".",)
