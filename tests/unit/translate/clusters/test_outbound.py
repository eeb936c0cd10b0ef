from __future__ import annotations

from typing import Any

import pytest

from lateen.model.proxy import OutboundView
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.testing.outbound_clusters import HOST, REVIEWS, cluster, http_options, made, message, rule
from lateen.translate.clusters.outbound import service_recipes


def test_a_cluster_without_rules() -> None:
    found = cluster()
    assert found["type"] == "EDS"
    assert found["eds_cluster_config"] == {
        "eds_config": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"},
        "service_name": f"outbound|80||{HOST}",
    }
    assert found["connect_timeout"] == "10s"
    assert found["lb_policy"] == "LEAST_REQUEST"
    assert found["alt_stat_name"] == f"outbound|80||{HOST};"
    most = 4294967295
    assert found["circuit_breakers"]["thresholds"] == [
        {
            "max_connections": most,
            "max_pending_requests": most,
            "max_requests": most,
            "max_retries": most,
            "track_remaining": True,
        }
    ]
    assert found["metadata"]["filter_metadata"]["istio"] == {
        "service": {"host": HOST, "name": "reviews", "namespace": "shop"},
        "services": [{"host": HOST, "name": "reviews", "namespace": "shop"}],
        "default_original_port": 80.0,
    }
    assert http_options(found) == {}
    assert "upstream_connection_options" not in found


def test_the_metadata_names_rule_and_subset() -> None:
    found = cluster({"loadBalancer": {"simple": "RANDOM"}}, subset="v1", subsets=[{"name": "v1"}])
    istio = found["metadata"]["filter_metadata"]["istio"]
    assert istio["config"] == "/apis/networking.istio.io/v1/namespaces/shop/destination-rule/reviews"
    assert istio["subset"] == "v1"


def test_the_mesh_says_what_statistics_are_called() -> None:
    pattern = "outboundClusterStatName: '%SERVICE%_%SERVICE_FQDN%_%SERVICE_PORT%_%SERVICE_PORT_NAME%_%SUBSET_NAME%'"
    found = cluster({"tls": {"mode": "DISABLE"}}, subset="v1", subsets=[{"name": "v1"}], mesh_config=pattern)
    assert found["alt_stat_name"] == f"reviews.shop_{HOST}_80_http_v1;"


@pytest.mark.parametrize("udp_first", [True, False])
def test_a_udp_port_of_the_same_number_changes_nothing(udp_first: bool) -> None:
    tcp = {"name": "http", "port": 80, "targetPort": 8080}
    udp = {"name": "quic", "port": 80, "targetPort": 8080, "protocol": "UDP"}
    both = [udp, tcp] if udp_first else [tcp, udp]

    def made_of(*ports: dict[str, Any]) -> Any:
        spec = {"clusterIP": "10.0.0.1", "selector": {"app": "reviews"}, "ports": list(ports)}
        return message(Mesh({"kind": "Service", "metadata": {"name": "reviews", "namespace": "shop"}, "spec": spec}))

    assert made_of(*both) == made_of(tcp)


def test_endpoints_that_come_leave_a_cluster_alone() -> None:
    mesh = Mesh(REVIEWS)
    view = next(each for each in mesh.views(mesh.proxy()) if isinstance(each, OutboundView))
    recipe = mesh.get(service_recipes, view)[0]
    before = mesh.make(recipe)
    computed = mesh.engine.statistics().queries["outbound.cluster"].computed
    pods = {"reviews-1": "10.1.0.1", "reviews-2": "10.1.0.2"}
    mesh.apply(
        """
kind: Pod
metadata: {name: reviews-2, namespace: shop, labels: {app: reviews}}
spec: {serviceAccountName: runner, nodeName: n, containers: [{name: c}]}
status: {podIP: 10.1.0.2, podIPs: [{ip: 10.1.0.2}]}
""",
        endpoint_slice("reviews", "shop", ports={"http": 8080, "grpc": 8080}, pods=pods),
    )
    assert mesh.make(recipe) is before
    assert mesh.engine.statistics().queries["outbound.cluster"].computed == computed


def test_a_policy_recomputes_the_clusters_of_its_rule_alone() -> None:
    ratings = REVIEWS.replace("reviews", "ratings").replace("10.1.0.1", "10.1.0.9")
    mesh = Mesh(REVIEWS, ratings, rule({"loadBalancer": {"simple": "RANDOM"}}))
    proxy = mesh.proxy()
    made(mesh, proxy)
    before = {name: each.computed for name, each in mesh.engine.statistics().queries.items()}
    mesh.apply(rule({"loadBalancer": {"simple": "ROUND_ROBIN"}}))
    made(mesh, proxy)
    after = mesh.engine.statistics().queries
    assert after["outbound.cluster"].computed - before["outbound.cluster"] == 4
    assert after["outbound.recipes_in_scope"].computed == before["outbound.recipes_in_scope"]
