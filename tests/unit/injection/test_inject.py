"""What becomes of a pod: cases as Istio documents them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from lateen.api.networking.proxy_config import ProxyConfig
from lateen.api.objects import Object
from lateen.api.parse import parse
from lateen.injection.annotation_checks import _CHECKS, wrong_annotations
from lateen.injection.inject import Refused
from lateen.testing.injected_pods import configuration, container, injected, names, pod, result, variables

_PROBE = {"httpGet": {"path": "/ready", "port": 8080}}


def test_a_native_sidecar_is_an_init_container_that_keeps_running() -> None:
    found = injected(pod())
    assert names(found, "initContainers") == ["istio-init", "istio-proxy"]
    assert names(found, "containers") == ["app"]
    proxy = container(found, "istio-proxy")
    assert proxy["restartPolicy"] == "Always"
    assert proxy["startupProbe"]["exec"]["command"][:2] == ["pilot-agent", "wait"]
    assert proxy["lifecycle"]["preStop"]["exec"]["command"][0] == "pilot-agent"


@pytest.mark.parametrize(
    ("annotation", "setting", "version", "native"),
    [
        (None, None, None, True),
        (None, None, (1, 28), False),
        (None, None, (1, 29), True),
        (None, "false", (1, 33), False),
        (None, "true", (1, 20), True),
        ("false", "true", (1, 33), False),
        ("true", "false", (1, 20), True),
    ],
)
def test_where_proxies_are_native(
    annotation: str | None, setting: str | None, version: tuple[int, int] | None, native: bool
) -> None:
    annotations = {} if annotation is None else {"sidecar.istio.io/nativeSidecar": annotation}
    pilot = {} if setting is None else {"env": {"ENABLE_NATIVE_SIDECARS": setting}}
    found = injected(pod(annotations), configuration(pilot=pilot), version=version)
    assert ("istio-proxy" in names(found, "initContainers")) is native
    assert ("istio-proxy" in names(found, "containers")) is not native


def test_a_classic_sidecar_comes_last_and_capture_after_the_pods_own_init_containers() -> None:
    given = pod({"sidecar.istio.io/nativeSidecar": "false"}, initContainers=[{"name": "migrate", "image": "m"}])
    found = injected(given)
    assert names(found, "containers") == ["app", "istio-proxy"]
    assert names(found, "initContainers") == ["migrate", "istio-init"]
    assert "lifecycle" not in container(found, "istio-proxy")


def test_the_application_can_be_held_until_the_proxy_runs() -> None:
    annotations = {
        "sidecar.istio.io/nativeSidecar": "false",
        "proxy.istio.io/config": "holdApplicationUntilProxyStarts: true",
    }
    found = injected(pod(annotations))
    assert names(found, "containers") == ["istio-proxy", "app"]
    assert container(found, "istio-proxy")["lifecycle"]["postStart"]["exec"]["command"] == ["pilot-agent", "wait"]


def test_init_containers_may_ask_to_run_before_the_proxy() -> None:
    probed = {"name": "first", "image": "f", "restartPolicy": "Always", "startupProbe": _PROBE}
    given = pod(
        {"sidecar.istio.io/init-containers-before-proxy": "first"},
        initContainers=[{"name": "second", "image": "s"}, probed],
    )
    found = injected(given)
    assert names(found, "initContainers") == ["istio-init", "first", "istio-proxy", "second"]
    assert container(found, "first")["startupProbe"] == _PROBE, "no agent answers yet"


def test_capture_needs_two_capabilities_and_the_proxy_none() -> None:
    found = injected(pod())
    init, proxy = container(found, "istio-init")["securityContext"], container(found, "istio-proxy")["securityContext"]
    assert init["capabilities"] == {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]}
    assert init["runAsUser"] == 0
    assert not init["privileged"]
    assert proxy["capabilities"] == {"drop": ["ALL"]}
    assert proxy["runAsUser"] == 1337
    assert proxy["runAsNonRoot"]
    assert proxy["readOnlyRootFilesystem"]
    assert not proxy["allowPrivilegeEscalation"]


def test_with_a_cni_plugin_nothing_in_the_pod_has_capabilities() -> None:
    found = injected(pod(), configuration(pilot={"cni": {"enabled": True}}))
    assert names(found, "initContainers") == ["istio-validation", "istio-proxy"]
    validation = container(found, "istio-validation")
    assert validation["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert validation["securityContext"]["runAsNonRoot"]
    assert validation["args"][-2:] == ["--run-validation", "--skip-rule-apply"]
    annotations = found["metadata"]["annotations"]
    assert annotations["traffic.sidecar.istio.io/excludeInboundPorts"] == "15090,15021,15020"
    assert annotations["sidecar.istio.io/interceptionMode"] == "REDIRECT"


def test_multus_is_told_of_the_plugin() -> None:
    given = pod({"k8s.v1.cni.cncf.io/networks": "mine"})
    found = injected(given, configuration(pilot={"cni": {"enabled": True, "provider": "multus"}}))
    assert found["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"] == "mine, default/istio-cni"


def _arguments(annotations: dict[str, str], **proxy: Any) -> str:
    found = injected(pod(annotations), configuration(global_={"proxy": proxy}))
    return " ".join(container(found, "istio-init")["args"])


@pytest.mark.parametrize(
    ("annotation", "text", "argument"),
    [
        ("traffic.sidecar.istio.io/includeOutboundIPRanges", "10.0.0.0/8", "-i 10.0.0.0/8"),
        ("traffic.sidecar.istio.io/excludeOutboundIPRanges", "10.1.0.0/16", "-x 10.1.0.0/16"),
        ("traffic.sidecar.istio.io/includeInboundPorts", "80,8080", "-b 80,8080"),
        ("traffic.sidecar.istio.io/includeInboundPorts", "", "-b  -d"),
        ("traffic.sidecar.istio.io/excludeInboundPorts", "22, 15020", "-d 15090,15021,15020,22"),
        ("traffic.sidecar.istio.io/includeOutboundPorts", "443", "-q 443"),
        ("traffic.sidecar.istio.io/excludeOutboundPorts", "5432", "-o 5432"),
        ("traffic.sidecar.istio.io/excludeInterfaces", "eth1", "-c eth1"),
        ("traffic.sidecar.istio.io/kubevirtInterfaces", "tap0", "-k tap0"),
        ("istio.io/reroute-virtual-interfaces", "tap1", "-k tap1"),
        ("sidecar.istio.io/interceptionMode", "TPROXY", "-m TPROXY"),
        ("sidecar.istio.io/agentLogLevel", "all:debug", "--log_output_level=all:debug"),
        ("status.sidecar.istio.io/port", "15333", "-d 15090,15021,15333"),
    ],
)
def test_annotations_of_capture(annotation: str, text: str, argument: str) -> None:
    assert argument in _arguments({annotation: text})


def test_capture_is_as_the_capture_program_has_it() -> None:
    assert _arguments({}) == (
        "istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i * -x  -b * -d 15090,15021,15020 "
        "--log_output_level=default:info"
    )
    assert "-o 3306" in _arguments({}, excludeOutboundPorts="3306")


def test_nothing_is_captured_in_mode_none() -> None:
    found = injected(pod({"sidecar.istio.io/interceptionMode": "NONE"}))
    assert names(found, "initContainers") == ["istio-proxy"]
    assert variables(found)["ISTIO_META_INTERCEPTION_MODE"] == "NONE"


def test_tproxy_needs_root_and_net_admin() -> None:
    security = container(injected(pod({"sidecar.istio.io/interceptionMode": "TPROXY"})), "istio-proxy")
    assert security["securityContext"]["capabilities"]["add"] == ["NET_ADMIN"]
    assert security["securityContext"]["runAsUser"] == 0
    assert security["securityContext"]["runAsGroup"] == 1337


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
        ({"sidecar.istio.io/rewriteAppHTTPProbers": "false"}, _PROBE),
        ({"traffic.sidecar.istio.io/excludeInboundPorts": "8080"}, _PROBE),
        ({"traffic.sidecar.istio.io/includeInboundPorts": "9000-9100"}, _PROBE),
        ({"sidecar.istio.io/interceptionMode": "NONE"}, _PROBE),
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


def test_the_gateway_template() -> None:
    given = pod({"inject.istio.io/templates": "gateway"}, containers=[{"name": "istio-proxy", "image": "auto"}])
    found = injected(given)
    assert names(found, "containers") == ["istio-proxy"]
    assert names(found, "initContainers") == []
    assert container(found, "istio-proxy")["args"][:2] == ["proxy", "router"]
    assert found["metadata"]["labels"]["istio.io/rev"] == "default"
    assert found["spec"]["securityContext"]["sysctls"][0]["name"] == "net.ipv4.ip_unprivileged_port_start"


def test_the_grpc_agent_template() -> None:
    found = injected(pod({"inject.istio.io/templates": "grpc-agent"}))
    assert variables(found, "app")["GRPC_XDS_BOOTSTRAP"] == "/etc/istio/proxy/grpc-bootstrap.json"
    assert variables(found)["DISABLE_ENVOY"] == "true"
    assert "istio-init" not in names(found, "initContainers")
    assert "istio-xds" in names(found, "volumes")


@pytest.mark.parametrize("name", ["grpc-agent", "grpc-simple"])
def test_that_proxyless_grpc_is_not_configured_yet_is_told(name: str) -> None:
    (told,) = result(pod({"inject.istio.io/templates": name})).warnings
    assert "not supported yet" in told.message
    own = configuration(f"templates: {{{name}: 'metadata: {{}}'}}")
    assert result(pod({"inject.istio.io/templates": name}), own).warnings == ()


def test_users_templates_and_aliases() -> None:
    config = configuration(
        """
        defaultTemplates: [sidecar, team]
        aliases: {both: [sidecar, team]}
        templates:
          team: |
            metadata:
              labels:
                team: {{ index .ObjectMeta.Labels "app" | default "none" | quote }}
            spec:
              containers:
              {{- range .Spec.Containers }}
              - name: {{ .Name }}
                env: [{name: HUB, value: {{ $.Values.global.hub }}}]
              {{- end }}
        """,
        global_={"hub": "h"},
    )
    found = injected(pod(), config)
    assert found["metadata"]["labels"]["team"] == "web"
    assert variables(found, "app") == {"HUB": "h"}
    assert "istio-proxy" in names(found, "initContainers")
    only = injected(pod({"inject.istio.io/templates": "team"}), config)
    assert names(only, "initContainers") == []
    assert injected(pod({"inject.istio.io/templates": "both"}), config)["spec"] == found["spec"]


def test_users_own_sidecar_template_counts_over_the_built_in() -> None:
    config = configuration("templates: {sidecar: 'spec: {containers: [{name: istio-proxy, image: mine}]}'}")
    found = injected(pod(), config)
    assert names(found, "containers") == ["app", "istio-proxy"]
    assert container(found, "istio-proxy")["image"] == "mine"


@pytest.mark.parametrize(
    ("annotations", "path"),
    [
        ({"sidecar.istio.io/proxyCPU": "lots"}, "metadata.annotations[sidecar.istio.io/proxyCPU]"),
        ({"sidecar.istio.io/interceptionMode": "MAGIC"}, "metadata.annotations[sidecar.istio.io/interceptionMode]"),
        ({"traffic.sidecar.istio.io/excludeOutboundPorts": "a"},
         "metadata.annotations[traffic.sidecar.istio.io/excludeOutboundPorts]"),
        ({"traffic.sidecar.istio.io/includeOutboundIPRanges": "10/33"},
         "metadata.annotations[traffic.sidecar.istio.io/includeOutboundIPRanges]"),
        ({"proxy.istio.io/config": "statusPort: x"}, "metadata.annotations[proxy.istio.io/config].statusPort"),
        ({"proxy.istio.io/config": "concurrency: -1"}, "metadata.annotations[proxy.istio.io/config].concurrency"),
        ({"proxy.istio.io/config": "{"}, "metadata.annotations[proxy.istio.io/config]"),
        ({"proxy.istio.io/overrides": "{\"pods\": []}"}, "metadata.annotations[proxy.istio.io/overrides].pods"),
        ({"proxy.istio.io/overrides": '{"containers": [{"name": "a", "env": "x"}]}'},
         "metadata.annotations[proxy.istio.io/overrides].containers[0].env"),
        ({"inject.istio.io/templates": "nobody"}, "metadata.annotations[inject.istio.io/templates]"),
        ({"sidecar.istio.io/userVolume": "[1]"}, "metadata.annotations[sidecar.istio.io/userVolume]"),
        ({"status.sidecar.istio.io/port": "70000"}, "metadata.annotations[status.sidecar.istio.io/port]"),
        ({"status.sidecar.istio.io/port": "15021"}, "metadata.annotations[status.sidecar.istio.io/port]"),
        ({"sidecar.istio.io/statsHistogramBuckets": "{\"a\": 1}"},
         "metadata.annotations[sidecar.istio.io/statsHistogramBuckets]"),
        ({"sidecar.istio.io/statsFlushInterval": "5m"}, "metadata.annotations[sidecar.istio.io/statsFlushInterval]"),
        ({"sidecar.istio.io/statsEvictionInterval": "11s"},
         "metadata.annotations[sidecar.istio.io/statsEvictionInterval]"),
        ({"sidecar.istio.io/statsFlushInterval": "10s", "sidecar.istio.io/statsEvictionInterval": "15s"},
         "metadata.annotations[sidecar.istio.io/statsEvictionInterval]"),
        ({"sidecar.istio.io/statsInclusionRegexps": "ok,("},
         "metadata.annotations[sidecar.istio.io/statsInclusionRegexps]"),
        ({"sidecar.istio.io/discoveryAddress": "istiod"}, "metadata.annotations[sidecar.istio.io/discoveryAddress]"),
        ({"proxy.istio.io/config": f"discoveryAddress: 'a:{'1' * 5000}'"},
         "metadata.annotations[proxy.istio.io/config].discoveryAddress"),
    ],
)  # fmt: skip
def test_bad_annotations_are_refused_where_they_are(annotations: dict[str, str], path: str) -> None:
    with pytest.raises(Refused) as refused:
        injected(pod(annotations))
    assert [fault.path for fault in refused.value.faults] == [path]


@pytest.mark.parametrize("name", sorted(_CHECKS))
@pytest.mark.parametrize("filler", ["1", "a,", "a:", "1-", "[", "a ,", "-", "{", "10.0.0.0/8,", '"', "x"])
def test_no_annotation_takes_long_to_be_judged(name: str, filler: str) -> None:
    text = filler * (60_000 // len(filler))
    for hostile in (text, f"{text}!", f'{text}"'):
        wrong_annotations({name: hostile})


def test_what_is_taken_with_a_warning() -> None:
    given = pod({"sidecar.istio.io/typo": "1", "proxy.istio.io/config": "newer: 1"}, dnsPolicy="None")
    paths = [fault.path for fault in result(given).warnings]
    assert paths == [
        "metadata.annotations[sidecar.istio.io/typo]",
        "metadata.annotations[proxy.istio.io/config].newer",
        "spec.dnsPolicy",
    ]


def test_applications_that_run_as_the_proxy() -> None:
    mine, proxy = {"name": "a", "image": "a"}, {"name": "istio-proxy", "image": "auto"}
    as_proxy, as_other = {"securityContext": {"runAsUser": 1337}}, {"securityContext": {"runAsUser": 1000}}

    def doubted(*containers: dict[str, Any], **spec: Any) -> list[str]:
        found = result(pod(containers=list(containers), **spec)).warnings
        assert all(fault.code == "IST0144" for fault in found)
        return [fault.path for fault in found]

    assert doubted(mine, proxy | as_proxy) == []
    assert doubted(proxy, mine | as_proxy) == ["spec.containers[1].securityContext.runAsUser"]
    assert doubted(mine, **as_proxy) == ["spec.securityContext.runAsUser"]
    assert doubted(mine | as_other, **as_proxy) == []
    assert doubted(mine | as_other, proxy | as_other) == ["spec.containers[0].securityContext.runAsUser"]


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
    given = pod(containers=[{"name": "app", "image": "a", "readinessProbe": _PROBE}])
    before = copy.deepcopy(given)
    injected(given)
    assert given == before


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"spec": {"containers": {}}}, "spec.containers"),
        ({"metadata": {"labels": {"a": 1}}, "spec": {}}, "metadata.labels[a]"),
        ({"spec": {"containers": [{"image": "x"}]}}, "spec.containers[0].name"),
        ({"spec": []}, "spec"),
    ],
)
def test_what_is_no_pod_is_refused(given: dict[str, Any], path: str) -> None:
    with pytest.raises(Refused) as refused:
        injected(given)
    assert path in [fault.path for fault in refused.value.faults]
