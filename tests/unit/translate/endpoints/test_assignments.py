"""Load assignments: who gets which endpoints, what is shared, and what a change recomputes."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.model.endpoint import Locality
from lateen.model.proxy import Proxy, Role
from lateen.testing.envoy import accepts, decoded
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.translate.endpoints import assignments
from lateen.translate.resource import Recipe, Resource, ResourceType

SERVICE = """
kind: Service
metadata: {name: reviews}
spec: {clusterIP: 10.0.0.1, selector: {app: reviews}, ports: [{name: http, port: 80, targetPort: 8080}]}
"""
CLUSTER = "outbound|80||reviews.default.svc.cluster.local"


def pod(name: str, address: str, node: str = "n1", **labels: str) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "reviews", "security.istio.io/tlsMode": "istio", **labels}},
        "spec": {"nodeName": node},
        "status": {"podIP": address},
    }


def node(name: str, region: str, zone: str) -> dict[str, Any]:
    labels = {"topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": zone}
    return {"kind": "Node", "metadata": {"name": name, "labels": labels}}


def rule(policy: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "kind": "DestinationRule",
        "metadata": {"name": "reviews"},
        "spec": {"host": "reviews", **({"trafficPolicy": policy} if policy else {}), **spec},
    }


def three_pods() -> Mesh:
    """Two pods in east (one of version v2), one in west."""
    return Mesh(
        SERVICE,
        node("n1", "east", "e1"),
        node("n2", "east", "e2"),
        node("n3", "west", "w1"),
        pod("r1", "10.1.0.1", "n1", version="v1"),
        pod("r2", "10.1.0.2", "n2", version="v2"),
        pod("r3", "10.1.0.3", "n3", version="v1"),
        endpoint_slice("reviews", ports={"http": 8080}, pods={"r1": "10.1.0.1", "r2": "10.1.0.2", "r3": "10.1.0.3"}),
    )


def recipes(mesh: Mesh, proxy: Proxy | None = None) -> dict[str, Recipe]:
    view = mesh.views(proxy or mesh.proxy())[0]
    return {recipe.name: recipe for recipe in mesh.get(assignments.listing, view)}


def made(mesh: Mesh, name: str = CLUSTER, proxy: Proxy | None = None) -> Resource:
    return mesh.make(recipes(mesh, proxy)[name])


def message(mesh: Mesh, name: str = CLUSTER, proxy: Proxy | None = None) -> Any:
    return decoded(ResourceType.EDS, made(mesh, name, proxy))


def addresses(found: Any) -> list[str]:
    return [
        member.endpoint.address.socket_address.address for group in found.endpoints for member in group.lb_endpoints
    ]


def priorities(found: Any) -> dict[str, int]:
    return {
        member.endpoint.address.socket_address.address: group.priority
        for group in found.endpoints
        for member in group.lb_endpoints
    }


def test_a_plain_service() -> None:
    found = message(three_pods())
    assert found.cluster_name == CLUSTER
    assert addresses(found) == ["10.1.0.1", "10.1.0.2", "10.1.0.3"]
    member = found.endpoints[0].lb_endpoints[0]
    assert member.metadata.filter_metadata["istio"]["workload"] == "r1;default;reviews;v1;Kubernetes"
    assert member.metadata.filter_metadata["envoy.transport_socket_match"]["tlsMode"] == "istio"


def test_all_clients_share_an_assignment_of_which_nothing_is_their_own() -> None:
    mesh = three_pods()
    east = mesh.proxy("a.default", locality=Locality("east"), node="n1")
    west = mesh.proxy("b.other", labels={"x": "y"}, locality=Locality("west"), node="n3")
    gateway = mesh.gateway(locality=Locality("west"))
    assert recipes(mesh, east) == recipes(mesh, west) == recipes(mesh, gateway)


def test_subsets() -> None:
    mesh = three_pods()
    mesh.apply(rule({}, subsets=[{"name": "v2", "labels": {"version": "v2"}}, {"name": "none", "labels": {"no": "1"}}]))
    assert addresses(message(mesh, "outbound|80|v2|reviews.default.svc.cluster.local")) == ["10.1.0.2"]
    assert addresses(message(mesh, "outbound|80|none|reviews.default.svc.cluster.local")) == []
    assert len(addresses(message(mesh))) == 3


def test_endpoints_that_are_not_ready_are_left_out() -> None:
    mesh = Mesh(
        SERVICE,
        endpoint_slice("reviews", ports={"http": 8080}, addresses=("10.1.0.1",)),
        endpoint_slice("reviews", ports={"http": 8080}, addresses=("10.1.0.2",), name="unready", ready=False),
    )
    assert addresses(message(mesh)) == ["10.1.0.1"]


def test_draining_endpoints_stay_for_sessions_that_stick_to_them() -> None:
    draining = endpoint_slice("reviews", ports={"http": 8080}, addresses=("10.1.0.1",))
    draining["endpoints"][0]["conditions"] = {"ready": False, "serving": True, "terminating": True}
    mesh = Mesh(SERVICE, draining)
    assert addresses(message(mesh)) == []
    mesh.apply(SERVICE.replace("name: reviews}", "name: reviews, labels: {istio.io/persistent-session: cookie}}"))
    assert message(mesh).endpoints[0].lb_endpoints[0].health_status == 3


def test_locality_failover_needs_outlier_detection() -> None:
    mesh = three_pods()
    east = mesh.proxy(locality=Locality("east", "e1"))
    west = mesh.proxy("b.other", locality=Locality("west", "w1"))
    assert priorities(message(mesh, proxy=east)) == {"10.1.0.1": 0, "10.1.0.2": 0, "10.1.0.3": 0}
    mesh.apply(rule({"outlierDetection": {}}))
    assert priorities(message(mesh, proxy=east)) == {"10.1.0.1": 0, "10.1.0.2": 1, "10.1.0.3": 2}
    assert priorities(message(mesh, proxy=west)) == {"10.1.0.1": 1, "10.1.0.2": 1, "10.1.0.3": 0}
    mesh.mesh_config("localityLbSetting: {enabled: false}")
    assert set(priorities(message(mesh, proxy=east)).values()) == {0}
    mesh.apply(rule({"outlierDetection": {}, "loadBalancer": {"localityLbSetting": {"enabled": True}}}))
    assert set(priorities(message(mesh, proxy=east)).values()) == {0, 1, 2}


def test_failover_to_a_region_and_by_labels() -> None:
    mesh = three_pods()
    south = mesh.proxy(labels={"version": "v2"}, locality=Locality("south"))
    setting: dict[str, Any] = {"failover": [{"from": "south", "to": "west"}]}
    mesh.apply(rule({"outlierDetection": {}, "loadBalancer": {"localityLbSetting": setting}}))
    assert priorities(message(mesh, proxy=south)) == {"10.1.0.1": 1, "10.1.0.2": 1, "10.1.0.3": 0}
    setting = {"failoverPriority": ["version"]}
    mesh.apply(rule({"outlierDetection": {}, "loadBalancer": {"localityLbSetting": setting}}))
    assert priorities(message(mesh, proxy=south)) == {"10.1.0.1": 1, "10.1.0.2": 0, "10.1.0.3": 1}
    setting = {"failoverPriority": ["version=v1"]}
    mesh.apply(rule({"outlierDetection": {}, "loadBalancer": {"localityLbSetting": setting}}))
    assert priorities(message(mesh, proxy=south)) == {"10.1.0.1": 0, "10.1.0.2": 1, "10.1.0.3": 0}


def test_traffic_is_distributed_over_localities() -> None:
    mesh = three_pods()
    setting = {"distribute": [{"from": "east/*", "to": {"east/*": 30, "west/*": 70}}]}
    mesh.apply(rule({"loadBalancer": {"localityLbSetting": setting}}))
    found = message(mesh, proxy=mesh.proxy(locality=Locality("east", "e1")))
    assert [(group.locality.zone, group.load_balancing_weight.value) for group in found.endpoints] == [
        ("e1", 15),
        ("e2", 15),
        ("w1", 70),
    ]
    elsewhere = message(mesh, proxy=mesh.proxy(locality=Locality("south")))
    assert [group.load_balancing_weight.value for group in elsewhere.endpoints] == [1, 1, 1]


def test_traffic_distribution_of_a_service() -> None:
    mesh = three_pods()
    mesh.apply(SERVICE.replace("clusterIP", "trafficDistribution: PreferSameZone, clusterIP"))
    east = mesh.proxy(locality=Locality("east", "e2"))
    assert priorities(message(mesh, proxy=east)) == {"10.1.0.1": 1, "10.1.0.2": 0, "10.1.0.3": 2}
    mesh.apply(
        SERVICE.replace("clusterIP", "trafficDistribution: PreferSameNode, clusterIP"),
        pod("r4", "10.1.0.4", "n4", version="v1"),
        node("n4", "east", "e2"),
        endpoint_slice("reviews", ports={"http": 8080}, pods={"r4": "10.1.0.4"}, name="reviews-2"),
        pod("client", "10.99.0.1", "n4"),
    )
    assert priorities(message(mesh, proxy=mesh.proxy(locality=Locality("east", "e2")))) == {
        "10.1.0.1": 2,
        "10.1.0.2": 1,
        "10.1.0.3": 3,
        "10.1.0.4": 0,
    }


def test_services_local_to_a_node() -> None:
    mesh = three_pods()
    mesh.apply(
        SERVICE.replace("clusterIP", "internalTrafficPolicy: Local, clusterIP"), pod("client", "10.99.0.1", "n2")
    )
    assert addresses(message(mesh)) == ["10.1.0.2"]
    assert addresses(message(mesh, proxy=mesh.proxy("nowhere.default"))) == []


def test_services_local_to_a_cluster() -> None:
    mesh = three_pods()
    mesh.apply(SERVICE, endpoint_slice("reviews", ports={"http": 8080}, addresses=("10.7.0.1",)), cluster="east")
    assert len(addresses(message(mesh))) == 4
    mesh.mesh_config("serviceSettings: [{settings: {clusterLocal: true}, hosts: ['*.default.svc.cluster.local']}]")
    assert addresses(message(mesh)) == ["10.1.0.1", "10.1.0.2", "10.1.0.3"]
    assert addresses(message(mesh, proxy=mesh.proxy(cluster="east"))) == ["10.7.0.1"]


def test_other_networks_are_reached_through_their_gateways() -> None:
    mesh = Mesh(
        SERVICE,
        pod("r1", "10.1.0.1", **{"topology.istio.io/network": "near"}),
        pod("r2", "10.2.0.1", **{"topology.istio.io/network": "far"}),
        pod("r3", "10.2.0.2", **{"topology.istio.io/network": "far"}),
        {**pod("plain", "10.2.0.3"), "metadata": {"name": "plain", "labels": {"topology.istio.io/network": "far"}}},
        pod("r4", "10.3.0.1", **{"topology.istio.io/network": "open"}),
        endpoint_slice(
            "reviews",
            ports={"http": 8080},
            pods={"r1": "10.1.0.1", "r2": "10.2.0.1", "r3": "10.2.0.2", "plain": "10.2.0.3", "r4": "10.3.0.1"},
        ),
    )
    client = mesh.proxy(network="near")
    assert len(addresses(message(mesh, proxy=client))) == 5
    mesh.mesh_networks(
        "networks: {far: {gateways: [{address: 192.0.2.1, port: 15443}, {address: 192.0.2.2, port: 15443}]}}"
    )
    found = message(mesh, proxy=client)
    weights = {
        member.endpoint.address.socket_address.address: member.load_balancing_weight.value
        for member in found.endpoints[0].lb_endpoints
    }
    assert weights == {"10.1.0.1": 2, "10.3.0.1": 2, "192.0.2.1": 2, "192.0.2.2": 2}
    assert len(addresses(message(mesh, proxy=mesh.proxy(network="far")))) == 5


def test_gateways_of_networks_that_are_services() -> None:
    mesh = Mesh(
        SERVICE,
        pod("r2", "10.2.0.1", **{"topology.istio.io/network": "far"}),
        endpoint_slice("reviews", ports={"http": 8080}, pods={"r2": "10.2.0.1"}),
        """
        kind: Service
        metadata:
          name: gateway
          namespace: istio-system
          labels: {topology.istio.io/network: far, networking.istio.io/gatewayPort: "1234"}
        spec: {type: LoadBalancer, clusterIP: 10.0.0.9, ports: [{name: tls, port: 15443}]}
        status: {loadBalancer: {ingress: [{ip: 192.0.2.7}]}}
        """,
    )
    found = message(mesh, proxy=mesh.proxy(network="near"))
    socket = found.endpoints[0].lb_endpoints[0].endpoint.address.socket_address
    assert (socket.address, socket.port_value) == ("192.0.2.7", 1234)


def test_a_further_namespace_costs_next_to_nothing() -> None:
    mesh = Mesh(*(SERVICE.replace("reviews", f"s{number}") for number in range(30)))
    recipes(mesh, mesh.proxy("a.first"))
    before = sum(each.computed for each in mesh.engine.statistics().queries.values())
    assert recipes(mesh, mesh.proxy("b.second")) == recipes(mesh, mesh.proxy("a.first"))
    after = sum(each.computed for each in mesh.engine.statistics().queries.values())
    assert after - before < 30


def test_what_has_no_assignment() -> None:
    mesh = Mesh(
        "{kind: Service, metadata: {name: headless}, spec: {clusterIP: None, ports: [{name: http, port: 80}]}}",
        "{kind: Service, metadata: {name: alias}, spec: {type: ExternalName, externalName: x.y, ports: [{port: 80}]}}",
        "{kind: Service, metadata: {name: udp}, spec: {clusterIP: 10.0.0.1, ports: [{port: 53, protocol: UDP}]}}",
        """
        kind: ServiceEntry
        metadata: {name: dns}
        spec: {hosts: [a.example.com], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
        """,
    )
    assert recipes(mesh) == {}
    assert list(recipes(mesh, mesh.proxy(role=Role.ROUTER))) == ["outbound|80||headless.default.svc.cluster.local"]


def test_a_sidecar_leaves_out_ports() -> None:
    mesh = Mesh(
        """
        kind: Service
        metadata: {name: reviews}
        spec: {clusterIP: 10.0.0.1, ports: [{name: a, port: 80}, {name: b, port: 81}]}
        ---
        kind: Sidecar
        metadata: {name: s}
        spec: {egress: [{port: {number: 81, protocol: HTTP, name: h}, hosts: ["./*"]}]}
        """
    )
    assert list(recipes(mesh)) == ["outbound|81||reviews.default.svc.cluster.local"]


def test_an_endpoint_recomputes_its_assignment_and_nothing_else() -> None:
    mesh = three_pods()
    other = SERVICE.replace("reviews", "ratings")
    mesh.apply(other, rule({"outlierDetection": {}}, subsets=[{"name": "v1", "labels": {"version": "v1"}}]))
    observed = {name: mesh.engine.observe(recipe.query, *recipe.args) for name, recipe in recipes(mesh).items()}
    before = mesh.engine.statistics().queries
    mesh.apply(endpoint_slice("reviews", ports={"http": 8080}, pods={"r1": "10.1.0.1"}))
    for name in observed:
        made(mesh, name)
    after = mesh.engine.statistics().queries
    computed = {name: after[name].computed - before[name].computed for name in after if name in before}
    assert {name: count for name, count in computed.items() if count} == {
        "endpoints.endpoints_by_port": 1,
        "prepared.prepared": 1,
        "assignments.load_assignment": 2,
    }


@pytest.fixture(scope="module")
def every_form() -> list[Resource]:
    mesh = three_pods()
    mesh.apply(
        rule({"outlierDetection": {}}, subsets=[{"name": "v2", "labels": {"version": "v2"}}]),
        """
        kind: ServiceEntry
        metadata: {name: local}
        spec:
          hosts: [local.example.com]
          resolution: STATIC
          ports: [{number: 80, name: http, protocol: HTTP}]
          endpoints: [{address: unix:///run/app.sock}, {address: 10.5.0.1, weight: 5}]
        """,
        "{kind: Service, metadata: {name: two}, spec: {clusterIP: 10.0.0.2, ports: [{name: http, port: 80}]}}",
        endpoint_slice("two", ports={"http": 1}, pods={"both": "10.1.1.1"}),
        endpoint_slice("two", ports={"http": 1}, pods={"both": "2001:db8::1"}, name="six"),
    )
    found = [made(mesh, name, mesh.proxy(locality=Locality("east", "e1"))) for name in recipes(mesh)]
    mesh.apply(rule({"loadBalancer": {"localityLbSetting": {"distribute": [{"from": "*", "to": {"east": 100}}]}}}))
    return [*found, made(mesh, proxy=mesh.proxy(locality=Locality("east", "e1")))]


def test_envoy_accepts_every_form(every_form: list[Resource]) -> None:
    assert len(every_form) > 4
    accepts({ResourceType.EDS: every_form})
