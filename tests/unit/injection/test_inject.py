"""What becomes of the rest of a pod: its probes, annotations and labels; cases as Istio documents them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from lateen.testing.injected_pods import PROBE, configuration, container, injected, pod, variables


def test_probes_go_by_the_agent() -> None:
    app = {
        "name": "app",
        "image": "a",
        "ports": [{"name": "web", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/r", "port": "web", "scheme": "HTTPS"}, "timeoutSeconds": 7},
        "livenessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 3},
        "startupProbe": {"grpc": {"port": 9000, "service": "s"}},
        "lifecycle": {"preStop": {"httpGet": {"path": "/bye", "port": 8080}}},
    }
    found = injected(pod(containers=[app, {"name": "b", "image": "b", "livenessProbe": {"exec": {"command": ["x"]}}}]))
    seen = container(found, "app")
    assert seen["readinessProbe"] == {
        "httpGet": {"path": "/app-health/app/readyz", "port": 15020, "scheme": "HTTP"},
        "timeoutSeconds": 7,
    }
    assert seen["livenessProbe"] == {"httpGet": {"path": "/app-health/app/livez", "port": 15020}, "periodSeconds": 3}
    assert seen["startupProbe"] == {"httpGet": {"path": "/app-health/app/startupz", "port": 15020}}
    assert seen["lifecycle"]["preStop"] == {"httpGet": {"path": "/app-lifecycle/app/prestopz", "port": 15020}}
    assert container(found, "b")["livenessProbe"] == {"exec": {"command": ["x"]}}
    assert json.loads(variables(found)["ISTIO_KUBE_APP_PROBERS"]) == {
        "/app-health/app/readyz": {"httpGet": {"path": "/r", "port": 8080, "scheme": "HTTPS"}, "timeoutSeconds": 7},
        "/app-health/app/livez": {"tcpSocket": {"port": 8080}},
        "/app-health/app/startupz": {"grpc": {"port": 9000, "service": "s"}},
        "/app-lifecycle/app/prestopz": {"httpGet": {"path": "/bye", "port": 8080}},
    }


@pytest.mark.parametrize(
    ("annotations", "probe"),
    [
        ({"sidecar.istio.io/rewriteAppHTTPProbers": "false"}, PROBE),
        ({"traffic.sidecar.istio.io/excludeInboundPorts": "8080"}, PROBE),
        ({"traffic.sidecar.istio.io/includeInboundPorts": "9000-9100"}, PROBE),
        ({"sidecar.istio.io/interceptionMode": "NONE"}, PROBE),
        ({}, {"httpGet": {"path": "/", "port": 8080, "host": "example.com"}}),
        ({}, {"httpGet": {"path": "/", "port": "nobody"}}),
    ],
)
def test_probes_that_do_not_meet_the_proxy_stay(annotations: dict[str, str], probe: dict[str, Any]) -> None:
    found = injected(pod(annotations, containers=[{"name": "app", "image": "a", "readinessProbe": probe}]))
    assert container(found, "app")["readinessProbe"] == probe
    assert "ISTIO_KUBE_APP_PROBERS" not in variables(found)


def test_prometheus_asks_the_agent_which_asks_the_application() -> None:
    found = injected(pod({"prometheus.io/port": "9090", "prometheus.io.path": "/m", "prometheus-io/scrape": "true"}))
    annotations = found["metadata"]["annotations"]
    assert {key: text for key, text in annotations.items() if key.startswith("prometheus")} == {
        "prometheus.io/scrape": "true",
        "prometheus.io/path": "/stats/prometheus",
        "prometheus.io/port": "15020",
    }
    told = json.loads(variables(found)["ISTIO_PROMETHEUS_ANNOTATIONS"])
    assert told == {"port": "9090", "path": "/m", "scrape": "true"}


@pytest.mark.parametrize(
    ("annotations", "mesh_text"),
    [
        ({"prometheus.io/scrape": "false"}, ""),
        ({"prometheus.istio.io/merge-metrics": "false"}, ""),
        ({}, "enablePrometheusMerge: false"),
    ],
)
def test_scraping_stays_as_it_is(annotations: dict[str, str], mesh_text: str) -> None:
    found = injected(pod(annotations), None, mesh_text)
    assert "prometheus.io/port" not in found["metadata"]["annotations"]


def test_the_pod_wins_over_the_mesh_in_merging() -> None:
    found = injected(pod({"prometheus.istio.io/merge-metrics": "true"}), None, "enablePrometheusMerge: false")
    assert found["metadata"]["annotations"]["prometheus.io/port"] == "15020"


def test_labels_for_telemetry() -> None:
    found = injected(pod(labels={"app": "web", "version": "v2"}))["metadata"]["labels"]
    assert found["service.istio.io/canonical-name"] == "web"
    assert found["service.istio.io/canonical-revision"] == "v2"
    assert found["security.istio.io/tlsMode"] == "istio"
    own = {"app.kubernetes.io/name": "shop", "app": "web", "security.istio.io/tlsMode": "disabled"}
    found = injected(pod(labels=own))["metadata"]["labels"]
    assert found["service.istio.io/canonical-name"] == "shop"
    assert found["service.istio.io/canonical-revision"] == "latest"
    assert found["security.istio.io/tlsMode"] == "disabled"


def test_the_workload_is_what_users_made() -> None:
    given = pod(labels={"pod-template-hash": "7d9f"})
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d9f", "controller": True}
    given["metadata"] |= {"name": "", "generateName": "web-7d9f-", "ownerReferences": [owner]}
    found = injected(given)
    assert variables(found)["ISTIO_META_WORKLOAD_NAME"] == "web"
    assert variables(found)["ISTIO_META_OWNER"] == "kubernetes://apis/apps/v1/namespaces/shop/deployments/web"
    assert found["metadata"]["labels"]["service.istio.io/canonical-name"] == "web"


def test_search_domains_and_pull_secrets() -> None:
    config = configuration(
        global_={
            "imagePullSecrets": ["key"],
            "podDNSSearchNamespaces": ["global", '{{ valueOrDefault .DeploymentMeta.Namespace "default" }}.global'],
        }
    )
    spec = injected(pod(dnsConfig={"searches": ["own"]}, imagePullSecrets=[{"name": "mine"}]), config)["spec"]
    assert spec["dnsConfig"]["searches"] == ["own", "global", "shop.global"]
    assert spec["imagePullSecrets"] == [{"name": "mine"}, {"name": "key"}]


def test_what_was_injected_is_written_down() -> None:
    config = configuration("injectedAnnotations: {apparmor: 'on'}", revision="canary")
    annotations = injected(pod(), config)["metadata"]["annotations"]
    status = json.loads(annotations["sidecar.istio.io/status"])
    assert status["initContainers"] == ["istio-init", "istio-proxy"]
    assert status["revision"] == "canary"
    assert annotations["istio.io/rev"] == "canary"
    assert annotations["apparmor"] == "on"


def test_the_pod_that_is_given_is_not_changed() -> None:
    given = pod(containers=[{"name": "app", "image": "a", "readinessProbe": PROBE}])
    before = copy.deepcopy(given)
    injected(given)
    assert given == before
