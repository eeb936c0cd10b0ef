"""Views: what tells proxies apart, and nothing else."""

from __future__ import annotations

from typing import Any

from lateen.engine import Reader, query
from lateen.model.endpoint import Locality
from lateen.model.proxy import (
    GatewayView,
    Generator,
    GrpcClientView,
    GrpcServerView,
    InboundView,
    Interception,
    OutboundView,
    Proxy,
    Role,
    Traits,
    View,
)
from lateen.model.views import views_of
from lateen.testing.mesh import Mesh

EAST = Locality("east", "e1")


@query
def _views(db: Reader, proxy: Proxy) -> tuple[View, ...]:
    return views_of(db, proxy)


def outbound(mesh: Mesh, **proxy: Any) -> OutboundView:
    view = mesh.views(mesh.proxy(**proxy))[0]
    assert isinstance(view, OutboundView)
    return view


def inbound(mesh: Mesh, **proxy: Any) -> InboundView:
    view = mesh.views(mesh.proxy(**proxy))[1]
    assert isinstance(view, InboundView)
    return view


def test_roles() -> None:
    mesh = Mesh()
    assert [type(view) for view in mesh.views(mesh.proxy())] == [OutboundView, InboundView]
    assert [type(view) for view in mesh.views(mesh.gateway())] == [GatewayView]
    assert mesh.views(mesh.proxy(role=Role.WAYPOINT)) == ()


def test_an_application_without_a_proxy_is_a_client_and_a_server_in_views_of_its_own() -> None:
    mesh = Mesh()
    sidecar = mesh.proxy(addresses=("10.0.0.1",))
    grpc = mesh.proxy(addresses=("10.0.0.1",), generator=Generator.GRPC)
    client, server = mesh.views(grpc)
    assert isinstance(client, GrpcClientView)
    assert isinstance(server, GrpcServerView)
    assert client.sidecar == outbound(mesh, addresses=("10.0.0.1",))
    assert set(mesh.views(grpc)).isdisjoint(mesh.views(sidecar))
    # What it may ask for depends on its addresses as a server, and not as a client.
    other, server_there = mesh.views(mesh.proxy("b.default", addresses=("10.0.0.2",), generator=Generator.GRPC))
    assert (other == client, server_there == server) == (True, False)
    assert mesh.views(mesh.gateway(generator=Generator.GRPC)) == ()


def test_proxies_of_a_namespace_share_their_outbound_view() -> None:
    mesh = Mesh("{kind: Service, metadata: {name: a}, spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}}")
    one: dict[str, Any] = {"id": "a.default", "labels": {"app": "a"}, "locality": EAST, "node": "n1"}
    other: dict[str, Any] = {
        "id": "b.default",
        "labels": {"app": "b"},
        "addresses": ("10.9.9.9",),
        "service_account": "x",
    }
    assert outbound(mesh, **one) == outbound(mesh, **other)


def test_labels_that_something_selects_by_tell_clients_apart() -> None:
    mesh = Mesh()

    def kept(namespace: str = "default") -> tuple[str, ...]:
        labels = dict.fromkeys(["source", "rule", "priority", "plain"], "1")
        return tuple(name for name, _ in outbound(mesh, id=f"a.{namespace}", labels=labels).labels)

    assert kept() == ()
    mesh.apply(
        """
        kind: VirtualService
        metadata: {name: v, namespace: other}
        spec:
          hosts: [a.example.com]
          http:
          - match: [{sourceLabels: {source: "1"}}]
            route: [{destination: {host: a.example.com}}]
          - route: [{destination: {host: b.example.com}}]
        """
    )
    assert kept() == ("source",)
    mesh.apply(
        """
        kind: DestinationRule
        metadata: {name: d, namespace: other}
        spec:
          host: a.example.com
          workloadSelector: {matchLabels: {rule: "1"}}
          trafficPolicy:
            outlierDetection: {}
            loadBalancer: {localityLbSetting: {failoverPriority: [priority, "plain=2"]}}
        """
    )
    assert kept() == ("plain", "priority", "source")
    assert kept("other") == ("plain", "priority", "rule", "source")


def test_labels_that_something_selects_by_tell_workloads_apart() -> None:
    mesh = Mesh()

    def kept() -> tuple[str, ...]:
        labels = dict.fromkeys(["service", "entry", "peer", "root", "plain"], "1")
        return tuple(name for name, _ in inbound(mesh, labels=labels).labels)

    assert kept() == ()
    mesh.apply(
        """
        kind: Service
        metadata: {name: s}
        spec: {clusterIP: 10.0.0.1, selector: {service: "1"}, ports: [{port: 80}]}
        ---
        kind: ServiceEntry
        metadata: {name: e}
        spec:
          hosts: [e.example.com]
          ports: [{number: 80, name: http, protocol: HTTP}]
          resolution: STATIC
          workloadSelector: {labels: {entry: "2"}}
        ---
        kind: PeerAuthentication
        metadata: {name: p}
        spec: {selector: {matchLabels: {peer: "2"}}}
        ---
        kind: PeerAuthentication
        metadata: {name: elsewhere, namespace: other}
        spec: {selector: {matchLabels: {plain: "2"}}}
        """
    )
    assert kept() == ("entry", "peer", "service")


def test_the_platform_knows_labels_account_and_node_better_than_the_proxy() -> None:
    mesh = Mesh(
        """
        kind: Service
        metadata: {name: s}
        spec: {clusterIP: 10.0.0.1, selector: {app: x}, internalTrafficPolicy: Local, ports: [{port: 80}]}
        ---
        kind: Pod
        metadata: {name: a, labels: {app: real}}
        spec: {serviceAccountName: own, nodeName: n1}
        """
    )
    claimed: dict[str, Any] = {"id": "a.default", "labels": {"app": "claimed"}, "service_account": "claimed"}
    mesh.apply(
        """
        kind: EnvoyFilter
        metadata: {name: f}
        spec:
          workloadSelector: {labels: {app: real}}
          configPatches:
          - applyTo: CLUSTER
            match: {context: SIDECAR_OUTBOUND}
            patch: {operation: MERGE, value: {connect_timeout: 1s}}
        """
    )
    assert [each.filter.name for each in outbound(mesh, **claimed).patches] == ["f"]
    view = inbound(mesh, **claimed)
    assert view.labels == (("app", "real"),)
    assert view.service_account == "own"
    assert outbound(mesh, **claimed).node == "n1"
    assert inbound(mesh, id="b.default", labels={"app": "claimed"}).labels == (("app", "claimed"),)


def test_a_locality_matters_where_something_asks_for_it() -> None:
    rule = "{{kind: DestinationRule, metadata: {{name: d}}, spec: {{host: a.example.com, trafficPolicy: {policy}}}}}"
    service = "{{kind: Service, metadata: {{name: a}}, spec: {{clusterIP: 10.0.0.1, ports: [{{port: 80}}]{rest}}}}}"
    mesh = Mesh(service.format(rest=""), rule.format(policy="{tls: {mode: SIMPLE}}"))
    assert outbound(mesh, locality=EAST).locality == Locality()
    mesh.apply(rule.format(policy="{outlierDetection: {}}"))
    assert outbound(mesh, locality=EAST).locality == EAST
    mesh.apply(rule.format(policy="{portLevelSettings: [{port: {number: 80}, outlierDetection: {}}]}"))
    assert outbound(mesh, locality=EAST).locality == EAST
    mesh.delete("DestinationRule", "default", "d")
    assert outbound(mesh, locality=EAST).locality == Locality()
    mesh.apply(service.format(rest=", trafficDistribution: PreferClose"))
    assert outbound(mesh, locality=EAST).locality == EAST
    mesh.delete("Service", "default", "a")
    mesh.mesh_config("localityLbSetting: {distribute: [{from: 'east/*', to: {'east/*': 100}}]}")
    assert outbound(mesh, locality=EAST).locality == EAST


def test_a_locality_is_the_nodes_where_the_proxy_says_none() -> None:
    mesh = Mesh(
        """
        kind: Service
        metadata: {name: a}
        spec: {clusterIP: 10.0.0.1, trafficDistribution: PreferSameNode, ports: [{port: 80}]}
        ---
        kind: Pod
        metadata: {name: a}
        spec: {nodeName: n1}
        ---
        kind: Node
        metadata: {name: n1, labels: {topology.kubernetes.io/region: east, topology.kubernetes.io/zone: e1}}
        """
    )
    view = outbound(mesh, id="a.default")
    assert (view.locality, view.node) == (EAST, "n1")


def test_addresses_matter_where_listeners_are_bound_to_them() -> None:
    mesh = Mesh()
    assert inbound(mesh).addresses == ()
    assert inbound(mesh, traits=Traits(interception=Interception.NONE)).addresses == ("10.99.0.1",)
    sidecar = """
        kind: Sidecar
        metadata: {{name: s}}
        spec: {{ingress: [{{port: {{number: 80, protocol: HTTP}}, {rest}}}]}}
    """
    mesh.apply(sidecar.format(rest='defaultEndpoint: "127.0.0.1:8080"'))
    assert inbound(mesh).addresses == ()
    mesh.apply(sidecar.format(rest='defaultEndpoint: "0.0.0.0:8080"'))
    assert inbound(mesh).addresses == ("10.99.0.1",)
    mesh.apply(sidecar.format(rest="bind: 10.99.0.1"))
    assert inbound(mesh).addresses == ("10.99.0.1",)


def test_a_gateway_keeps_the_labels_that_gateways_select_by() -> None:
    mesh = Mesh(
        """
        kind: Gateway
        metadata: {name: g, namespace: other}
        spec: {selector: {istio: x}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
        """
    )
    (view,) = mesh.views(mesh.gateway(labels={"istio": "ingressgateway", "pod": "1"}))
    assert view.labels == (("istio", "ingressgateway"),)


def test_edits_that_change_no_selector_recompute_no_view() -> None:
    route = """
        kind: VirtualService
        metadata: {{name: v}}
        spec: {{hosts: [a.example.com], http: [{{route: [{{destination: {{host: {host}.example.com}}}}]}}]}}
    """
    mesh = Mesh(
        route.format(host="a"),
        "{kind: Pod, metadata: {name: client, labels: {app: a}}, status: {phase: Running}}",
    )
    proxy: Proxy = mesh.proxy()
    before: tuple[View, ...] = mesh.get(_views, proxy)
    mesh.apply(
        route.format(host="b"), "{kind: Pod, metadata: {name: client, labels: {app: a}}, status: {podIP: 10.1.1.1}}"
    )
    assert mesh.get(_views, proxy) is before
