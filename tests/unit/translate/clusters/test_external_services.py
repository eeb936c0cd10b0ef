"""Clusters of ServiceEntries: services that are not in the cluster."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from lateen.model.proxy import Traits
from lateen.testing.mesh import Mesh
from lateen.testing.outbound_clusters import entry, message, tls_context


def external(found: dict[str, Any], **rest: Any) -> dict[str, Any]:
    data = json_format.MessageToDict(message(Mesh(found), **rest), preserving_proto_field_name=True)
    return dict(data)


def hosts(found: dict[str, Any]) -> list[str]:
    return [
        each["endpoint"]["address"]["socket_address"]["address"]
        for group in found["load_assignment"].get("endpoints", [])
        for each in group["lb_endpoints"]
    ]


def test_names_are_resolved_by_the_proxy() -> None:
    endpoints = [{"address": "b.example.com"}, {"address": "c.example.com"}]
    found = external(entry("DNS", endpoints=endpoints), name="outbound|80||a.example.com")
    assert found["type"] == "STRICT_DNS"
    assert hosts(found) == ["b.example.com", "c.example.com"]
    assert found["dns_lookup_family"] == "V4_ONLY"
    assert found["respect_dns_ttl"] is True
    assert found["dns_refresh_rate"] == "60s"
    assert found["metadata"]["filter_metadata"]["istio"]["external"] is True
    assert "transport_socket_matches" not in found


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "families"), [(True, False, "V4_ONLY"), (False, True, "V6_ONLY"), (True, True, "ALL")]
)
def test_only_addresses_of_the_clients_families_are_looked_up(ipv4: bool, ipv6: bool, families: str) -> None:
    mesh = Mesh(entry("DNS"))
    found = message(mesh, "outbound|80||a.example.com", traits=Traits(ipv4=ipv4, ipv6=ipv6))
    data = json_format.MessageToDict(found, preserving_proto_field_name=True)
    assert data["dns_lookup_family"] == families


def test_one_name_is_a_logical_dns_cluster() -> None:
    found = external(entry("DNS_ROUND_ROBIN"), name="outbound|80||a.example.com")
    assert found["type"] == "LOGICAL_DNS"
    assert hosts(found) == ["a.example.com"]


def test_a_subset_of_one_name_that_is_empty_is_no_logical_dns_cluster() -> None:
    subset = {
        "kind": "DestinationRule",
        "metadata": {"name": "r", "namespace": "shop"},
        "spec": {"host": "a.example.com", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]},
    }
    found = message(Mesh(entry("DNS_ROUND_ROBIN"), subset), "outbound|80|v1|a.example.com")
    assert found.type == found.STRICT_DNS


def test_names_of_a_service_entry_are_those_of_its_certificates() -> None:
    policy = {
        "kind": "DestinationRule",
        "metadata": {"name": "r", "namespace": "shop"},
        "spec": {"host": "a.example.com", "trafficPolicy": {"tls": {"mode": "SIMPLE"}}},
    }
    mesh = Mesh(entry("STATIC", subjectAltNames=["other.example.com"]), policy)
    found = json_format.MessageToDict(message(mesh, "outbound|80||a.example.com"), preserving_proto_field_name=True)
    combined = tls_context(found["transport_socket"])["common_tls_context"]["combined_validation_context"]
    validation = combined["default_validation_context"]
    assert [each["matcher"]["exact"] for each in validation["match_typed_subject_alt_names"]] == ["other.example.com"]


def test_whoever_is_asked_for_is_resolved_on_demand() -> None:
    found = external(entry("DYNAMIC_DNS", hosts=["*.example.com"]), name="outbound|80||*.example.com")
    assert found["cluster_type"]["name"] == "envoy.clusters.dynamic_forward_proxy"
    assert found["lb_policy"] == "CLUSTER_PROVIDED"
