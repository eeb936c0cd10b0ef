"""The proxy's container: image, arguments, environment, resources, and what the pod says of it itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lateen.api.networking.proxy_config import ProxyConfig
from lateen.api.objects import Object
from lateen.api.parse import parse
from lateen.testing.injected_pods import configuration, container, injected, names, pod, result, variables


@pytest.mark.parametrize(
    ("annotation", "text", "argument"),
    [
        ("sidecar.istio.io/logLevel", "debug", "--proxyLogLevel=debug"),
        ("sidecar.istio.io/componentLogLevel", "upstream:debug", "--proxyComponentLogLevel=upstream:debug"),
        ("sidecar.istio.io/agentLogLevel", "debug", "--log_output_level=debug"),
        ("proxy.istio.io/config", "concurrency: 3", "--concurrency 3"),
    ],
)
def test_annotations_of_the_agents_command_line(annotation: str, text: str, argument: str) -> None:
    assert argument in " ".join(container(injected(pod({annotation: text})), "istio-proxy")["args"])


def test_any_annotation_of_resources_replaces_the_installations() -> None:
    assert container(injected(pod()), "istio-proxy")["resources"]["limits"]["cpu"] == "2000m"
    found = injected(pod({"sidecar.istio.io/proxyCPU": "10m", "sidecar.istio.io/proxyMemoryLimit": "1Gi"}))
    assert container(found, "istio-proxy")["resources"] == {"requests": {"cpu": "10m"}, "limits": {"memory": "1Gi"}}


@pytest.mark.parametrize(
    ("annotations", "values", "image"),
    [
        ({}, {"hub": "h", "tag": "1"}, "h/proxyv2:1"),
        ({}, {"hub": "h", "tag": "1", "variant": "distroless"}, "h/proxyv2:1-distroless"),
        ({"sidecar.istio.io/proxyImageType": "debug"}, {"hub": "h", "tag": "1-distroless"}, "h/proxyv2:1-debug"),
        ({"sidecar.istio.io/proxyImageType": "default"}, {"hub": "h", "tag": "1-debug"}, "h/proxyv2:1"),
        ({"proxy.istio.io/config": "image: {imageType: debug}"}, {"hub": "h", "tag": 1.5}, "h/proxyv2:1.5-debug"),
        ({"sidecar.istio.io/proxyImage": "own.dev/proxy:9"}, {"hub": "h", "tag": "1"}, "own.dev/proxy:9"),
        ({"sidecar.istio.io/proxyImage": "other"}, {"hub": "h", "tag": "1"}, "h/other:1"),
        ({}, {"hub": "h", "tag": "1", "proxy": {"image": "own.dev/proxy:9"}}, "own.dev/proxy:9"),
    ],
)
def test_images(annotations: dict[str, str], values: dict[str, Any], image: str) -> None:
    assert container(injected(pod(annotations), configuration(global_=values)), "istio-proxy")["image"] == image


def test_the_environment_of_the_agent() -> None:
    containers = [{"name": "a", "ports": [{"containerPort": 80}]}, {"name": "b", "ports": [{"containerPort": 81}]}]
    found = variables(
        injected(
            pod({"proxy.istio.io/config": "proxyMetadata: {ISTIO_META_DNS_CAPTURE: 'true'}"}, containers=containers),
            configuration(global_={"meshID": "m", "network": "n1"}, revision="canary"),
            "trustDomain: td\ndefaultConfig: {drainDuration: 10s}",
        )
    )
    assert found["CA_ADDR"] == "istiod-canary.istio-system.svc:15012"
    assert found["ISTIO_META_APP_CONTAINERS"] == "a,b"
    assert json.loads(found["ISTIO_META_POD_PORTS"]) == [{"containerPort": 80}, {"containerPort": 81}]
    assert found["ISTIO_META_CLUSTER_ID"] == "Kubernetes"
    assert found["ISTIO_META_NETWORK"] == "n1"
    assert found["ISTIO_META_MESH_ID"] == "m"
    assert found["TRUST_DOMAIN"] == "td"
    assert found["ISTIO_META_DNS_CAPTURE"] == "true"
    assert json.loads(found["PROXY_CONFIG"]) == {
        "drainDuration": "10s",
        "proxyMetadata": {"ISTIO_META_DNS_CAPTURE": "true"},
    }


def test_what_the_control_plane_does_of_a_proxy_config_is_told_where_it_is_the_pods_own() -> None:
    mesh = "defaultConfig: {gatewayTopology: {numTrustedProxies: 1}, proxyHeaders: {server: {value: me}}}"
    # What is the mesh's is to follow the mesh.
    assert json.loads(variables(injected(pod(), mesh_text=mesh))["PROXY_CONFIG"]) == {}
    own = {"proxy.istio.io/config": "gatewayTopology: {numTrustedProxies: 1}"}
    found = variables(injected(pod(own), mesh_text=mesh))
    assert json.loads(found["PROXY_CONFIG"]) == {"gatewayTopology": {"numTrustedProxies": 1}}


def test_the_network_is_the_pods_label_then_the_urls_then_the_installations() -> None:
    config = configuration(global_={"network": "installed"})
    assert injected(pod(), config)["metadata"]["labels"]["topology.istio.io/network"] == "installed"
    url = {"ISTIO_META_NETWORK": "url", "ISTIO_META_CLUSTER_ID": "c2"}
    found = injected(pod(), config, environment=url)
    assert variables(found)["ISTIO_META_NETWORK"] == "url"
    assert variables(found)["ISTIO_META_CLUSTER_ID"] == "c2"
    labelled = injected(pod(labels={"topology.istio.io/network": "own"}), config)
    assert variables(labelled)["ISTIO_META_NETWORK"] == "own"


def _resource(name: str, namespace: str, spec: dict[str, Any]) -> Object[ProxyConfig]:
    found = parse(
        {
            "apiVersion": "networking.istio.io/v1beta1",
            "kind": "ProxyConfig",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
    )
    assert found.value is not None, found.faults
    value: Object[ProxyConfig] = found.value
    return value


def test_proxy_configs_of_the_root_the_namespace_the_workload_and_the_annotation() -> None:
    resources = (
        _resource("mesh", "istio-system", {"concurrency": 1, "environmentVariables": {"A": "root", "B": "root"}}),
        _resource("own", "shop", {"concurrency": 2, "environmentVariables": {"B": "shop"}}),
        _resource("web", "shop", {"selector": {"matchLabels": {"app": "web"}}, "concurrency": 3}),
        _resource("other", "shop", {"selector": {"matchLabels": {"app": "other"}}, "concurrency": 9}),
        _resource("elsewhere", "else", {"concurrency": 8}),
    )
    found = variables(injected(pod(), proxy_configs=resources))
    assert json.loads(found["PROXY_CONFIG"])["concurrency"] == 3
    assert (found["A"], found["B"]) == ("root", "shop")
    told = injected(pod({"proxy.istio.io/config": "concurrency: 4"}), proxy_configs=resources)
    assert json.loads(variables(told)["PROXY_CONFIG"])["concurrency"] == 4


def test_the_pods_own_proxy_container_has_the_last_word() -> None:
    own = {
        "name": "istio-proxy",
        "image": "auto",
        "resources": {"limits": {"cpu": "1"}},
        "env": [{"name": "MINE", "value": "1"}, {"name": "TRUST_DOMAIN", "value": "mine"}],
        "securityContext": {"runAsUser": 1500},
        "volumeMounts": [{"name": "certs", "mountPath": "/certs"}],
    }
    given = pod(containers=[own, {"name": "app", "image": "a"}])
    found = injected(given)
    proxy = container(found, "istio-proxy")
    assert proxy["image"].endswith("proxyv2:0.1.0")
    assert proxy["resources"]["limits"] == {"cpu": "1", "memory": "1024Mi"}
    assert variables(found)["TRUST_DOMAIN"] == "mine"
    assert variables(found)["MINE"] == "1"
    assert proxy["securityContext"]["runAsUser"] == 1500
    assert "-u 1500" in " ".join(container(found, "istio-init")["args"])
    assert any(each["mountPath"] == "/certs" for each in proxy["volumeMounts"])
    assert json.loads(found["metadata"]["annotations"]["proxy.istio.io/overrides"])["initContainers"] == [own]
    assert found["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == "app"


def test_openshift_gives_the_proxy_the_last_user_of_the_namespace() -> None:
    annotations = {
        "openshift.io/sa.scc.uid-range": "1000650000/10000",
        "openshift.io/sa.scc.supplemental-groups": "1000700000-1000700009",
    }
    config = configuration(global_={"platform": "openshift"})
    found = injected(pod(), config, namespace_annotations=annotations)
    security = container(found, "istio-proxy")["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"]) == (1000659999, 1000700009)
    arguments = " ".join(container(found, "istio-init")["args"])
    assert "-u 1000659999" in arguments
    assert "-g 1000700009" in arguments
    assigned = {"runAsUser": 1000650000}
    own = [
        {"name": "app", "image": "a", "securityContext": assigned},
        {"name": "istio-proxy", "image": "auto", "securityContext": assigned},
    ]
    found = injected(pod(containers=own), config, namespace_annotations=annotations)
    assert container(found, "istio-proxy")["securityContext"]["runAsUser"] == 1000659999


def test_further_annotations() -> None:
    found = injected(
        pod(
            {
                "sidecar.istio.io/bootstrapOverride": "pieces",
                "sidecar.istio.io/userVolume": '{"v": {"emptyDir": {}}}',
                "sidecar.istio.io/userVolumeMount": '[{"name": "v", "mountPath": "/v"}]',
                "sidecar.istio.io/discoveryAddress": "other:15012",
                "readiness.status.sidecar.istio.io/periodSeconds": "9",
            }
        )
    )
    proxy = container(found, "istio-proxy")
    assert {"name": "v", "mountPath": "/v"} in proxy["volumeMounts"]
    assert {"name": "v", "emptyDir": {}} in found["spec"]["volumes"]
    assert {"name": "custom-bootstrap-volume", "configMap": {"name": "pieces"}} in found["spec"]["volumes"]
    assert json.loads(variables(found)["PROXY_CONFIG"])["discoveryAddress"] == "other:15012"
    assert proxy["readinessProbe"]["periodSeconds"] == 9


def test_core_files_are_the_installations_to_allow() -> None:
    """A privileged container writes to the node's kernel what becomes of all its core files."""
    asked = result(pod({"sidecar.istio.io/enableCoreDump": "true"}))
    assert "enable-core-dump" not in names(asked.pod, "initContainers")
    assert container(asked.pod, "istio-proxy")["securityContext"]["readOnlyRootFilesystem"]
    assert [fault.path for fault in asked.warnings] == ["metadata.annotations[sidecar.istio.io/enableCoreDump]"]
    found = injected(pod(), configuration(global_={"proxy": {"enableCoreDump": True}}))
    assert "enable-core-dump" in names(found, "initContainers")
    assert not container(found, "istio-proxy")["securityContext"]["readOnlyRootFilesystem"]


def test_a_status_port_of_zero_means_no_probe_of_the_proxy() -> None:
    proxy = container(injected(pod({"status.sidecar.istio.io/port": "0"})), "istio-proxy")
    assert "readinessProbe" not in proxy
    assert "startupProbe" not in proxy
