from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from lateen.sources.files.completion import complete


def completed(text: str, **options: str) -> list[Mapping[str, Any]]:
    return complete([raw for raw in yaml.safe_load_all(text) if raw], **options)


def of(kind: str, objects: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [raw for raw in objects if raw["kind"] == kind]


def one(kind: str, objects: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    (found,) = of(kind, objects)
    return found


SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: reviews, labels: {app: reviews}}
spec:
  selector: {app: reviews}
  ports:
  - {name: http, port: 80, targetPort: web}
  - {name: admin, port: 81, appProtocol: grpc}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: default, labels: {{app: reviews}}}}
spec:
  nodeName: node-1
  containers: [{{name: c, ports: [{{name: web, containerPort: {port}}}]}}]
status: {status}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: reviews}}
  template:
    metadata: {labels: {app: reviews, version: v1}, annotations: {a: b}}
    spec: {serviceAccountName: sa}
"""


def test_objects_without_a_namespace_go_to_the_default_one() -> None:
    text = SERVICE + "---\n{apiVersion: v1, kind: Node, metadata: {name: n}}"
    found = completed(text, namespace="shop")
    assert one("Service", found)["metadata"]["namespace"] == "shop"
    assert "namespace" not in one("Node", found)["metadata"]
    assert one("Namespace", found)["metadata"] == {"name": "shop", "labels": {"kubernetes.io/metadata.name": "shop"}}


def test_a_namespace_that_is_there_keeps_its_labels() -> None:
    found = completed(SERVICE + "---\n{apiVersion: v1, kind: Namespace, metadata: {name: default, labels: {x: y}}}")
    assert one("Namespace", found)["metadata"]["labels"] == {"kubernetes.io/metadata.name": "default", "x": "y"}


def test_cluster_addresses_depend_on_the_name_alone() -> None:
    other = "---\n{apiVersion: v1, kind: Service, metadata: {name: other}, spec: {ports: [{port: 1}]}}"
    alone, together = completed(SERVICE), completed(SERVICE + other)
    address = one("Service", alone)["spec"]["clusterIP"]
    assert ipaddress.ip_address(address) in ipaddress.ip_network("10.96.0.0/12")
    addresses = [raw["spec"]["clusterIP"] for raw in of("Service", together)]
    assert addresses[0] == address
    assert addresses[1] != address
    assert one("Service", alone)["spec"]["clusterIPs"] == [address]


def test_an_address_that_is_taken_is_not_given_again() -> None:
    address = one("Service", completed(SERVICE))["spec"]["clusterIP"]
    taken = f"---\n{{apiVersion: v1, kind: Service, metadata: {{name: t}}, spec: {{clusterIP: {address}}}}}"
    first, second = of("Service", completed(SERVICE + taken))
    assert second["spec"]["clusterIP"] == address
    assert first["spec"]["clusterIP"] != address


@pytest.mark.parametrize("spec", ["{clusterIP: None}", "{type: ExternalName, externalName: example.com}"])
def test_services_that_want_no_address_get_none(spec: str) -> None:
    service = one("Service", completed(f"{{apiVersion: v1, kind: Service, metadata: {{name: s}}, spec: {spec}}}"))
    assert service["spec"].get("clusterIP") in (None, "None")


def test_ports_have_their_defaults() -> None:
    http, admin = one("Service", completed(SERVICE))["spec"]["ports"]
    assert (http["targetPort"], http["protocol"]) == ("web", "TCP")
    assert (admin["targetPort"], admin["appProtocol"]) == (81, "grpc")


def test_slices_from_pods_with_addresses() -> None:
    ready = "{podIP: 10.0.0.1, conditions: [{type: Ready, status: 'True'}]}"
    unready = "{podIPs: [{ip: 10.0.0.2}], conditions: [{type: Ready, status: 'False'}]}"
    pods = [POD.format(name=n, port=8080, status=s) for n, s in (("a", ready), ("b", unready), ("c", "{}"))]
    slice_ = one("EndpointSlice", completed("---".join([SERVICE, *pods])))
    assert slice_["metadata"]["labels"] == {"app": "reviews", "kubernetes.io/service-name": "reviews"}
    assert slice_["addressType"] == "IPv4"
    assert [(e["addresses"], e["conditions"]["ready"], e["nodeName"]) for e in slice_["endpoints"]] == [
        (["10.0.0.1"], True, "node-1"),
        (["10.0.0.2"], False, "node-1"),
    ]
    assert slice_["ports"] == [
        {"name": "http", "protocol": "TCP", "port": 8080},
        {"name": "admin", "protocol": "TCP", "port": 81, "appProtocol": "grpc"},
    ]


def test_pods_that_disagree_on_a_port_or_have_two_families_are_in_slices_of_their_own() -> None:
    dual = POD.format(name="a", port=8080, status="{podIPs: [{ip: 10.0.0.1}, {ip: '2001:2::1'}]}")
    other = POD.format(name="b", port=9090, status="{podIP: 10.0.0.2}")
    slices = of("EndpointSlice", completed("---".join([SERVICE, dual, other])))
    assert {
        (raw["addressType"], raw["ports"][0]["port"], tuple(e["addresses"][0] for e in raw["endpoints"]))
        for raw in slices
    } == {("IPv4", 8080, ("10.0.0.1",)), ("IPv4", 9090, ("10.0.0.2",)), ("IPv6", 8080, ("2001:2::1",))}
    assert len({raw["metadata"]["name"] for raw in slices}) == 3


def test_a_pod_without_the_named_port_answers_for_the_others_only() -> None:
    pod = POD.format(name="a", port=8080, status="{podIP: 10.0.0.1}").replace("name: web", "name: other")
    assert [port["name"] for port in one("EndpointSlice", completed(SERVICE + "---" + pod))["ports"]] == ["admin"]


def test_slices_of_the_manifests_are_all_there_is() -> None:
    slice_ = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: mine, labels: {kubernetes.io/service-name: reviews}}
addressType: IPv4
endpoints: []
"""
    pod = POD.format(name="a", port=8080, status="{podIP: 10.0.0.1}")
    assert one("EndpointSlice", completed("---".join([SERVICE, pod, slice_])))["metadata"]["name"] == "mine"


def test_endpoints_are_mirrored() -> None:
    endpoints = """
apiVersion: v1
kind: Endpoints
metadata: {name: reviews}
subsets:
- addresses: [{ip: 10.0.0.1}]
  notReadyAddresses: [{ip: 10.0.0.2}]
  ports: [{name: http, port: 8080}]
"""
    slice_ = one("EndpointSlice", completed(SERVICE + "---" + endpoints))
    assert [(e["addresses"][0], e["conditions"]["ready"]) for e in slice_["endpoints"]] == [
        ("10.0.0.1", True),
        ("10.0.0.2", False),
    ]
    assert slice_["ports"] == [{"name": "http", "protocol": "TCP", "port": 8080}]


def test_a_workload_has_one_pod_without_an_address() -> None:
    pod = one("Pod", completed(DEPLOYMENT))
    assert pod["metadata"]["name"] == "reviews-0"
    assert pod["metadata"]["namespace"] == "shop"
    assert pod["metadata"]["labels"] == {"app": "reviews", "version": "v1"}
    assert pod["metadata"]["annotations"] == {"a": "b"}
    assert pod["metadata"]["ownerReferences"][0]["kind"] == "Deployment"
    assert pod["spec"] == {"serviceAccountName": "sa"}
    assert "podIP" not in pod["status"]
    assert (
        of("EndpointSlice", completed(DEPLOYMENT + "---" + SERVICE.replace("reviews,", "reviews, namespace: shop,")))
        == []
    )


def test_a_workload_at_zero_replicas_has_no_pod() -> None:
    assert of("Pod", completed(DEPLOYMENT.replace("replicas: 3", "replicas: 0"))) == []


@pytest.mark.parametrize(
    "metadata",
    [
        "{name: mine, namespace: shop, labels: {app: reviews}}",
        "{name: mine, namespace: shop, ownerReferences: [{kind: Deployment, name: reviews}]}",
        "{name: mine, namespace: shop, ownerReferences: [{kind: ReplicaSet, name: reviews-6d5d8c7f9b}]}",
    ],
)
def test_a_workload_whose_pods_are_there_gets_none(metadata: str) -> None:
    pod = f"---\n{{apiVersion: v1, kind: Pod, metadata: {metadata}}}"
    assert one("Pod", completed(DEPLOYMENT + pod))["metadata"]["name"] == "mine"


def test_a_pod_elsewhere_is_not_the_workloads() -> None:
    pod = "---\n{apiVersion: v1, kind: Pod, metadata: {name: mine, namespace: other, labels: {app: reviews}}}"
    assert len(of("Pod", completed(DEPLOYMENT + pod))) == 2


def test_completing_twice_changes_nothing() -> None:
    pod = POD.format(name="a", port=8080, status="{podIP: 10.0.0.1}")
    once = completed("---".join([SERVICE, pod, DEPLOYMENT]))
    assert complete(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: 5}",
        "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [5], selector: x}}",
        "{apiVersion: v1, kind: Pod, metadata: {name: a, labels: 5}, spec: [], status: {podIPs: 5}}",
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: 5}}",
        "{apiVersion: v1, kind: Endpoints, metadata: {name: a}, subsets: [{addresses: 5}, 6]}",
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: a, labels: []}}",
    ],
)
def test_what_is_malformed_is_left_for_validation(text: str) -> None:
    found = completed(text)
    raw = yaml.safe_load(text)
    assert found[0]["kind"] == raw["kind"]
