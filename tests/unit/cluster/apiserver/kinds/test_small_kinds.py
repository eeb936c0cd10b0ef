"""Kinds whose rules fit a table row."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, deep_copy

KindOf = Callable[[str, str], Kind]
_NOW = dt.datetime(2026, 1, 1, 0, 5, tzinfo=dt.UTC)
_META = {"name": "x", "namespace": "default", "creationTimestamp": "2026-01-01T00:00:00Z"}
_RBAC = "rbac.authorization.k8s.io/v1"
_ADMISSION = "admissionregistration.k8s.io/v1"
_NETWORKING = "networking.k8s.io/v1"


def _webhook(**more: Any) -> Obj:
    return {
        "name": "a.example.com",
        "clientConfig": {"service": {"name": "s", "namespace": "n"}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        **more,
    }


@pytest.mark.parametrize(
    ("api_version", "kind", "body", "expected"),
    [
        (
            "v1",
            "Secret",
            {"stringData": {"a": "b"}},
            {"type": "Opaque", "data": {"a": base64.b64encode(b"b").decode()}},
        ),
        ("v1", "Namespace", {}, {"metadata": {**_META, "labels": {"kubernetes.io/metadata.name": "x"}}}),
        (
            "v1",
            "LimitRange",
            {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1000m"}}]}},
            {
                "spec": {
                    "limits": [
                        {
                            "type": "Container",
                            "max": {"cpu": "1"},
                            "default": {"cpu": "1"},
                            "defaultRequest": {"cpu": "1"},
                        }
                    ]
                }
            },
        ),
        (
            _ADMISSION,
            "MutatingWebhookConfiguration",
            {"webhooks": [{"name": "w", "clientConfig": {"service": {}}, "rules": [{}]}]},
            {
                "webhooks": [
                    {
                        "name": "w",
                        "clientConfig": {"service": {"port": 443}},
                        "rules": [{"scope": "*"}],
                        "failurePolicy": "Fail",
                        "matchPolicy": "Equivalent",
                        "timeoutSeconds": 10,
                        "namespaceSelector": {},
                        "objectSelector": {},
                        "reinvocationPolicy": "Never",
                    }
                ]
            },
        ),
        (
            _RBAC,
            "RoleBinding",
            {"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]},
            {
                "roleRef": {"kind": "Role", "name": "r", "apiGroup": "rbac.authorization.k8s.io"},
                "subjects": [{"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"}],
            },
        ),
        (
            _NETWORKING,
            "NetworkPolicy",
            {"spec": {"egress": [{"ports": [{"port": 53}]}]}},
            {
                "spec": {
                    "egress": [{"ports": [{"port": 53, "protocol": "TCP"}]}],
                    "podSelector": {},
                    "policyTypes": ["Ingress", "Egress"],
                }
            },
        ),
        ("storage.k8s.io/v1", "StorageClass", {}, {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}),
        (
            "scheduling.k8s.io/v1",
            "PriorityClass",
            {"value": 5},
            {"value": 5, "preemptionPolicy": "PreemptLowerPriority"},
        ),
    ],
)
def test_defaults(kind_of: KindOf, api_version: str, kind: str, body: Obj, expected: Obj) -> None:
    obj = {"metadata": deep_copy(_META), **deep_copy(body)}
    kind_of(api_version, kind).default(obj)
    assert {key: obj[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("api_version", "kind", "body", "field", "message"),
    [
        ("v1", "ConfigMap", {"data": {"a b": ""}}, "data[a b]", "a valid config key must consist of"),
        ("v1", "ConfigMap", {"data": {"a": "x" * (1024 * 1024 + 1)}}, "", "may not be more than 1048576 bytes"),
        ("v1", "Secret", {"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}, "data[tls.key]", "Required value"),
        (
            "v1",
            "PersistentVolumeClaim",
            {"spec": {"resources": {"requests": {"storage": "1Gi"}}}},
            "spec.accessModes",
            "at least 1 access mode",
        ),
        (
            "v1",
            "Endpoints",
            {"subsets": [{"addresses": [{"ip": "x"}]}]},
            "subsets[0].addresses[0].ip",
            "must be a valid IP address",
        ),
        (
            "v1",
            "Event",
            {"involvedObject": {"namespace": "other"}},
            "involvedObject.namespace",
            "does not match event.namespace",
        ),
        (
            "policy/v1",
            "PodDisruptionBudget",
            {"spec": {"minAvailable": 1, "maxUnavailable": 1}},
            "spec",
            "cannot be both set",
        ),
        (
            "policy/v1",
            "PodDisruptionBudget",
            {"spec": {"minAvailable": "101%"}},
            "spec.minAvailable",
            "must not be greater than 100%",
        ),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            {"spec": {"maxReplicas": 0, "minReplicas": 1, "scaleTargetRef": {"kind": "D", "name": "d"}}},
            "spec.maxReplicas",
            "must be greater than 0",
        ),
        (_NETWORKING, "Ingress", {"spec": {}}, "spec", "either `defaultBackend` or `rules` must be specified"),
        (
            _NETWORKING,
            "Ingress",
            {"spec": {"rules": [{"host": "10.0.0.1"}]}},
            "spec.rules[0].host",
            "must be a DNS name, not an IP address",
        ),
        (
            "discovery.k8s.io/v1",
            "EndpointSlice",
            {"addressType": "IPv4", "endpoints": [{"addresses": ["fd00::1"]}]},
            "endpoints[0].addresses[0]",
            "must be a valid IPv4 address",
        ),
        (
            _RBAC,
            "Role",
            {"rules": [{"verbs": ["get"], "apiGroups": [""]}]},
            "rules[0].resources",
            "must supply at least one resource",
        ),
        (
            _RBAC,
            "ClusterRoleBinding",
            {"roleRef": {"kind": "Role", "name": "r"}},
            "roleRef.kind",
            'supported values: "ClusterRole"',
        ),
        (
            _ADMISSION,
            "ValidatingWebhookConfiguration",
            {"webhooks": [_webhook(name="short")]},
            "webhooks[0].name",
            "at least three segments",
        ),
        (
            _ADMISSION,
            "ValidatingWebhookConfiguration",
            {"webhooks": [_webhook(sideEffects="Some")]},
            "webhooks[0].sideEffects",
            'supported values: "None", "NoneOnDryRun"',
        ),
        (
            _ADMISSION,
            "ValidatingWebhookConfiguration",
            {"webhooks": [_webhook(clientConfig={"url": "http://x/"})]},
            "webhooks[0].clientConfig.url",
            "'https' is the only allowed URL scheme",
        ),
        (
            _ADMISSION,
            "ValidatingWebhookConfiguration",
            {"webhooks": [_webhook(timeoutSeconds=31)]},
            "webhooks[0].timeoutSeconds",
            "between 1 and 30 seconds",
        ),
        (
            "coordination.k8s.io/v1",
            "Lease",
            {"spec": {"leaseDurationSeconds": 0}},
            "spec.leaseDurationSeconds",
            "must be greater than 0",
        ),
        (
            "scheduling.k8s.io/v1",
            "PriorityClass",
            {"value": 2_000_000_000},
            "value",
            "maximum allowed value of a user defined priority",
        ),
        (
            "certificates.k8s.io/v1",
            "CertificateSigningRequest",
            {"spec": {"signerName": "a.io/b", "request": "eA=="}},
            "spec.request",
            "must be CERTIFICATE REQUEST",
        ),
    ],
)
def test_refuses(
    kind_of: KindOf, ctx: Context, api_version: str, kind: str, body: Obj, field: str, message: str
) -> None:
    behaviour = kind_of(api_version, kind)
    obj = {"metadata": deep_copy(_META), **deep_copy(body)}
    behaviour.default(obj)
    faults = behaviour.validate_create(obj, ctx)
    assert [fault.field for fault in faults] in ([field], [field, field])
    assert message in faults[0].message


@pytest.mark.parametrize(
    ("api_version", "kind", "old", "new", "field"),
    [
        ("v1", "ConfigMap", {"immutable": True, "data": {"a": "1"}}, {"immutable": True, "data": {"a": "2"}}, "data"),
        ("v1", "ConfigMap", {"immutable": True}, {}, "immutable"),
        ("v1", "Secret", {"type": "a"}, {"type": "b"}, "type"),
        (
            _RBAC,
            "RoleBinding",
            {"roleRef": {"kind": "Role", "name": "a"}},
            {"roleRef": {"kind": "Role", "name": "b"}},
            "roleRef",
        ),
        ("scheduling.k8s.io/v1", "PriorityClass", {"value": 1}, {"value": 2}, "value"),
        ("storage.k8s.io/v1", "StorageClass", {"provisioner": "a"}, {"provisioner": "b"}, "provisioner"),
        ("discovery.k8s.io/v1", "EndpointSlice", {"addressType": "IPv4"}, {"addressType": "IPv6"}, "addressType"),
        ("apps/v1", "ControllerRevision", {"data": {"a": 1}}, {"data": {"a": 2}}, "data"),
    ],
)
def test_immutable(kind_of: KindOf, ctx: Context, api_version: str, kind: str, old: Obj, new: Obj, field: str) -> None:
    behaviour = kind_of(api_version, kind)
    before, after = ({"metadata": deep_copy(_META), **deep_copy(body)} for body in (old, new))
    for obj in (before, after):
        behaviour.default(obj)
    assert [fault.field for fault in behaviour.validate_update(after, before, ctx)] == [field]


@pytest.mark.parametrize(
    ("api_version", "kind", "body", "row"),
    [
        ("v1", "ConfigMap", {"data": {"a": ""}, "binaryData": {"b": ""}}, ["x", 2, "5m"]),
        ("v1", "Secret", {"type": "Opaque", "data": {"a": ""}}, ["x", "Opaque", 1, "5m"]),
        ("v1", "Namespace", {"status": {"phase": "Active"}}, ["x", "Active", "5m"]),
        ("v1", "ServiceAccount", {}, ["x", 0, "5m"]),
        (
            "v1",
            "Node",
            {
                "spec": {"unschedulable": True},
                "status": {
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                    "nodeInfo": {"kubeletVersion": "v1.33.0", "osImage": "Debian"},
                },
            },
            [
                "x",
                "Ready,SchedulingDisabled",
                "<none>",
                "5m",
                "v1.33.0",
                "10.0.0.1",
                "<none>",
                "Debian",
                "<unknown>",
                "<unknown>",
            ],
        ),
        (
            "v1",
            "Endpoints",
            {"subsets": [{"addresses": [{"ip": f"10.0.0.{i}"} for i in range(1, 6)], "ports": [{"port": 80}]}]},
            ["x", "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more...", "5m"],
        ),
        (
            "v1",
            "Event",
            {
                "involvedObject": {"kind": "Pod", "name": "p"},
                "type": "Normal",
                "reason": "Pulled",
                "message": "hello",
                "lastTimestamp": "2026-01-01T00:04:00Z",
                "firstTimestamp": "2026-01-01T00:03:00Z",
                "count": 2,
                "source": {"component": "kubelet", "host": "n1"},
            },
            ["60s", "Normal", "Pulled", "pod/p", "", "kubelet, n1", "hello", "2m", 2, "x"],
        ),
        (
            "events.k8s.io/v1",
            "Event",
            {
                "regarding": {"kind": "Pod", "name": "p"},
                "note": "hello",
                "reason": "R",
                "type": "Normal",
                "eventTime": "2026-01-01T00:04:00.000000Z",
            },
            ["60s", "Normal", "R", "pod/p", "", "", "hello", "60s", 1, "x"],
        ),
        (
            "policy/v1",
            "PodDisruptionBudget",
            {"spec": {"minAvailable": "50%"}, "status": {"disruptionsAllowed": 1}},
            ["x", "50%", "N/A", 1, "5m"],
        ),
        (
            _NETWORKING,
            "Ingress",
            {"spec": {"ingressClassName": "nginx", "rules": [{"host": "a.b"}], "tls": [{}]}},
            ["x", "nginx", "a.b", "", "80, 443", "5m"],
        ),
        (_NETWORKING, "NetworkPolicy", {"spec": {"podSelector": {}}}, ["x", "<none>", "5m"]),
        (
            "discovery.k8s.io/v1",
            "EndpointSlice",
            {"addressType": "IPv4", "ports": [{"port": 80}], "endpoints": [{"addresses": ["10.0.0.1"]}]},
            ["x", "IPv4", "80", "10.0.0.1", "5m"],
        ),
        (
            _RBAC,
            "ClusterRoleBinding",
            {
                "roleRef": {"kind": "ClusterRole", "name": "r"},
                "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "namespace": "n", "name": "s"}],
            },
            ["x", "ClusterRole/r", "5m", "u", "", "n/s"],
        ),
        (
            "certificates.k8s.io/v1",
            "CertificateSigningRequest",
            {
                "spec": {"signerName": "a.io/b", "username": "u"},
                "status": {"conditions": [{"type": "Approved"}], "certificate": "x"},
            },
            ["x", "5m", "a.io/b", "u", "<none>", "Approved,Issued"],
        ),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            {
                "spec": {
                    "scaleTargetRef": {"kind": "Deployment", "name": "d"},
                    "minReplicas": 1,
                    "maxReplicas": 5,
                    "metrics": [
                        {
                            "type": "Resource",
                            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                        }
                    ],
                }
            },
            ["x", "Deployment/d", "cpu: <unknown>/80%", 1, 5, 0, "5m"],
        ),
    ],
)
def test_rows(kind_of: KindOf, api_version: str, kind: str, body: Obj, row: list[Any]) -> None:
    assert kind_of(api_version, kind).row({"metadata": _META, **body}, _NOW) == row


def test_autoscalers_convert_both_ways(kind_of: KindOf) -> None:
    kind = kind_of("autoscaling/v1", "HorizontalPodAutoscaler")
    shown = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "x"},
        "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 60},
        "status": {"desiredReplicas": 1, "currentCPUUtilizationPercentage": 50},
    }
    stored = kind.to_storage(shown)
    assert stored["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 60
    assert kind.from_storage(stored) == shown


def test_namespaces_wait_for_their_finalizer(kind_of: KindOf, ctx: Context) -> None:
    kind = kind_of("v1", "Namespace")
    namespace: Obj = {"metadata": {"name": "x"}}
    kind.prepare_create(namespace, ctx)
    assert namespace["spec"] == {"finalizers": ["kubernetes"]}
    assert kind.keeps(namespace)
    kind.prepare_delete(namespace)
    assert namespace["status"] == {"phase": "Terminating"}


def test_requests_for_certificates_say_who_asks(kind_of: KindOf, ctx: Context) -> None:
    csr: Obj = {"metadata": {}, "spec": {"username": "root", "groups": ["system:masters"]}}
    kind_of("certificates.k8s.io/v1", "CertificateSigningRequest").prepare_create(csr, ctx)
    assert csr["spec"] == {"username": "tester", "groups": ["system:authenticated"]}


def test_network_policies_are_not_enforced_and_say_so(kind_of: KindOf) -> None:
    assert kind_of(_NETWORKING, "NetworkPolicy").warnings({}) == (
        "this cluster stores NetworkPolicies but does not enforce them",
    )
