from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.kinds.core.container_defaults import default_pull_policy
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, deep_copy
from lateen.cluster.quality_of_service import qos_class


@pytest.fixture
def pod_kind(kind_of: Any) -> Kind:
    kind: Kind = kind_of("v1", "Pod")
    return kind


def _pod(spec: Obj | None = None, **container: Any) -> Obj:
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [{"name": "a", "image": "nginx", **container}], **(spec or {})},
    }


def test_defaults(pod_kind: Kind) -> None:
    probe = {"httpGet": {"port": 80}}
    pod = _pod(
        {"volumes": [{"name": "v", "configMap": {"name": "c"}}, {"name": "e"}], "serviceAccountName": "sa"},
        ports=[{"containerPort": 80}],
        livenessProbe=probe,
        env=[{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        resources={"limits": {"cpu": "1000m", "memory": "1024Mi"}},
    )
    pod_kind.default(pod)
    spec = pod["spec"]
    container = spec["containers"][0]
    assert spec["restartPolicy"] == "Always"
    assert spec["dnsPolicy"] == "ClusterFirst"
    assert spec["terminationGracePeriodSeconds"] == 30
    assert spec["enableServiceLinks"] is True
    assert spec["serviceAccount"] == "sa"
    assert spec["volumes"] == [
        {"name": "v", "configMap": {"name": "c", "defaultMode": 420}},
        {"name": "e", "emptyDir": {}},
    ]
    assert container["imagePullPolicy"] == "Always"
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert container["livenessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert container["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
    assert container["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.2", "IfNotPresent"),
        ("host:5000/nginx", "Always"),
        ("host:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:abc", "IfNotPresent"),
    ],
)
def test_pull_policy(image: str, policy: str) -> None:
    assert default_pull_policy(image) == policy


@pytest.mark.parametrize(
    ("pod", "field", "message"),
    [
        (_pod({"containers": []}), "spec.containers", "Required value"),
        (_pod(name="A_b"), "spec.containers[0].name", "a lowercase RFC 1123 label"),
        (_pod(image=""), "spec.containers[0].image", "Required value"),
        (
            _pod(volumeMounts=[{"name": "x", "mountPath": "/x"}]),
            "spec.containers[0].volumeMounts[0].name",
            'Not found: "x"',
        ),
        (
            _pod(ports=[{"containerPort": 70000}]),
            "spec.containers[0].ports[0].containerPort",
            "must be between 1 and 65535",
        ),
        (_pod(livenessProbe={}), "spec.containers[0].livenessProbe", "must specify a handler type"),
        (
            _pod(livenessProbe={"exec": {"command": ["x"]}, "tcpSocket": {"port": 1}}),
            "spec.containers[0].livenessProbe.tcpSocket",
            "may not specify more than 1 handler type",
        ),
        (
            _pod(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
            "spec.containers[0].resources.requests",
            "must be less than or equal to cpu limit of 1",
        ),
        (
            _pod(resources={"requests": {"memory": "x"}}),
            "spec.containers[0].resources.requests[memory]",
            "quantities must match",
        ),
        (
            _pod({"restartPolicy": "Sometimes"}),
            "spec.restartPolicy",
            'supported values: "Always", "OnFailure", "Never"',
        ),
        (_pod({"dnsPolicy": "None"}), "spec.dnsConfig", "must provide at least one DNS nameserver"),
        (
            _pod({"initContainers": [{"name": "i", "image": "x", "readinessProbe": {"exec": {"command": ["x"]}}}]}),
            "spec.initContainers[0].readinessProbe",
            "may not be set for init containers without restartPolicy=Always",
        ),
        (_pod({"volumes": [{"name": "v"}, {"name": "v"}]}), "spec.volumes[1].name", 'Duplicate value: "v"'),
        (_pod({"tolerations": [{"effect": "NoSchedule"}]}), "spec.tolerations[0].operator", "operator must be Exists"),
        (_pod(env=[{"name": "A=B"}]), "spec.containers[0].env[0].name", "printable ASCII"),
        (_pod(securityContext={"runAsUser": -1}), "spec.containers[0].securityContext.runAsUser", "must be between 0"),
    ],
)
def test_refuses(pod_kind: Kind, ctx: Context, pod: Obj, field: str, message: str) -> None:
    pod_kind.default(pod)
    faults = pod_kind.validate_create(pod, ctx)
    assert [fault.field for fault in faults] == [field]
    assert message in faults[0].message


def test_sidecars_may_have_probes(pod_kind: Kind, ctx: Context) -> None:
    probe = {"exec": {"command": ["x"]}}
    pod = _pod({"initContainers": [{"name": "s", "image": "x", "restartPolicy": "Always", "startupProbe": probe}]})
    pod_kind.default(pod)
    assert not pod_kind.validate_create(pod, ctx)


def test_updates(pod_kind: Kind, ctx: Context) -> None:
    old = _pod()
    pod_kind.default(old)
    new = deep_copy(old)
    new["spec"]["containers"][0]["image"] = "nginx:2"
    new["spec"]["tolerations"] = [{"key": "a", "operator": "Exists"}]
    assert not pod_kind.validate_update(new, old, ctx)
    new["spec"]["containers"][0]["command"] = ["x"]
    (fault,) = pod_kind.validate_update(new, old, ctx)
    assert fault.message.startswith("Forbidden: pod updates may not change fields other than")


def test_create_starts_pending(pod_kind: Kind, ctx: Context) -> None:
    pod = {**_pod(), "status": {"phase": "Running"}}
    pod_kind.prepare_create(pod, ctx)
    assert pod["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1"}, "requests": {"cpu": "1", "memory": "1"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "2"}, "requests": {"cpu": "1", "memory": "1"}}, "Burstable"),
    ],
)
def test_quality_of_service(resources: Obj, expected: str) -> None:
    assert qos_class({"containers": [{"resources": resources}]}) == expected


@pytest.mark.parametrize(
    ("spec", "phase", "requested", "expected"),
    [
        ({}, "Pending", None, 0),
        ({"nodeName": "n"}, "Running", None, 30),
        ({"nodeName": "n", "terminationGracePeriodSeconds": 5}, "Running", None, 5),
        ({"nodeName": "n"}, "Running", 0, 0),
        ({"nodeName": "n"}, "Running", -1, 1),
        ({"nodeName": "n"}, "Succeeded", None, 0),
    ],
)
def test_grace(pod_kind: Kind, spec: Obj, phase: str, requested: int | None, expected: int) -> None:
    assert pod_kind.grace_seconds({"spec": spec, "status": {"phase": phase}}, requested) == expected


def test_warns_of_hidden_variables(pod_kind: Kind) -> None:
    pod = _pod(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "A", "value": "$(A):3"}])
    assert pod_kind.warnings(pod) == [
        'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply'
    ]
