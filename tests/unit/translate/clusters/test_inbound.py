from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from lateen.model.proxy import InboundView, Interception, Proxy, Traits
from lateen.testing.envoy import accepts, decoded
from lateen.testing.mesh import Mesh
from lateen.translate.clusters import inbound
from lateen.translate.clusters.connection_pool import HTTP_OPTIONS
from lateen.translate.resource import Resource, ResourceType

REVIEWS = """
kind: Service
metadata: {name: reviews, namespace: shop, creationTimestamp: "2024-01-01T00:00:00Z"}
spec:
  clusterIP: 10.0.0.1
  selector: {app: reviews}
  ports:
  - {name: http, port: 80, targetPort: 8080}
  - {name: grpc, port: 81, targetPort: 8081}
  - {name: unnamed, port: 82, targetPort: 8082}
---
kind: Service
metadata: {name: other, namespace: shop, creationTimestamp: "2024-01-02T00:00:00Z"}
spec: {clusterIP: 10.0.0.2, selector: {app: reviews}, ports: [{name: http, port: 90, targetPort: 8080}]}
"""


def made(mesh: Mesh, proxy: Proxy) -> dict[str, Resource]:
    (view,) = (each for each in mesh.views(proxy) if isinstance(each, InboundView))
    return {recipe.name: mesh.make(recipe) for recipe in mesh.get(inbound.listing, view)}


def workload(mesh: Mesh, **rest: Any) -> Proxy:
    return mesh.proxy("reviews-1.shop", {"app": "reviews"}, **rest)


def cluster(mesh: Mesh, name: str = "inbound|8080||", **rest: Any) -> dict[str, Any]:
    message = decoded(ResourceType.CDS, made(mesh, workload(mesh, **rest))[name])
    return dict(json_format.MessageToDict(message, preserving_proto_field_name=True))


def sidecar(*ingress: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "kind": "Sidecar",
        "metadata": {"name": "reviews", "namespace": "shop"},
        "spec": {"workloadSelector": {"labels": {"app": "reviews"}}, "ingress": ingress, **spec},
    }


def ingress(default_endpoint: str = "", protocol: str = "HTTP", **rest: Any) -> dict[str, Any]:
    port = {"number": 9000, "protocol": protocol, "name": "in"}
    return {"port": port, **({"defaultEndpoint": default_endpoint} if default_endpoint else {}), **rest}


def test_there_is_one_per_port_of_the_workload() -> None:
    mesh = Mesh(REVIEWS)
    assert sorted(made(mesh, workload(mesh))) == [
        "InboundPassthroughCluster",
        "inbound|8080||",
        "inbound|8081||",
        "inbound|8082||",
    ]


def test_a_port_goes_where_the_caller_was_going_from_an_address_that_is_not_captured() -> None:
    found = cluster(Mesh(REVIEWS))
    assert (found["type"], found["lb_policy"]) == ("ORIGINAL_DST", "CLUSTER_PROVIDED")
    assert found["upstream_bind_config"]["source_address"]["address"] == "127.0.0.6"
    assert found["alt_stat_name"] == "inbound|8080||;"
    assert "transport_socket" not in found


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "addresses"),
    [(True, False, ["127.0.0.6"]), (False, True, ["::6"]), (True, True, ["127.0.0.6", "::6"])],
)
def test_the_address_is_of_the_families_that_the_workload_has(ipv4: bool, ipv6: bool, addresses: list[str]) -> None:
    found = cluster(Mesh(REVIEWS), traits=Traits(ipv4=ipv4, ipv6=ipv6))["upstream_bind_config"]
    more = [each["address"]["address"] for each in found.get("extra_source_addresses", [])]
    assert [found["source_address"]["address"], *more] == addresses


def test_the_metadata_names_all_services_of_the_port_the_oldest_first() -> None:
    services = cluster(Mesh(REVIEWS))["metadata"]["filter_metadata"]["istio"]["services"]
    assert [each["name"] for each in services] == ["reviews", "other"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("inbound|8080||", None),
        ("inbound|8081||", {"explicit_http_config": {"http2_protocol_options": {}}}),
        (
            "inbound|8082||",
            {"use_downstream_protocol_config": {"http_protocol_options": {}, "http2_protocol_options": {}}},
        ),
    ],
)
def test_the_application_is_spoken_to_as_its_port_says(name: str, expected: dict[str, Any] | None) -> None:
    found = cluster(Mesh(REVIEWS), name).get("typed_extension_protocol_options", {}).get(HTTP_OPTIONS)
    assert ({key: value for key, value in found.items() if key != "@type"} if found else None) == expected


def test_the_mesh_may_send_to_loopback() -> None:
    mesh = Mesh(REVIEWS)
    mesh.mesh_config("inboundTrafficPolicy: {mode: LOCALHOST}")
    found = cluster(mesh)
    assert found["type"] == "STATIC"
    assert endpoint(found) == ("127.0.0.1", 8080)
    assert "upstream_bind_config" not in found


def endpoint(found: dict[str, Any]) -> tuple[str, int]:
    (group,) = found["load_assignment"]["endpoints"]
    (only,) = group["lb_endpoints"]
    address = only["endpoint"]["address"]
    if "pipe" in address:
        return address["pipe"]["path"], 0
    return address["socket_address"]["address"], address["socket_address"]["port_value"]


@pytest.mark.parametrize(
    ("declared", "expected", "bound"),
    [
        ("127.0.0.1:8000", ("127.0.0.1", 8000), False),
        ("0.0.0.0:8000", ("10.9.0.1", 8000), True),
        ("[::]:8000", ("fd00::9", 8000), True),
        ("unix:///run/app.sock", ("/run/app.sock", 0), False),
    ],
)
def test_a_sidecar_says_where_the_application_listens(declared: str, expected: tuple[str, int], bound: bool) -> None:
    mesh = Mesh(REVIEWS, sidecar(ingress(declared)))
    found = cluster(mesh, "inbound|9000||", addresses=("10.9.0.1", "fd00::9"))
    assert endpoint(found) == expected
    assert ("upstream_bind_config" in found) is bound
    (named,) = found["metadata"]["filter_metadata"]["istio"]["services"]
    assert named == {"host": "reviews.shop", "name": "reviews", "namespace": "shop"}


def test_loopback_is_of_the_family_that_the_workload_has() -> None:
    mesh = Mesh(REVIEWS, sidecar(ingress("127.0.0.1:8000")))
    found = cluster(mesh, "inbound|9000||", traits=Traits(ipv4=False, ipv6=True), addresses=("fd00::9",))
    assert endpoint(found) == ("::1", 8000)


def test_ports_of_a_sidecar_stand_in_for_those_of_services() -> None:
    mesh = Mesh(REVIEWS, sidecar(ingress()))
    assert sorted(made(mesh, workload(mesh))) == ["InboundPassthroughCluster", "inbound|9000||"]
    assert cluster(mesh, "inbound|9000||")["type"] == "ORIGINAL_DST"


def test_where_nothing_is_captured_only_a_sidecar_s_ports_are_taken() -> None:
    traits = Traits(interception=Interception.NONE)
    mesh = Mesh(REVIEWS)
    assert sorted(made(mesh, workload(mesh, traits=traits))) == ["InboundPassthroughCluster"]


RULE = """
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec:
  host: reviews
  trafficPolicy:
    connectionPool: {tcp: {maxConnections: 1}}
    portLevelSettings: [{port: {number: 81}, connectionPool: {tcp: {maxConnections: 2}}}]
"""
POOL = {"tcp": {"maxConnections": 3}}


@pytest.mark.parametrize(
    ("resources", "name", "limit"),
    [
        ((), "inbound|8080||", 4294967295),
        ((RULE,), "inbound|8080||", 1),
        ((RULE,), "inbound|8081||", 2),
        ((RULE, sidecar(inboundConnectionPool=POOL)), "inbound|8080||", 3),
        ((sidecar(ingress(), inboundConnectionPool=POOL),), "inbound|9000||", 3),
        (
            (sidecar(ingress(connectionPool={"tcp": {"maxConnections": 4}}), inboundConnectionPool=POOL),),
            "inbound|9000||",
            4,
        ),
    ],
)
def test_limits_hold_at_the_server_too(resources: tuple[Any, ...], name: str, limit: int) -> None:
    (limits,) = cluster(Mesh(REVIEWS, *resources), name)["circuit_breakers"]["thresholds"]
    assert limits["max_connections"] == limit


def test_the_metadata_names_the_rule_whose_limits_hold() -> None:
    istio = cluster(Mesh(REVIEWS, RULE))["metadata"]["filter_metadata"]["istio"]
    assert istio["config"] == "/apis/networking.istio.io/v1/namespaces/shop/destination-rule/reviews"


def test_rules_about_particular_clients_do_not_hold_at_the_server() -> None:
    selected = RULE.replace("host: reviews", "host: reviews\n  workloadSelector: {matchLabels: {app: reviews}}")
    (limits,) = cluster(Mesh(REVIEWS, selected))["circuit_breakers"]["thresholds"]
    assert limits["max_connections"] == 4294967295


def test_the_mesh_says_what_statistics_are_called() -> None:
    mesh = Mesh(REVIEWS)
    mesh.mesh_config("inboundClusterStatName: '%SERVICE%_%TARGET_PORT%'")
    assert cluster(mesh)["alt_stat_name"] == "reviews.shop_8080;"


def test_replicas_share_them() -> None:
    mesh = Mesh(REVIEWS)
    one = next(each for each in mesh.views(workload(mesh, addresses=("10.9.0.1",))) if isinstance(each, InboundView))
    two = next(each for each in mesh.views(workload(mesh, addresses=("10.9.0.2",))) if isinstance(each, InboundView))
    assert mesh.get(inbound.listing, one) is mesh.get(inbound.listing, two)


def test_envoy_accepts_them() -> None:
    found: list[Resource] = []
    for own in ((), (RULE,), *((sidecar(ingress(each)),) for each in ("", "127.0.0.1:1", "0.0.0.0:1", "unix:///a"))):
        for families in ((True, False), (False, True), (True, True)):
            mesh = Mesh(REVIEWS, *own)
            traits = Traits(ipv4=families[0], ipv6=families[1])
            found += made(mesh, workload(mesh, traits=traits, addresses=("10.9.0.1", "fd00::9"))).values()
    accepts({ResourceType.CDS: found})
