from __future__ import annotations

import pytest

from lateen.model.outbound_clusters import Discovery, OutboundCluster, outbound_clusters
from lateen.model.proxy import GatewayView, OutboundView, Proxy
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.translate.clusters.outbound import recipes_in_scope, service_recipes

REVIEWS = """
kind: Service
metadata: {name: reviews, namespace: shop}
spec:
  clusterIP: 10.0.0.1
  selector: {app: reviews}
  ports: [{name: http, port: 80}, {name: grpc, port: 81}, {name: dns, port: 53, protocol: UDP}]
"""
RULE = """
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec:
  host: reviews
  subsets: [{name: v1, labels: {version: v1, app: reviews}}]
"""


def view(mesh: Mesh, proxy: Proxy) -> OutboundView | GatewayView:
    return next(each for each in mesh.views(proxy) if isinstance(each, OutboundView | GatewayView))


def clusters(mesh: Mesh, proxy: Proxy | None = None) -> dict[str, OutboundCluster]:
    found = mesh.get(outbound_clusters, view(mesh, proxy or mesh.proxy()))
    return {each.name: each for each in found}


def entry(resolution: str, *, host: str = "a.example.com") -> str:
    return f"""
kind: ServiceEntry
metadata: {{name: entry, namespace: shop}}
spec:
  hosts: ["{host}"]
  location: MESH_EXTERNAL
  resolution: {resolution}
  ports: [{{number: 80, name: http, protocol: HTTP}}]
"""


def test_there_is_one_per_port_and_subset_in_order() -> None:
    assert list(clusters(Mesh(REVIEWS, RULE))) == [
        "outbound|80||reviews.shop.svc.cluster.local",
        "outbound|80|v1|reviews.shop.svc.cluster.local",
        "outbound|81||reviews.shop.svc.cluster.local",
        "outbound|81|v1|reviews.shop.svc.cluster.local",
    ]


def test_a_subset_is_told_by_its_labels() -> None:
    found = clusters(Mesh(REVIEWS, RULE))["outbound|80|v1|reviews.shop.svc.cluster.local"]
    assert found.subset_labels == (("app", "reviews"), ("version", "v1"))
    assert found.is_eds
    assert [str(key) for key in found.rules] == ["shop/reviews"]


@pytest.mark.parametrize(
    ("resolution", "sidecar", "gateway"),
    [
        ("STATIC", Discovery.EDS, Discovery.EDS),
        ("DNS", Discovery.STRICT_DNS, Discovery.STRICT_DNS),
        ("DNS_ROUND_ROBIN", Discovery.LOGICAL_DNS, Discovery.LOGICAL_DNS),
        ("NONE", Discovery.ORIGINAL_DST, Discovery.EDS),
    ],
)
def test_resolution_decides_on_discovery(resolution: str, sidecar: Discovery, gateway: Discovery) -> None:
    mesh = Mesh(entry(resolution))
    assert clusters(mesh)["outbound|80||a.example.com"].discovery is sidecar
    assert clusters(mesh, mesh.gateway())["outbound|80||a.example.com"].discovery is gateway


def test_wildcards_are_resolved_as_they_are_asked_for() -> None:
    found = clusters(Mesh(entry("DYNAMIC_DNS", host="*.example.com")))
    assert found["outbound|80||*.example.com"].discovery is Discovery.DYNAMIC_FORWARD_PROXY


def test_passthrough_balancing_of_a_subset_is_to_where_the_client_went() -> None:
    rule = """
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec:
  host: reviews
  subsets: [{name: v1, trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}]
"""
    found = clusters(Mesh(REVIEWS, rule))
    assert found["outbound|80||reviews.shop.svc.cluster.local"].discovery is Discovery.EDS
    assert found["outbound|80|v1|reviews.shop.svc.cluster.local"].discovery is Discovery.ORIGINAL_DST


def test_an_alias_has_no_clusters() -> None:
    alias = """
kind: Service
metadata: {name: other, namespace: shop}
spec: {type: ExternalName, externalName: a.example.com, ports: [{name: http, port: 80}]}
"""
    assert clusters(Mesh(alias)) == {}


def test_a_sidecar_that_sees_one_port_has_the_clusters_of_that_port() -> None:
    sidecar = """
kind: Sidecar
metadata: {name: default, namespace: default}
spec:
  egress: [{port: {number: 81, protocol: GRPC, name: grpc}, hosts: ["shop/*"]}]
"""
    assert list(clusters(Mesh(REVIEWS, RULE, sidecar))) == [
        "outbound|81||reviews.shop.svc.cluster.local",
        "outbound|81|v1|reviews.shop.svc.cluster.local",
    ]


# --- sharing ------------------------------------------------------------------------------------------------------


def test_namespaces_share_listing_and_recipes() -> None:
    mesh = Mesh(REVIEWS, RULE)
    first = mesh.get(service_recipes, view(mesh, mesh.proxy("a.one")))
    again = mesh.engine.statistics().queries["outbound.recipes_in_scope"].computed
    second = mesh.get(service_recipes, view(mesh, mesh.proxy("b.shop", {"app": "b"})))
    assert first is second
    assert mesh.engine.statistics().queries["outbound.recipes_in_scope"].computed == again


def test_a_namespace_with_a_rule_of_its_own_shares_all_other_recipes() -> None:
    own = """
kind: DestinationRule
metadata: {name: own, namespace: two}
spec: {host: reviews.shop.svc.cluster.local, trafficPolicy: {loadBalancer: {simple: RANDOM}}}
"""
    ratings = REVIEWS.replace("reviews", "ratings")
    mesh = Mesh(REVIEWS, RULE, ratings, own)
    one = {each.name: each for each in mesh.get(service_recipes, view(mesh, mesh.proxy("a.one")))}
    two = {each.name: each for each in mesh.get(service_recipes, view(mesh, mesh.proxy("b.two")))}
    differing = {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)}
    assert differing == {name for name in one if "reviews" in name}


def test_a_change_of_endpoints_recomputes_no_listing() -> None:
    mesh = Mesh(REVIEWS, RULE, endpoint_slice("reviews", "shop", ports={"http": 8080}, addresses=("10.1.0.1",)))
    seen = view(mesh, mesh.proxy())
    observed = mesh.engine.observe(recipes_in_scope, *_arguments(mesh, seen))
    before = mesh.engine.statistics().queries["outbound.recipes_in_scope"].computed
    mesh.apply(endpoint_slice("reviews", "shop", ports={"http": 8080}, addresses=("10.1.0.1", "10.1.0.2")))
    observed.get()
    assert mesh.engine.take_stale() == []
    assert mesh.engine.statistics().queries["outbound.recipes_in_scope"].computed == before


def _arguments(mesh: Mesh, seen: OutboundView | GatewayView) -> tuple[object, ...]:
    from lateen.model.destination_rules import ANY_CLIENT
    from lateen.model.scope import scope_key
    from lateen.translate.clusters.outbound import ClientTraits

    return (mesh.get(scope_key, seen), ANY_CLIENT, ClientTraits())
