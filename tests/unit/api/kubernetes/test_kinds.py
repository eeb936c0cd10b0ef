"""The Kubernetes kinds as the API server and manifests write them."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
import pytest

from lateen.api.kubernetes.config_map import ConfigMap
from lateen.api.kubernetes.endpoint_slice import EndpointSlice
from lateen.api.kubernetes.pod import Pod
from lateen.api.kubernetes.secret import Secret
from lateen.api.kubernetes.service import Service
from lateen.api.kubernetes.workloads import CronJob, DaemonSet, Deployment, Job, ReplicaSet, StatefulSet
from lateen.api.objects import Metadata
from lateen.api.schema.decode import Decoder

T = TypeVar("T", bound=msgspec.Struct)


def decoded(type_: type[T], value: dict[str, Any]) -> T:
    found, faults = Decoder(type_).decode({"metadata": {"name": "x"}, **value})
    assert found is not None, faults
    return found


# --- Service ------------------------------------------------------------------------------------------------------


def test_a_service() -> None:
    found = decoded(
        Service,
        {
            "apiVersion": "v1",
            "kind": "Service",
            "spec": {
                "clusterIP": "10.0.0.1",
                "clusterIPs": ["10.0.0.1", "fd00::1"],
                "externalIPs": ["1.2.3.4"],
                "loadBalancerIP": "1.2.3.5",
                "ports": [
                    {"name": "http", "port": 80, "targetPort": "web", "appProtocol": "http", "nodePort": 30080},
                    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 5353},
                ],
                "sessionAffinity": "None",
                "internalTrafficPolicy": "Local",
                "trafficDistribution": "PreferSameZone",
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "5.6.7.8"}, {"hostname": "lb.example"}]}},
        },
    )
    assert found.virtual_addresses == ("10.0.0.1", "fd00::1")
    assert not found.headless
    assert [(port.target_port, port.protocol, port.node_port) for port in found.spec.ports] == [
        ("web", "TCP", 30080),
        (5353, "UDP", 0),
    ]
    assert (found.spec.external_ips, found.spec.load_balancer_ip) == (("1.2.3.4",), "1.2.3.5")
    assert (found.spec.internal_traffic_policy, found.spec.traffic_distribution) == ("Local", "PreferSameZone")
    assert [each.ip or each.hostname for each in found.status.load_balancer.ingress] == ["5.6.7.8", "lb.example"]


@pytest.mark.parametrize(
    ("spec", "addresses", "headless"),
    [
        ({}, (), False),
        ({"clusterIP": "10.0.0.1"}, ("10.0.0.1",), False),
        ({"clusterIP": "None"}, (), True),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, (), True),
        ({"type": "ExternalName", "externalName": "a.example"}, (), False),
    ],
)
def test_virtual_addresses(spec: dict[str, Any], addresses: tuple[str, ...], headless: bool) -> None:
    found = decoded(Service, {"spec": spec})
    assert (found.virtual_addresses, found.headless) == (addresses, headless)


# --- EndpointSlice ------------------------------------------------------------------------------------------------


def test_an_endpoint_slice() -> None:
    found = decoded(
        EndpointSlice,
        {
            "addressType": "IPv4",
            "endpoints": [
                {
                    "addresses": ["10.1.0.1"],
                    "conditions": {"ready": True, "terminating": None},
                    "targetRef": {"kind": "Pod", "name": "web-1", "namespace": "default", "uid": "u"},
                    "nodeName": "n",
                    "zone": "a",
                    "hints": {"forZones": [{"name": "a"}]},
                },
                {"addresses": ["10.1.0.2"]},
            ],
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP", "appProtocol": None}],
        },
    )
    first, second = found.endpoints
    assert (first.conditions.ready, first.conditions.terminating, second.conditions.ready) == (True, None, None)
    assert first.target_ref is not None
    assert first.target_ref.name == "web-1"
    assert first.hints is not None
    assert [zone.name for zone in first.hints.for_zones] == ["a"]
    assert found.ports[0].port == 8080


def test_empty_slices_are_written_as_null() -> None:
    found = decoded(EndpointSlice, {"addressType": "IPv4", "endpoints": None, "ports": None})
    assert (found.endpoints, found.ports) == ((), ())


# --- Pod ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "addresses"),
    [
        ({}, ()),
        ({"phase": "Running", "podIP": "10.1.0.1"}, ("10.1.0.1",)),
        ({"podIP": "10.1.0.1", "podIPs": [{"ip": "10.1.0.1"}, {"ip": "fd00::1"}]}, ("10.1.0.1", "fd00::1")),
        ({"phase": "Succeeded", "podIP": "10.1.0.1"}, ()),
        ({"phase": "Failed", "podIP": "10.1.0.1"}, ()),
    ],
)
def test_addresses_of_pods(status: dict[str, Any], addresses: tuple[str, ...]) -> None:
    assert decoded(Pod, {"status": status}).addresses == addresses


def test_a_pod() -> None:
    found = decoded(
        Pod,
        {
            "spec": {
                "containers": [
                    {
                        "name": "app",
                        "ports": [
                            {"name": "http", "containerPort": 8080},
                            {"name": "http", "containerPort": 1, "protocol": "UDP"},
                        ],
                        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 3},
                        "resources": {},
                    }
                ],
                "initContainers": [
                    {"name": "side", "restartPolicy": "Always", "ports": [{"name": "admin", "containerPort": 9}]}
                ],
            },
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "False"}]},
        },
    )
    assert found.ready
    assert found.service_account == "default"
    assert (found.spec.port_named("http"), found.spec.port_named("http", "UDP")) == (8080, 1)
    assert (found.spec.port_named("admin"), found.spec.port_named("none")) == (9, None)
    probe = found.spec.containers[0].readiness_probe
    assert probe is not None
    assert probe.http_get is not None
    assert (probe.http_get.port, probe.period_seconds, probe.timeout_seconds) == ("http", 3, 1)


def test_readiness_and_accounts() -> None:
    assert not decoded(Pod, {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}).ready
    assert not decoded(Pod, {}).ready
    assert decoded(Pod, {"spec": {"serviceAccountName": "me"}}).service_account == "me"


# --- Secret and ConfigMap -----------------------------------------------------------------------------------------


def test_secrets_hold_bytes() -> None:
    found = decoded(Secret, {"type": "kubernetes.io/tls", "data": {"tls.crt": "AAEC", "tls.key": ""}})
    assert found.values == {"tls.crt": b"\x00\x01\x02", "tls.key": b""}


def test_text_of_a_manifest_wins() -> None:
    found = decoded(Secret, {"data": {"a": "YQ==", "b": "Yg=="}, "stringData": {"b": "ü"}})
    assert found.values == {"a": b"a", "b": "ü".encode()}


def test_what_is_not_base64_is_no_secret() -> None:
    found, faults = Decoder(Secret).decode({"metadata": {"name": "x"}, "data": {"a": "?"}})
    assert found is None
    assert [fault.path for fault in faults] == ["data[a]"]


def test_config_maps_hold_text_and_bytes() -> None:
    found = decoded(ConfigMap, {"data": {"mesh": "a: b"}, "binaryData": {"x": "AAE="}})
    assert (found.data, found.binary_data) == ({"mesh": "a: b"}, {"x": b"\x00\x01"})


# --- workloads ----------------------------------------------------------------------------------------------------

TEMPLATE = {
    "metadata": {"labels": {"app": "web"}, "creationTimestamp": None},
    "spec": {"containers": [{"name": "app", "image": "x"}], "serviceAccountName": "web"},
}


@pytest.mark.parametrize("type_", [Deployment, ReplicaSet, StatefulSet])
def test_what_makes_a_number_of_pods(type_: type[Deployment | ReplicaSet | StatefulSet]) -> None:
    value = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE, "paused": False}
    spec = decoded(type_, {"spec": value}).spec
    assert spec.replicas == 2
    assert spec.selector.match_labels == {"app": "web"}
    assert spec.template.metadata == Metadata(labels={"app": "web"})
    assert spec.template.spec.service_account_name == "web"


def test_what_makes_pods_otherwise() -> None:
    selector = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}
    assert decoded(DaemonSet, {"spec": {"selector": selector, "template": TEMPLATE}}).spec.template.metadata.labels
    assert decoded(Job, {"spec": {"parallelism": 3, "template": TEMPLATE}}).spec.parallelism == 3
    cron = decoded(CronJob, {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": TEMPLATE}}}})
    assert cron.spec.job_template.spec.template.metadata.labels == {"app": "web"}
    assert decoded(StatefulSet, {"spec": {"serviceName": "web", "template": TEMPLATE}}).spec.service_name == "web"
