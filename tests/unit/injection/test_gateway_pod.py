"""The pods of gateways that the installation makes."""

from __future__ import annotations

import json

import pytest

from lateen.api.mesh.mesh_config import MeshConfig
from lateen.api.mesh.proxy_config import ProxyConfig
from lateen.injection.gateway_pod import GatewayPod, gateway_faults, gateway_pod
from lateen.injection.values import Values
from lateen.testing.injected_pods import container, variables


def _gateway(**more: object) -> GatewayPod:
    given = {"name": "gw", "namespace": "istio-system", "service_account": "gw", "labels": {"app": "gw"}, **more}
    return GatewayPod(**given)


def test_a_gateway_is_a_router_without_capabilities() -> None:
    pod = gateway_pod(_gateway(ports=[{"containerPort": 8080}]), MeshConfig(), Values(revision="canary"))
    proxy = container(pod, "istio-proxy")
    assert proxy["args"][:2] == ["proxy", "router"]
    assert proxy["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert [port["containerPort"] for port in proxy["ports"]] == [8080, 15090]
    assert "startupProbe" not in proxy
    found = variables(pod)
    assert found["ISTIO_META_UNPRIVILEGED_POD"] == "true"
    assert found["CA_ADDR"] == "istiod-canary.istio-system.svc:15012"
    assert found["ISTIO_META_OWNER"] == "kubernetes://apis/apps/v1/namespaces/istio-system/deployments/gw"
    assert json.loads(found["ISTIO_META_POD_PORTS"]) == [{"containerPort": 8080}]
    labels = pod["metadata"]["labels"]
    assert labels["sidecar.istio.io/inject"] == "false"
    assert labels["istio.io/rev"] == "canary"


def test_annotations_and_variables_count() -> None:
    given = _gateway(
        annotations={"proxy.istio.io/config": "concurrency: 2\nstatusPort: 15333"},
        environment={"ISTIO_META_NETWORK": "n", "TRUST_DOMAIN": "mine"},
    )
    pod = gateway_pod(given, MeshConfig(), Values())
    assert variables(pod)["TRUST_DOMAIN"] == "mine"
    assert json.loads(variables(pod)["PROXY_CONFIG"])["concurrency"] == 2
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == "15333"


def test_wrong_annotations_are_found_before() -> None:
    wrong = {"sidecar.istio.io/logLevel": "loud"}
    (fault,) = gateway_faults(wrong, ProxyConfig())
    assert fault.path == "metadata.annotations[sidecar.istio.io/logLevel]"
    with pytest.raises(ValueError, match="logLevel"):
        gateway_pod(_gateway(annotations=wrong), MeshConfig(), Values())


def test_as_root() -> None:
    pod = gateway_pod(_gateway(as_root=True), MeshConfig(), Values())
    assert container(pod, "istio-proxy")["securityContext"]["runAsUser"] == 0
    assert "ISTIO_META_UNPRIVILEGED_POD" not in variables(pod)
